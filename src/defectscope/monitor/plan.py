"""How many tasks a set of channels takes, and the CloudFormation template that runs them on ECS.

    channels.toml + cost of a channel -> groups -> one Fargate service per group

ECS restarts a task that ends and spreads them over zones: there is no scheduler of our own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.monitor.output_config import OutputConfig
from defectscope.monitor.plan_roles import execution_role, task_role

# Cores of a channel: a share of it by itself, and one by megapixels a second. A line through four
# formats from 720p25 to 2160p25 on a busy machine of two hardware threads, which is what a vCPU is,
# with 0.03 for the transport, and what a second costs that networks look at. Source:
# docs/results/live.md, measured with benchmarks/live_capacity.py.
_CORES_EACH, _CORES_PER_MPX = 0.21, 0.0028
_LOOK_CORES, _LOOK_CORES_PER_MPX = 1.8, 0.0125
# What may be used of a core: decoding has peaks, and key frames come together.
UTILISATION = 0.6
# Memory of a group by itself and of a channel, MB: estimates, above the 275 MB that a group of one
# channel took.
_GROUP_MB, _CHANNEL_MB = 300, 60
# vCPU of Fargate, with the smallest and largest memory of each, MB, and its step.
# Source: Amazon ECS, task definition parameters for Fargate.
_FARGATE = {
    1: (2048, 8192, 1024),
    2: (4096, 16384, 1024),
    4: (8192, 30720, 1024),
    8: (16384, 61440, 4096),
    16: (32768, 122880, 8192),
}
_FORMAT = re.compile(r"(?:(\d{2,5})x)?(\d{2,5})[pi](\d{1,3}(?:\.\d+)?)")
DEFAULT_FORMAT = "1080p25"
# Parameters of the advanced tier. Source: AWS Systems Manager quotas.
_MAX_PARAMETER_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Group:
    """Channels that share a task.

    Attributes:
        names: The channels.
        cores: What they cost together.
    """

    names: tuple[str, ...]
    cores: float

    @property
    def memory_mb(self) -> int:
        """What they take together."""
        return _GROUP_MB + _CHANNEL_MB * len(self.names)


def cores_of(raster: str, looked_at: float = 0.0) -> float:
    """Returns the cores of one channel.

    Args:
        raster: Lines, `p` or `i` and frames a second: `1080p25`, `3840x2160p50`.
        looked_at: Share of the programme that networks in the task look at.

    Raises:
        InvalidParameterError: It is none.
    """
    match = _FORMAT.fullmatch(raster)
    if match is None:
        raise InvalidParameterError(f"{raster!r} is no format such as 1080p25 or 3840x2160p50")
    lines = int(match[2])
    columns = int(match[1]) if match[1] else round(lines * 16 / 9)
    pixels = columns * lines * float(match[3]) / 1e6
    looks = looked_at * (_LOOK_CORES + _LOOK_CORES_PER_MPX * pixels)
    return _CORES_EACH + _CORES_PER_MPX * pixels + looks


def packed(cores: Mapping[str, float], vcpus: int) -> list[Group]:
    """Packs channels into tasks: the costliest first, each into the fullest that has room.

    Args:
        cores: Cost of each channel.
        vcpus: vCPU of a task.

    Raises:
        InvalidParameterError: Fargate has no such task, or a channel alone is too much for it.
    """
    if vcpus not in _FARGATE:
        choice = ", ".join(map(str, _FARGATE))
        raise InvalidParameterError(f"Fargate has no task of {vcpus} vCPU; there are {choice}")
    room = vcpus * UTILISATION
    most = _FARGATE[vcpus][1]
    bins: list[tuple[float, list[str]]] = []
    for name, cost in sorted(cores.items(), key=lambda item: (-item[1], item[0])):
        if cost > room:
            raise InvalidParameterError(
                f"{name} takes {cost:.2f} cores; a task of {vcpus} vCPU has {room:.2f} to give"
            )
        fitting = [
            place
            for place, (used, names) in enumerate(bins)
            if used + cost <= room and _GROUP_MB + _CHANNEL_MB * (len(names) + 1) <= most
        ]
        if fitting:
            place = max(fitting, key=lambda k: bins[k][0])
            bins[place] = (bins[place][0] + cost, [*bins[place][1], name])
        else:
            bins.append((cost, [name]))
    return [Group(tuple(sorted(names)), cost) for cost, names in bins]


def template(
    groups: Sequence[Group],
    documents: Sequence[str],
    vcpus: int,
    image: str,
    clips: Iterable[str] = (),
    outputs: Iterable[OutputConfig] = (),
    endpoints: Iterable[str] = (),
) -> dict[str, Any]:
    """Returns the CloudFormation template of some groups.

    Args:
        groups: What runs together.
        documents: channels.toml of each group.
        vcpus: vCPU of a task.
        image: Image of the container.
        clips: Places that clips are kept at, `s3://BUCKET/PREFIX`.
        outputs: Where events go.
        endpoints: Names of SageMaker endpoints that suspicious seconds are sent to.

    Raises:
        InvalidParameterError: A group's document is too long for a parameter, clips go to a folder,
            or what is named is no topic, bus or endpoint.
    """
    resources: dict[str, Any] = {
        "Cluster": {
            "Type": "AWS::ECS::Cluster",
            "Properties": {"ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}]},
        },
        "Logs": {
            "Type": "AWS::Logs::LogGroup",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"RetentionInDays": 30},
        },
        "ExecutionRole": execution_role(),
        "TaskRole": task_role(clips, outputs, endpoints),
    }
    for number, (group, document) in enumerate(zip(groups, documents, strict=True), 1):
        if len(document.encode()) > _MAX_PARAMETER_BYTES:
            raise InvalidParameterError(
                f"group {number}: channels.toml of {len(group.names)} channels is over"
                f" {_MAX_PARAMETER_BYTES} bytes; use a smaller task"
            )
        resources |= _of_group(number, group, document, vcpus)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"defectscope: {sum(len(g.names) for g in groups)} live channels",
        "Parameters": {
            "ImageUri": {"Type": "String", "Default": image},
            "SubnetIds": {"Type": "List<AWS::EC2::Subnet::Id>"},
            "SecurityGroupIds": {"Type": "List<AWS::EC2::SecurityGroup::Id>"},
        },
        "Resources": resources,
        "Outputs": {"Cluster": {"Value": {"Ref": "Cluster"}}},
    }


def _of_group(number: int, group: Group, document: str, vcpus: int) -> dict[str, Any]:
    low, high, step = _FARGATE[vcpus]
    memory_mb = min(high, max(low, -(-group.memory_mb // step) * step))
    parameter = {"Fn::Sub": f"/${{AWS::StackName}}/group-{number}"}
    container = {
        "Name": "monitor",
        "Image": {"Ref": "ImageUri"},
        "Essential": True,
        "EntryPoint": ["defectscope"],
        "Command": [
            "monitor",
            {"Fn::Sub": f"ssm:///${{AWS::StackName}}/group-{number}"},
            "--events",
            "-",
            "--groups",
            str(vcpus),
        ],
        "StopTimeout": 30,
        "ReadonlyRootFilesystem": True,
        "LogConfiguration": {
            "LogDriver": "awslogs",
            "Options": {
                "awslogs-group": {"Ref": "Logs"},
                "awslogs-region": {"Ref": "AWS::Region"},
                "awslogs-stream-prefix": f"group-{number}",
            },
        },
    }
    return {
        f"Channels{number}": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Name": parameter,
                "Type": "String",
                "Tier": "Advanced",
                "Value": document,
                "Description": ", ".join(group.names)[:1000],
            },
        },
        f"Task{number}": {
            "Type": "AWS::ECS::TaskDefinition",
            "Properties": {
                "RequiresCompatibilities": ["FARGATE"],
                "NetworkMode": "awsvpc",
                "Cpu": str(1024 * vcpus),
                "Memory": str(memory_mb),
                "ExecutionRoleArn": {"Fn::GetAtt": ["ExecutionRole", "Arn"]},
                "TaskRoleArn": {"Fn::GetAtt": ["TaskRole", "Arn"]},
                "ContainerDefinitions": [container],
            },
        },
        f"Service{number}": {
            "Type": "AWS::ECS::Service",
            "DependsOn": f"Channels{number}",
            "Properties": {
                "Cluster": {"Ref": "Cluster"},
                "LaunchType": "FARGATE",
                "TaskDefinition": {"Ref": f"Task{number}"},
                "DesiredCount": 1,
                # Never two that watch the same channels: each would tell its alarms.
                "DeploymentConfiguration": {"MaximumPercent": 100, "MinimumHealthyPercent": 0},
                "NetworkConfiguration": {
                    "AwsvpcConfiguration": {
                        "Subnets": {"Ref": "SubnetIds"},
                        "SecurityGroups": {"Ref": "SecurityGroupIds"},
                    }
                },
            },
        },
    }


def as_json(document: Mapping[str, Any]) -> str:
    """Returns a template as text."""
    return json.dumps(document, indent=1) + "\n"
