"""The loop as a SageMaker pipeline: from labels to a version in service, or a refusal.

    Prepare -> Train -> Evaluate -> Register -> Shadow -> Canary -> in service
                           |                      |          |
                        refused                refused   taken back

Every step is a processing job of the project's own image that runs
`defectscope.learning.pipeline_step`; they share nothing but folders in S3.

Source: Amazon SageMaker Developer Guide, "Pipelines", and the JSON schema of pipeline definitions
of version 2020-12-01 that it links.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectscope.deploy.calls import Call, Transaction, tag_list
from defectscope.errors import InvalidParameterError

VERSION = "2020-12-01"
JOB_ROOT = "/opt/ml/processing"
ENTRYPOINT = ("python", "-m", "defectscope.learning.pipeline_step")
# Source: the same guide, names of pipelines.
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,255}")
# SageMaker's own limit for a definition within the request, bytes.
_MOST_BYTES = 100 * 1024
_LONGEST_S = {"Canary": 8 * 3600 + 1800, "Prepare": 4 * 3600, "Shadow": 4 * 3600}


@dataclass(frozen=True, slots=True)
class Loop:
    """What the pipeline is about; each becomes a parameter that an execution may change.

    Attributes:
        queue_uri: s3:// address of the queue's folder, labels within.
        held_out_uri: Of titles with truth that nothing learns from.
        service_uri: Of the artifacts in service; a folder without any takes what ships.
        media_uri: Of media that both versions analyze before traffic moves.
        work_uri: Where executions put what they make.
        model_prefix: Where archives go.
        image: Address of the container image.
        role_arn: Of the jobs and of the endpoint.
        endpoint: Name of the endpoint, which is there already.
        alarms: CloudWatch alarms that take a version back.
        detector: Which learns.
        group: Model package group; empty for `defectscope-DETECTOR`.
        instance_type: Of the jobs.
        endpoint_instance_type: Of the endpoint.
        canary_wait_s: How long the canary is watched, seconds.
        most_changed: Share of titles whose verdict may change.
    """

    queue_uri: str
    held_out_uri: str
    service_uri: str
    media_uri: str
    work_uri: str
    model_prefix: str
    image: str
    role_arn: str
    endpoint: str
    alarms: tuple[str, ...]
    detector: str = "audio_artifacts"
    group: str = ""
    instance_type: str = "ml.c6i.2xlarge"
    endpoint_instance_type: str = "ml.c6i.2xlarge"
    canary_wait_s: int = 600
    most_changed: float = 0.1

    def __post_init__(self) -> None:
        if not self.alarms:
            raise InvalidParameterError("a canary is watched by alarms: name at least one")
        for uri in (
            self.queue_uri, self.held_out_uri, self.service_uri, self.media_uri, self.work_uri,
            self.model_prefix,
        ):  # fmt: skip
            if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/?.*", uri):
                raise InvalidParameterError(f"{uri[:80]!r} is no s3:// address")
        if not 0 <= self.most_changed <= 1:
            raise InvalidParameterError(f"a share is 0 to 1, not {self.most_changed}")

    def parameters(self) -> dict[str, str]:
        """Returns the pipeline's parameters with their defaults."""
        return {
            "QueueUri": self.queue_uri.rstrip("/"),
            "HeldOutUri": self.held_out_uri.rstrip("/"),
            "ServiceUri": self.service_uri.rstrip("/"),
            "MediaUri": self.media_uri.rstrip("/"),
            "WorkUri": self.work_uri.rstrip("/"),
            "ModelPrefix": self.model_prefix.rstrip("/"),
            "Image": self.image,
            "RoleArn": self.role_arn,
            "Endpoint": self.endpoint,
            "Alarms": ",".join(self.alarms),
            "Detector": self.detector,
            "Group": self.group or f"defectscope-{self.detector.replace('_', '-')}",
            "InstanceType": self.instance_type,
            "EndpointInstanceType": self.endpoint_instance_type,
            "CanaryWaitS": str(self.canary_wait_s),
            "MostChanged": str(self.most_changed),
        }


def definition(loop: Loop) -> dict[str, Any]:
    """Returns the definition of the pipeline."""
    detector = ("--detector", _parameter("Detector"))
    fail = {
        name: {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}
        for name, message in (
            ("Refused", "the candidate is worse on a defect, see comparison.json of Evaluate"),
            ("ShadowRefused", "its findings in service would be others, see shadow.json"),
            ("TakenBack", "an alarm took the version back, see promotion.json of Canary"),
        )
    }
    canary = _job(
        "Canary", "canary",
        ("--endpoint", _parameter("Endpoint"), "--role-arn", _parameter("RoleArn"),
         "--instance-type", _parameter("EndpointInstanceType"), "--alarms", _parameter("Alarms"),
         "--wait-s", _parameter("CanaryWaitS")),
        {"release": _made("Register", "release")}, "promotion", "promotion.json",
    )  # fmt: skip
    promoted = _condition("Promoted", "Canary", "promotion", "promoted", [], [fail["TakenBack"]])
    reject = _job(
        "Reject", "reject", ("--reason", "findings changed, see shadow.json"),
        {"release": _made("Register", "release")},
    )  # fmt: skip
    stopped = {**fail["ShadowRefused"], "DependsOn": ["Reject"]}
    register = _job(
        "Register", "register",
        (*detector, "--image", _parameter("Image"), "--model-prefix", _parameter("ModelPrefix"),
         "--group", _parameter("Group")),
        {"evaluation": _made("Evaluate", "evaluation")}, "release",
    )  # fmt: skip
    shadow = _job(
        "Shadow", "shadow", (*detector, "--most-changed", _parameter("MostChanged")),
        {"evaluation": _made("Evaluate", "evaluation"), "service": _parameter("ServiceUri"),
         "media": _parameter("MediaUri")},
        "shadow", "shadow.json", after=("Register",),
    )  # fmt: skip
    findings_hold = _condition(
        "FindingsHold", "Shadow", "shadow", "accepted", [canary, promoted], [reject, stopped]
    )
    steps = [
        _job(
            "Prepare", "prepare", detector,
            {"queue": _parameter("QueueUri"), "held_out": _parameter("HeldOutUri"),
             "service": _parameter("ServiceUri")},
            "prepared",
        ),
        _job(
            "Train", "train", detector,
            {"queue": _parameter("QueueUri"), "service": _parameter("ServiceUri"),
             "prepared": _made("Prepare", "prepared")},
            "candidate", after=("Prepare",),
        ),
        _job(
            "Evaluate", "evaluate", detector,
            {"queue": _parameter("QueueUri"), "service": _parameter("ServiceUri"),
             "prepared": _made("Prepare", "prepared"), "candidate": _made("Train", "candidate")},
            "evaluation", "comparison.json", after=("Train",),
        ),
        _condition(
            "Accepted", "Evaluate", "evaluation", "accepted",
            [register, shadow, findings_hold], [fail["Refused"]],
        ),
    ]  # fmt: skip
    parameters = [
        {"Name": name, "Type": "String", "DefaultValue": value}
        for name, value in loop.parameters().items()
    ]
    return {"Version": VERSION, "Metadata": {}, "Parameters": parameters, "Steps": steps}


def put_pipeline(
    name: str, loop: Loop, transaction: Transaction, tags: Mapping[str, str] | None = None
) -> bool:
    """Creates the pipeline, or brings it up to date.

    Args:
        name: Of the pipeline.
        loop: What it is about.
        transaction: Where to call.
        tags: Of a new pipeline.

    Returns:
        Whether it was new.

    Raises:
        InvalidParameterError: The name is none, or AWS would refuse the request.
        DeployError: A call failed.
    """
    if not _NAME.fullmatch(name):
        raise InvalidParameterError(f"{name[:60]!r} is no name of a pipeline")
    text = json.dumps(definition(loop), separators=(",", ":"))
    if len(text.encode()) > _MOST_BYTES:
        raise InvalidParameterError("the definition is larger than a request takes")
    request: dict[str, Any] = {
        "PipelineName": name,
        "PipelineDefinition": text,
        "PipelineDescription": f"defectscope: {loop.detector} learns from labels",
        "RoleArn": loop.role_arn,
    }
    find = Call("sagemaker", "describe_pipeline", {"PipelineName": name})
    if not transaction.dry_run and transaction.account.find(find) is not None:
        transaction.run(Call("sagemaker", "update_pipeline", request), f"{name}: up to date")
        return False
    # The same request is the same pipeline: a repetition of the call makes no second.
    request |= {"ClientRequestToken": f"{name}-defectscope-loop".ljust(32, "-")[:128]}
    if tags:
        request["Tags"] = tag_list(tags)
    transaction.run(Call("sagemaker", "create_pipeline", request), f"{name}: made")
    return True


def _parameter(name: str) -> dict[str, str]:
    return {"Get": f"Parameters.{name}"}


def _made(step: str, folder: str) -> dict[str, Any]:
    """Returns where an execution's step puts a folder."""
    values = [_parameter("WorkUri"), {"Get": "Execution.PipelineExecutionId"}, step, folder]
    return {"Std:Join": {"On": "/", "Values": values}}


def _job(
    name: str,
    step: str,
    arguments: Sequence[Any],
    inputs: Mapping[str, Any],
    output: str | None = None,
    document: str | None = None,
    after: Sequence[str] = (),
) -> dict[str, Any]:
    """Returns a processing step: CreateProcessingJob's request with the pipeline's expressions."""
    request: dict[str, Any] = {
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": _parameter("InstanceType"),
                "VolumeSizeInGB": 100,
            }
        },
        "AppSpecification": {
            "ImageUri": _parameter("Image"),
            "ContainerEntrypoint": list(ENTRYPOINT),
            "ContainerArguments": [step, *arguments],
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": _LONGEST_S.get(name, 3600)},
        "RoleArn": _parameter("RoleArn"),
        "ProcessingInputs": [
            {
                "InputName": folder,
                "S3Input": {
                    "S3Uri": uri,
                    "LocalPath": f"{JOB_ROOT}/{folder}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                    "S3CompressionType": "None",
                },
            }
            for folder, uri in inputs.items()
        ],
    }
    if output:
        place = {
            "S3Uri": _made(name, output),
            "LocalPath": f"{JOB_ROOT}/{output}",
            "S3UploadMode": "EndOfJob",
        }
        request["ProcessingOutputConfig"] = {"Outputs": [{"OutputName": output, "S3Output": place}]}
    made: dict[str, Any] = {"Name": name, "Type": "Processing", "Arguments": request}
    if after:
        made["DependsOn"] = list(after)
    if document:
        made["PropertyFiles"] = [
            {"PropertyFileName": output, "OutputName": output, "FilePath": document}
        ]
    return made


def _condition(
    name: str,
    step: str,
    document: str,
    path: str,
    then: Sequence[Mapping[str, Any]],
    otherwise: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    file = {"Get": f"Steps.{step}.PropertyFiles.{document}"}
    left = {"Std:JsonGet": {"PropertyFile": file, "Path": path}}
    condition = {"Type": "Equals", "LeftValue": left, "RightValue": True}
    branches = {"Conditions": [condition], "IfSteps": list(then), "ElseSteps": list(otherwise)}
    return {"Name": name, "Type": "Condition", "Arguments": branches}
