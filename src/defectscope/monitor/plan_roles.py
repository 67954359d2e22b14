"""Roles of the tasks that watch live channels: what ECS does for them, and what they do."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.monitor.output_config import OutputConfig

# What a policy may name; letters that IAM reads as a pattern are not among them.
# Source: Amazon SNS, CreateTopic, Name; Amazon EventBridge, PutEventsRequestEntry, EventBusName.
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[\w-]{1,256}(?:\.fifo)?", re.ASCII)
_BUS = re.compile(
    r"(?:arn:aws[a-z-]*:events:[a-z0-9-]+:\d{12}:event-bus/)?[/.\w-]{1,256}", re.ASCII
)

# Source: Amazon SageMaker, CreateEndpoint, EndpointName.
_ENDPOINT = re.compile(r"[a-zA-Z0-9](?:-*[a-zA-Z0-9]){0,62}")


def execution_role() -> dict[str, Any]:
    """Returns the role under which ECS pulls the image and writes logs."""
    return _role(
        [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
                "Resource": {"Fn::GetAtt": ["Logs", "Arn"]},
            },
            {
                "Effect": "Allow",
                "Action": [
                    "ecr:GetAuthorizationToken",
                    "ecr:BatchCheckLayerAvailability",
                    "ecr:GetDownloadUrlForLayer",
                    "ecr:BatchGetImage",
                ],
                "Resource": "*",
            },
        ]
    )


def task_role(
    clips: Iterable[str] = (),
    outputs: Iterable[OutputConfig] = (),
    endpoints: Iterable[str] = (),
) -> dict[str, Any]:
    """Returns the role of the monitor itself: what its configuration names, and nothing else.

    Args:
        clips: Places that clips are kept at, `s3://BUCKET/PREFIX`.
        outputs: Where events go.
        endpoints: Names of SageMaker endpoints that suspicious seconds are sent to.

    Raises:
        InvalidParameterError: Clips go to a folder, since a task's file system is read-only; or a
            topic, bus or endpoint is none.
    """
    return _role(
        [
            {
                "Effect": "Allow",
                "Action": "ssm:GetParameter",
                "Resource": {
                    "Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}"
                    ":parameter/${AWS::StackName}/*"
                },
            },
            *_deliveries(outputs),
            *_looks(endpoints),
            *_clip_writes(clips),
        ]
    )


def _deliveries(outputs: Iterable[OutputConfig]) -> list[dict[str, Any]]:
    topics: set[str] = set()
    buses: set[str] = set()
    for output in outputs:
        if output.kind == "sns":
            topics.add(_named(_TOPIC, output, output.values["topic_arn"]))
        elif output.kind == "eventbridge":
            buses.add(_named(_BUS, output, output.values["bus"]))
    resources = (
        ("sns:Publish", [{"Fn::Sub": topic} for topic in sorted(topics)]),
        ("events:PutEvents", [{"Fn::Sub": _bus_arn(bus)} for bus in sorted(buses)]),
    )
    return [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in resources if r]


def _looks(endpoints: Iterable[str]) -> list[dict[str, Any]]:
    names = sorted(set(endpoints))
    for name in names:
        if not _ENDPOINT.fullmatch(name):
            raise InvalidParameterError(f"looks: {name!r} is no name of an endpoint")
    where = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:endpoint/"
    # The client asks for the limits that the endpoint was deployed with before it calls.
    actions = ["sagemaker:InvokeEndpoint", "sagemaker:DescribeEndpoint", "sagemaker:ListTags"]
    resources = [{"Fn::Sub": where + name} for name in names]
    return [{"Effect": "Allow", "Action": actions, "Resource": resources}] if names else []


def _named(pattern: re.Pattern[str], output: OutputConfig, value: str) -> str:
    if not pattern.fullmatch(value):
        raise InvalidParameterError(f"output {output.name}: {value!r} is no {output.kind} target")
    return value


def _bus_arn(bus: str) -> str:
    if bus.startswith("arn:"):
        return bus
    return f"arn:${{AWS::Partition}}:events:${{AWS::Region}}:${{AWS::AccountId}}:event-bus/{bus}"


def _clip_writes(places: Iterable[str]) -> list[dict[str, Any]]:
    resources: list[dict[str, str]] = []
    for place in sorted(set(places)):
        if not place.startswith("s3://"):
            raise InvalidParameterError(
                f"clips go to {place}, which a task cannot write to: name s3://BUCKET/PREFIX"
            )
        where = place.removeprefix("s3://").strip("/")
        resources.append({"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{where}/*"})
    if not resources:
        return []
    return [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": resources}]


def _role(statements: list[dict[str, Any]]) -> dict[str, Any]:
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
    document = {"Version": "2012-10-17", "Statement": statements}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": trust,
            "Policies": [{"PolicyName": "defectscope-live", "PolicyDocument": document}],
        },
    }
