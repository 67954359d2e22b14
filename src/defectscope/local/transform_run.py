"""The work on a transform job's inputs: records out, answers in, in order."""

from __future__ import annotations

import collections
import logging
import tempfile
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Protocol

from defectscope.errors import LocalError
from defectscope.local.model_server import ModelServer, ModelTimeoutError, ModelUnreachableError
from defectscope.local.s3_objects import ObjectUnavailableError
from defectscope.local.transform_inputs import InputObject
from defectscope.local.transform_records import (
    MEGABYTE,
    BadRecordError,
    DataProcessing,
    Payload,
    payloads,
)

_log = logging.getLogger(__name__)

# Source: API_CreateTransformJob, API_ModelClientConfig: defaults.
DEFAULT_PAYLOAD_MB = 6
DEFAULT_TIMEOUT_S = 600
DEFAULT_RETRIES = 3
# A worker that died is back after 2 to 3 s.
_RETRY_DELAY_S = 1.0


class StoppedError(LocalError):
    """The job was asked to stop."""


class RecordFailedError(LocalError):
    """The model refused a record, or did not answer after all retries."""


class RecordJob(Protocol):
    """What the work needs of its job."""

    name: str
    request: Mapping[str, Any]

    @property
    def processing(self) -> DataProcessing:
        """The job's filters."""
        ...

    def check(self) -> None:
        """Raises StoppedError once the job was asked to stop."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits, unless the job is asked to stop; then raises StoppedError."""
        ...

    def fetch(self, item: InputObject) -> tuple[IO[bytes], int]:
        """Downloads one input and gives its size with it."""
        ...

    def store(self, item: InputObject, content: IO[bytes]) -> None:
        """Writes one input's output."""
        ...


class TransformRun:
    """The work on a job's inputs: what the threads of one job share."""

    def __init__(
        self, job: RecordJob, server: ModelServer, requests: ThreadPoolExecutor, concurrency: int
    ) -> None:
        self._job = job
        self._server = server
        self._requests = requests
        self._concurrency = concurrency
        self._active = 0
        self._lock = threading.Lock()
        request = job.request
        client = request.get("ModelClientConfig") or {}
        self._timeout_s = int(client.get("InvocationsTimeoutInSeconds") or DEFAULT_TIMEOUT_S)
        self._tries = 1 + int(client.get("InvocationsMaxRetries", DEFAULT_RETRIES))
        limit_mb = int(request.get("MaxPayloadInMB", DEFAULT_PAYLOAD_MB))
        self._limit = limit_mb * MEGABYTE if limit_mb else None
        self._by_line = request["TransformInput"].get("SplitType", "None") == "Line"
        self._multi_record = request.get("BatchStrategy", "MultiRecord") == "MultiRecord"
        self._line_ends = request["TransformOutput"].get("AssembleWith", "None") == "Line"
        self._headers = {
            "Content-Type": request["TransformInput"].get("ContentType")
            or "application/octet-stream",
        }
        if accept := request["TransformOutput"].get("Accept"):
            self._headers["Accept"] = accept

    def transform(self, item: InputObject) -> str | None:
        """Transforms one input; returns the reason where that failed.

        Raises:
            StoppedError: The job was asked to stop.
        """
        with self._lock:
            self._active += 1
        try:
            self._job.check()
            source, size = self._job.fetch(item)
            with source, tempfile.TemporaryFile() as output:
                self._answer_all(source, size, output)
                output.seek(0)
                self._job.check()
                self._job.store(item, output)
        except StoppedError:
            return None
        except (BadRecordError, RecordFailedError, ObjectUnavailableError) as error:
            return error.message
        finally:
            with self._lock:
                self._active -= 1
        return None

    def _answer_all(self, source: IO[bytes], size: int, output: IO[bytes]) -> None:
        """Sends a file's payloads and writes the answers in the order of the records."""
        waiting: collections.deque[Future[bytes]] = collections.deque()
        cut = payloads(
            source,
            size,
            split_by_line=self._by_line,
            multi_record=self._multi_record,
            limit=self._limit,
        )
        try:
            for payload in cut:
                while len(waiting) >= self._window():
                    output.write(waiting.popleft().result())
                waiting.append(self._requests.submit(self._answer, payload))
            while waiting:
                output.write(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()

    def _window(self) -> int:
        """Payloads that one file may hold in memory: all files together two per request."""
        return max(1, 2 * self._concurrency // max(1, self._active))

    def _answer(self, payload: Payload) -> bytes:
        sent = self._job.processing.before(payload)
        answer = self._invoke(sent.body)
        results = self._job.processing.after(payload, answer, by_line=self._by_line)
        if not self._line_ends:
            return b"".join(results)
        return b"".join(result if result.endswith(b"\n") else result + b"\n" for result in results)

    def _invoke(self, body: bytes) -> bytes:
        """Asks the model, again where a worker died, was too slow or answered 5xx."""
        failure = "not tried"
        for attempt in range(self._tries):
            if attempt:
                _log.warning("transform job %s: asking again: %s", self._job.name, failure[:200])
                self._job.sleep(_RETRY_DELAY_S * 2 ** (attempt - 1))
            self._job.check()
            try:
                with self._server.slot():
                    answer = self._server.invoke(
                        body, len(body), self._headers, timeout_s=self._timeout_s
                    )
            except (ModelTimeoutError, ModelUnreachableError) as error:
                failure = error.message
                continue
            content = answer.read()
            if 200 <= answer.status < 300:
                return content
            failure = f"the model answered {answer.status}: {content.decode(errors='replace')}"
            if answer.status < 500:
                break
        raise RecordFailedError(failure[:500])
