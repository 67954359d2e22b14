"""Batch-transform jobs started once and watched."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from defectscope.client.transform import transform_request
from defectscope.deploy.calls import Account, Call, Resource, Transaction
from defectscope.errors import DeployError, InvalidParameterError

_DONE = frozenset({"Completed", "Failed", "Stopped"})


def job_resource(**options: Any) -> Resource:
    """Returns a job by the options of `transform_request`; a job of that name runs only once.

    Raises:
        InvalidParameterError: Concurrency and payload together are over SageMaker's limit.
    """
    try:
        request = transform_request(**options)
    except ValueError as error:
        raise InvalidParameterError(str(error)) from None
    identity = {"TransformJobName": request["TransformJobName"]}
    return Resource(
        f"transform job {request['TransformJobName']}",
        Call("sagemaker", "create_transform_job", request),
        Call("sagemaker", "describe_transform_job", identity),
        Call("sagemaker", "stop_transform_job", identity),
    )


def submit(transaction: Transaction, **options: Any) -> str:
    """Starts a job unless one of that name exists; returns the name."""
    resource = job_resource(**options)
    transaction.ensure(resource)
    return str(resource.make.request["TransformJobName"])


def stop(job_name: str, transaction: Transaction) -> None:
    """Asks a running job to stop; SageMaker then stores none of its output.

    Source: Amazon SageMaker API reference, StopTransformJob.
    """
    transaction.run(
        Call("sagemaker", "stop_transform_job", {"TransformJobName": job_name}),
        f"transform job {job_name}: stopping",
    )


def watch(
    account: Account,
    job_name: str,
    *,
    timeout_s: float,
    show: Callable[[str, float], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Waits until a job is done and gives its last description.

    Raises:
        DeployError: There is no such job, or it is not done in time.
    """
    began = time.monotonic()
    call = Call("sagemaker", "describe_transform_job", {"TransformJobName": job_name})
    pause_s = 0.5
    while True:
        there = account.find(call)
        if there is None:
            raise DeployError(f"there is no transform job {job_name}")
        waited_s = time.monotonic() - began
        if show is not None:
            show(str(there["TransformJobStatus"]), waited_s)
        if there["TransformJobStatus"] in _DONE:
            return there
        if waited_s > timeout_s:
            raise DeployError(f"transform job {job_name} is not done after {timeout_s:g} s")
        sleep(pause_s)
        pause_s = min(15.0, pause_s * 1.5)
