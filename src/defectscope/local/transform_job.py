"""Running one batch transform job: its own TorchServe, its inputs, its outputs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

from defectscope.errors import ServingError
from defectscope.local.archives import ModelUnavailableError, model_spec
from defectscope.local.model_server import ModelServer
from defectscope.local.s3_objects import fetch, parse_uri, store
from defectscope.local.settings import arn
from defectscope.local.transform_inputs import BadInputError, InputObject, list_inputs
from defectscope.local.transform_records import (
    MEGABYTE,
    DataProcessing,
    unpacked,
)
from defectscope.local.transform_run import DEFAULT_PAYLOAD_MB, StoppedError, TransformRun
from defectscope.local.workplace import Workplace

_log = logging.getLogger(__name__)

_REASON_LIMIT = 1024


class LocalTransformJob:
    """A transform job from CreateTransformJob to its end.

    Args:
        workplace: Shared surroundings.
        region: The job's region.
        request: CreateTransformJob's members, checked before.
        processing: The job's filters, checked before.
    """

    def __init__(
        self,
        workplace: Workplace,
        region: str,
        request: Mapping[str, Any],
        processing: DataProcessing,
    ) -> None:
        self.name: str = request["TransformJobName"]
        self.region = region
        self.request = request
        self.status = "InProgress"
        self.failure_reason: str | None = None
        self.created = time.time()
        self.started: float | None = None
        self.ended: float | None = None
        self.modified = self.created
        self._workplace = workplace
        self._processing = processing
        self._stop = threading.Event()
        self._s3 = workplace.moto.client("s3", region)
        self._stored: list[str] = []
        self._lock = threading.Lock()

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return arn(self.region, "transform-job", self.name)

    def start(self) -> None:
        """Begins the job in a thread of its own."""
        threading.Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """Asks the job to stop; requests in flight are waited for."""
        with self._lock:
            if self.status == "InProgress":
                self.status = "Stopping"
                self.modified = time.time()
        self._stop.set()

    def summary(self) -> dict[str, Any]:
        """Returns the job as ListTransformJobs shows it."""
        summary: dict[str, Any] = {
            "TransformJobName": self.name,
            "TransformJobArn": self.arn,
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
            "TransformJobStatus": self.status,
        }
        if self.ended is not None:
            summary["TransformEndTime"] = self.ended
        if self.failure_reason:
            summary["FailureReason"] = self.failure_reason
        return summary

    def describe(self) -> dict[str, Any]:
        """Returns the job as DescribeTransformJob shows it."""
        hidden = ("Tags", "TransformJobName")
        described = {key: value for key, value in self.request.items() if key not in hidden}
        described.update(self.summary())
        del described["LastModifiedTime"]
        if self.started is not None:
            described["TransformStartTime"] = self.started
        return described

    def _run(self) -> None:
        status, reason = "Failed", None
        try:
            failures = self._transform()
            status = "Completed"
            if failures:
                status, reason = "Failed", _reason(failures)
        except StoppedError:
            status = "Stopped"
        except (ModelUnavailableError, BadInputError) as error:
            reason = f"ClientError: {error.message}"
        except ServingError as error:
            reason = f"AlgorithmError: {error.message}"
        except Exception:
            _log.exception("transform job %s broke", self.name)
            reason = "InternalServerError: We encountered an internal error. Please try again."
        if self._stop.is_set() and status != "Completed":
            # Source: API_StopTransformJob: the output of a stopped job is not stored.
            status, reason = "Stopped", None
            self._discard_outputs()
        with self._lock:
            self.failure_reason = reason[:_REASON_LIMIT] if reason else None
            self.ended = self.modified = time.time()
            self.status = status

    def _discard_outputs(self) -> None:
        for uri in self._stored:
            bucket, key = parse_uri(uri)
            try:
                self._s3.delete_object(Bucket=bucket, Key=key)
            except Exception as error:
                _log.warning("cannot remove %s: %s", uri, error)

    def _transform(self) -> dict[str, str]:
        """Transforms every input and gives the reasons of those that failed, by address."""
        inputs = list_inputs(self._s3, self.request["TransformInput"]["DataSource"]["S3DataSource"])
        spec = model_spec(self._workplace.moto, self.region, self.request["ModelName"])
        concurrency = int(self.request.get("MaxConcurrentTransforms") or 1)
        limit_mb = int(self.request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB))
        logs = self._workplace.folder / "logs"
        logs.mkdir(exist_ok=True)
        server = ModelServer(
            self._workplace,
            self.region,
            spec,
            log_path=logs / f"transform-{self.region}-{self.name}.log",
            environment={
                **(self.request.get("Environment") or {}),
                # Source: the environment of a batch transform container.
                "SAGEMAKER_BATCH": "true",
                "SAGEMAKER_MAX_PAYLOAD_IN_MB": str(limit_mb),
                "SAGEMAKER_BATCH_STRATEGY": self.request.get("BatchStrategy", "MultiRecord"),
                "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS": str(concurrency),
            },
            capacity=concurrency,
            max_body_bytes=(limit_mb or 1024) * MEGABYTE + MEGABYTE,
        )
        try:
            self.started = time.time()
            with ThreadPoolExecutor(concurrency) as requests:
                run = TransformRun(self, server, requests, concurrency)
                failures: dict[str, str] = {}
                # As many files are open as requests may be in flight: each may be one record.
                with ThreadPoolExecutor(min(concurrency, len(inputs))) as files:
                    futures = {item.uri: files.submit(run.transform, item) for item in inputs}
                    for uri, future in futures.items():
                        if (failure := future.result()) is not None:
                            failures[uri] = failure
            if self._stop.is_set():
                raise StoppedError("stopped")
            return failures
        finally:
            server.stop()

    def check(self) -> None:
        """Raises StoppedError once the job was asked to stop."""
        if self._stop.is_set():
            raise StoppedError("stopped")

    def sleep(self, seconds: float) -> None:
        """Waits, unless the job is asked to stop; then raises StoppedError."""
        self._stop.wait(seconds)
        self.check()

    def store(self, item: InputObject, content: IO[bytes]) -> None:
        """Writes one input's output."""
        output = self.request["TransformOutput"]
        uri = f"{output['S3OutputPath'].rstrip('/')}/{item.relative}.out"
        store(self._s3, uri, content, content_type=output.get("Accept"))
        self._stored.append(uri)

    def fetch(self, item: InputObject) -> tuple[IO[bytes], int]:
        """Downloads one input, unpacked where the job says that it is compressed."""
        file, size = fetch(self._s3, item.uri)
        if self.request["TransformInput"].get("CompressionType") == "Gzip":
            return unpacked(file)
        return file, size

    @property
    def processing(self) -> DataProcessing:
        """The job's filters."""
        return self._processing


def _reason(failures: Mapping[str, str]) -> str:
    named = "; ".join(f"{uri}: {reason}" for uri, reason in failures.items())
    return f"ClientError: {len(failures)} of the input objects failed. {named}"
