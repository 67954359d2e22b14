"""Roles of the tasks that watch live channels: what ECS does for them, and what they do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from defectscope.errors import InvalidParameterError


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


def task_role(clips: Iterable[str] = ()) -> dict[str, Any]:
    """Returns the role of the monitor itself.

    Args:
        clips: Places that clips are kept at, `s3://BUCKET/PREFIX`.

    Raises:
        InvalidParameterError: One of them is a folder: a task's file system is read-only.
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
            {
                "Effect": "Allow",
                "Action": ["sns:Publish", "events:PutEvents"],
                "Resource": "*",
            },
            *_clip_writes(clips),
        ]
    )


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
