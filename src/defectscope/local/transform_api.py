"""The transform-job operations of the control plane."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from defectscope.container.faults import FaultError
from defectscope.local.faults import validation
from defectscope.local.json_path import FilterError
from defectscope.local.listing import page_of
from defectscope.local.s3_objects import ObjectUnavailableError, parse_uri
from defectscope.local.settings import arn
from defectscope.local.transform_job import LocalTransformJob
from defectscope.local.transform_records import DataProcessing
from defectscope.local.workplace import Workplace

_STOP_TIMEOUT_S = 30.0


class TransformJobs:
    """Every transform job of this machine, by region and name."""

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], LocalTransformJob] = {}

    def operations(self) -> dict[str, Any]:
        """Returns the operations by the name that AWS gives them."""
        return {
            "CreateTransformJob": self.create,
            "DescribeTransformJob": self.describe,
            "ListTransformJobs": self.list,
            "StopTransformJob": self.stop_job,
        }

    def states(self) -> dict[str, str]:
        """Returns the status of every job, by `region/name`."""
        with self._lock:
            return {f"{region}/{name}": job.status for (region, name), job in self._jobs.items()}

    def create(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """CreateTransformJob: checks the request and begins the job."""
        job = LocalTransformJob(self._workplace, region, request, _checked(request))
        self._require_model(region, str(request["ModelName"]))
        with self._lock:
            if (region, job.name) in self._jobs:
                raise FaultError(
                    400,
                    "ResourceInUse",
                    f"Job name must be unique within an AWS account and region, and a job with "
                    f"this name already exists ({job.arn})",
                )
            self._jobs[region, job.name] = job
        # moto keeps a copy for the tags.
        try:
            self._workplace.moto.client("sagemaker", region).create_transform_job(**request)
        except Exception:
            with self._lock:
                del self._jobs[region, job.name]
            raise
        job.start()
        return {"TransformJobArn": job.arn}

    def _require_model(self, region: str, name: str) -> None:
        try:
            self._workplace.moto.client("sagemaker", region).describe_model(ModelName=name)
        except ClientError:
            raise validation(f'Could not find model "{arn(region, "model", name)}".') from None

    def _existing(self, region: str, request: Mapping[str, Any]) -> LocalTransformJob:
        name = str(request["TransformJobName"])
        with self._lock:
            job = self._jobs.get((region, name))
        if job is None:
            # Source: API_DescribeTransformJob, Errors, ResourceNotFound: HTTP 400.
            raise FaultError(
                400, "ResourceNotFound", f"Could not find requested job with name: {name}"
            )
        return job

    def describe(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeTransformJob."""
        return self._existing(region, request).describe()

    def list(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListTransformJobs, with filters, order and pages."""
        with self._lock:
            summaries = [job.summary() for job in self._jobs.values() if job.region == region]
        return page_of(summaries, request, prefix="TransformJob", result="TransformJobSummaries")

    def stop_job(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """StopTransformJob: Stopping until what is in flight has ended, then Stopped."""
        job = self._existing(region, request)
        if job.status not in ("InProgress", "Stopping"):
            raise validation(
                f"The request was rejected because the transform job is in status {job.status}."
            )
        job.stop()
        return {}

    def stop(self) -> None:
        """Asks every job to stop; their servers end with the process at the latest."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            job.stop()


def _checked(request: Mapping[str, Any]) -> DataProcessing:
    """Checks for what is not emulated, and gives the job's filters.

    Raises:
        FaultError: Something is asked for that is not emulated.
    """
    source, output = request["TransformInput"], request["TransformOutput"]
    data = source["DataSource"]["S3DataSource"]
    for uri in (data["S3Uri"], output["S3OutputPath"]):
        try:
            parse_uri(uri)
        except ObjectUnavailableError as error:
            raise validation(error.message) from None
    _one_of("S3DataType", data.get("S3DataType"), ("S3Prefix", "ManifestFile"))
    _one_of("SplitType", source.get("SplitType", "None"), ("None", "Line"))
    _one_of("CompressionType", source.get("CompressionType", "None"), ("None", "Gzip"))
    _one_of("AssembleWith", output.get("AssembleWith", "None"), ("None", "Line"))
    try:
        processing = DataProcessing(dict(request.get("DataProcessing") or {}))
    except FilterError as error:
        raise validation(f"DataProcessing: {error}") from None
    _check_content_type(source, processing)
    return processing


def _check_content_type(source: Mapping[str, Any], processing: DataProcessing) -> None:
    kind = str(source.get("ContentType") or "").split(";")[0].strip()
    if processing.active and kind not in ("application/json", "application/jsonlines"):
        raise validation(
            "DataProcessing needs ContentType application/json or application/jsonlines here; "
            "text/csv is not emulated"
        )


def _one_of(member: str, value: Any, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise validation(f"{member} must be one of {', '.join(allowed)} here, not {value!r}")
