"""The two AWS Lambda functions around definition.json: one starts an evaluation, one hands it back.

The state machine waits for a task token. `submit` keeps the token in S3 under the invocation's
name; SageMaker tells an SNS topic when the answer is there; `callback`, which that topic starts,
looks the token up and gives the answer's address to the state machine.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import boto3


def submit(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Queues the request and keeps the task token under a name derived from it."""
    name = hashlib.sha256(event["token"].encode()).hexdigest()[:32]
    bucket, prefix = _split(event["tokens"])
    boto3.client("s3").put_object(
        Bucket=bucket, Key=f"{prefix}{name}", Body=event["token"].encode()
    )
    answer = boto3.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=event["endpoint"],
        ContentType="application/json",
        InputLocation=event["input"],
        InferenceId=name,
        InvocationTimeoutSeconds=3600,
    )
    return {"report": answer["OutputLocation"]}


def callback(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Hands each notified answer to the execution that waits for it.

    DEFECTSCOPE_TOKENS is the s3:// prefix that `submit` was given.
    """
    s3, states = boto3.client("s3"), boto3.client("stepfunctions")
    bucket, prefix = _split(os.environ["DEFECTSCOPE_TOKENS"])
    handed: list[str] = []
    for entry in event["Records"]:
        told = json.loads(entry["Sns"]["Message"])
        name = told["inferenceId"]
        key = f"{prefix}{name}"
        token = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
        if told["invocationStatus"] == "Completed":
            output = {"report": told["responseParameters"]["outputLocation"]}
            states.send_task_success(taskToken=token, output=json.dumps(output))
        else:
            states.send_task_failure(
                taskToken=token,
                error="NotAnalyzed",
                cause=str(told.get("failureReason", "no reason given"))[:32_768],
            )
        s3.delete_object(Bucket=bucket, Key=key)
        handed.append(name)
    return {"handed": handed}


def _split(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix
