"""Work that goes on after the call that started it: asynchronous invocations and transform jobs.

A job's `id` is text; `Client.job(id)` makes the same job again in another process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast
from urllib.parse import parse_qs, quote, urlencode

from defectscope.client.faults import container_error, record_error
from defectscope.client.records import read_report
from defectscope.client.retry import Deadline
from defectscope.client.transport import Ticket
from defectscope.errors import (
    DefectscopeError,
    EndpointTimeoutError,
    JobError,
    MalformedRequestError,
    UsageError,
)
from defectscope.findings import Report

if TYPE_CHECKING:
    from defectscope.client.wire import Wire

_FIRST_POLL_S = 0.5
_SLOWEST_POLL_S = 15.0


class JobState(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job's state, with the service's reason when it failed."""

    state: JobState
    reason: str | None = None

    @property
    def done(self) -> bool:
        """Whether nothing more will happen."""
        return self.state is not JobState.RUNNING


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one item of several: a report or an error, never both.

    Attributes:
        index: Place of the item in what was passed, from 0.
        item: The item itself, or its record's `id` or address in a transform job.
        report: The analysis.
        error: Why there is none.
    """

    index: int
    item: Any
    report: Report | None = None
    error: DefectscopeError | None = None


class Job(Protocol):
    """What both kinds of job can do."""

    @property
    def id(self) -> str:
        """Text from which `Client.job` makes this job again."""
        ...

    def poll(self) -> JobStatus:
        """Asks once how far the job is."""
        ...

    def wait(self, *, timeout_s: float | None = None) -> JobStatus:
        """Waits until the job is done.

        Raises:
            EndpointTimeoutError: It is not done after `timeout_s` seconds; it goes on.
        """
        ...

    def stop(self) -> None:
        """Stops the job where the service can."""
        ...


def _wait(
    poll: Callable[[], JobStatus], timeout_s: float | None, sleep: Callable[[float], None]
) -> JobStatus:
    deadline = Deadline.after(timeout_s)
    pause_s = _FIRST_POLL_S
    while True:
        status = poll()
        if status.done:
            return status
        try:
            sleep(deadline.left_s(pause_s))
        except EndpointTimeoutError:
            raise EndpointTimeoutError(f"the job is still running after {timeout_s} s") from None
        pause_s = min(_SLOWEST_POLL_S, pause_s * 1.5)


class AsyncJob:
    """One asynchronous invocation: its answer appears in S3."""

    def __init__(
        self, wire: Wire, ticket: Ticket, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._wire = wire
        self._sleep = sleep
        self.ticket = ticket
        self._answer: bytes | None = None
        self._failure: bytes | None = None

    @property
    def id(self) -> str:
        """Text from which `Client.job` makes this job again."""
        fields = {"output": self.ticket.output_uri, "inference": self.ticket.inference_id}
        if self.ticket.failure_uri:
            fields["failure"] = self.ticket.failure_uri
        return "async:" + urlencode(fields, quote_via=quote)

    def poll(self) -> JobStatus:
        """Asks S3 once for the answer, then for the failure."""
        if self._answer is None and self._failure is None:
            self._answer = self._wire.get(self.ticket.output_uri)
        if self._answer is not None:
            return JobStatus(JobState.SUCCEEDED)
        if self._failure is None and self.ticket.failure_uri:
            self._failure = self._wire.get(self.ticket.failure_uri)
        if self._failure is not None:
            return JobStatus(JobState.FAILED, self._failure_error().message)
        return JobStatus(JobState.RUNNING)

    def wait(self, *, timeout_s: float | None = None) -> JobStatus:
        """Waits until the answer or the failure is there."""
        return _wait(self.poll, timeout_s, self._sleep)

    def result(self, *, timeout_s: float | None = None) -> Report:
        """Waits and gives the report.

        Raises:
            EndpointTimeoutError: There is none after `timeout_s` seconds.
            MediaError: The media cannot be analyzed.
            JobError: The invocation failed otherwise.
        """
        self.wait(timeout_s=timeout_s)
        if self._answer is None:
            raise self._failure_error()
        return read_report(self._answer, request_id=self.ticket.inference_id)

    def stop(self) -> None:
        """Cannot be done: SageMaker has no call that cancels an asynchronous invocation.

        Raises:
            UsageError: Always.
        """
        raise UsageError("SageMaker cannot cancel an asynchronous invocation")

    def _failure_error(self) -> DefectscopeError:
        text = (self._failure or b"").decode(errors="replace")
        error = container_error(None, text, request_id=self.ticket.inference_id)
        if error.code != "model_error":
            return error
        failed = JobError(error.message, request_id=self.ticket.inference_id)
        failed.__cause__ = error
        return failed


class TransformJob:
    """One batch-transform job: a JSON-lines answer per input object."""

    _STATES: ClassVar = {
        "Completed": JobState.SUCCEEDED,
        "Failed": JobState.FAILED,
        "Stopped": JobState.STOPPED,
    }

    def __init__(
        self, wire: Wire, name: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._wire = wire
        self._sleep = sleep
        self.name = name

    @property
    def id(self) -> str:
        """Text from which `Client.job` makes this job again."""
        return f"transform:{self.name}"

    def describe(self) -> dict[str, Any]:
        """Returns what SageMaker says about the job."""
        return self._wire.sagemaker("describe_transform_job", {"TransformJobName": self.name})

    def poll(self) -> JobStatus:
        """Asks once how far the job is."""
        answer = self.describe()
        state = self._STATES.get(str(answer["TransformJobStatus"]), JobState.RUNNING)
        return JobStatus(state, answer.get("FailureReason"))

    def wait(self, *, timeout_s: float | None = None) -> JobStatus:
        """Waits until the job is completed, failed or stopped."""
        return _wait(self.poll, timeout_s, self._sleep)

    def stop(self) -> None:
        """Asks SageMaker to stop the job, which then stores none of its output.

        Source: Amazon SageMaker API reference, StopTransformJob.
        """
        if not self.poll().done:
            self._wire.sagemaker("stop_transform_job", {"TransformJobName": self.name})

    def results(self, *, timeout_s: float | None = None) -> Iterator[Outcome]:
        """Waits, then gives the outcome of every line of every output object.

        A failed job still has the outputs of the objects that succeeded; look at `poll` for its
        reason, and at what is missing for what to run again.
        """
        self.wait(timeout_s=timeout_s)
        prefix = str(self.describe()["TransformOutput"]["S3OutputPath"]).rstrip("/") + "/"
        index = 0
        for uri in sorted(uri for uri, _ in self._wire.list(prefix) if uri.endswith(".out")):
            for line in (self._wire.get(uri) or b"").splitlines():
                if line.strip():
                    yield outcome_of(index, line)
                    index += 1


def outcome_of(index: int, line: bytes) -> Outcome:
    """Returns the outcome that one line of a JSON-lines answer holds."""
    try:
        data = json.loads(line)
    except ValueError:
        return Outcome(index, None, error=JobError("a line of the output is not JSON"))
    if not isinstance(data, dict):
        return Outcome(index, None, error=JobError("a line of the output is no object"))
    body = cast("dict[str, Any]", data)
    item = body.get("id") or cast("dict[str, Any]", body.get("asset") or {}).get("uri")
    if "error" in body:
        return Outcome(index, item, error=record_error(body))
    try:
        return Outcome(index, item, report=Report.from_dict(body))
    except MalformedRequestError as error:
        return Outcome(index, item, error=JobError(error.message))


def job_from_id(wire: Wire, id: str, *, sleep: Callable[[float], None] = time.sleep) -> Job:
    """Returns the job with an id made earlier, in this process or another.

    Raises:
        UsageError: It is no such id.
    """
    kind, _, rest = id.partition(":")
    if kind == "transform" and rest:
        return TransformJob(wire, rest, sleep=sleep)
    fields = parse_qs(rest) if kind == "async" else {}
    if "output" not in fields:
        raise UsageError(f"not the id of a job: {id!r}")
    ticket = Ticket(
        fields.get("inference", [""])[0], fields["output"][0], fields.get("failure", [None])[0]
    )
    return AsyncJob(wire, ticket, sleep=sleep)
