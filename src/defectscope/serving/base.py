"""What TorchServe calls: takes a batch apart, answers each item, and lets no error out.

A handler gives its three steps, preprocess, inference and postprocess; this runs them for every
record of every item and turns each failure into that record's own answer. TorchServe itself would
fail the whole batch and lose the reason.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, Generic, Protocol, TypeVar

from defectscope.analysis import MeasuredAsset
from defectscope.detectors import load
from defectscope.errors import DefectscopeError, OverloadedError, ServingError
from defectscope.findings import Report
from defectscope.profiles import apply_profile, shipped_profile
from defectscope.serving.assets import OpenAsset
from defectscope.serving.codec import (
    JSON,
    JSON_LINES,
    AnalysisRequest,
    HttpAnswer,
    encode_error,
    encode_report,
    is_lines,
    read_line,
    read_request,
    split_lines,
    to_text,
)
from defectscope.serving.handover import TYPE_HEADER, handed_over, is_trial
from defectscope.serving.metrics import Metrics
from defectscope.serving.settings import ServingSettings

_LOG = logging.getLogger("defectscope.serving")
# SageMaker puts the caller's CustomAttributes into this header.
_OPTIONS_HEADER = "x-amzn-sagemaker-custom-attributes"
# How long an asset waits for another one of this worker to finish.
_PATIENCE_S = 60.0


class Context(Protocol):
    """What this needs of TorchServe's context."""

    @property
    def model_name(self) -> str:
        """Name of the archive."""
        ...

    def get_request_id(self, idx: int = 0) -> str | None:
        """TorchServe's identifier of an item's request."""
        ...

    def get_all_request_header(self, idx: int) -> Mapping[str, Any]:
        """Headers of an item's request, in the case they were sent."""
        ...

    def set_response_status(self, code: int = 200, phrase: str = "", idx: int = 0) -> None:
        """Sets the HTTP status of an item."""
        ...

    def set_response_content_type(self, idx: int, value: str) -> None:
        """Sets the Content-Type of an item."""
        ...


class Closes(Protocol):
    """What a request has opened."""

    def close(self) -> None:
        """Closes what is open."""
        ...


Opened = TypeVar("Opened", bound=Closes)
Result = TypeVar("Result")


class Handler(Generic[Opened, Result]):
    """Base of all handlers: three steps around what a request opens and what comes of it.

    Attributes:
        serves: Detectors, or the renderer, that this handler offers.
        settings: The operator's bounds and permissions, read by `initialize`.
    """

    serves: tuple[str, ...] = ()
    eager: bool = True

    def __init__(self) -> None:
        self.settings = ServingSettings()
        self._uncounted = Metrics(ServingSettings(metrics="off"), "")
        self._metrics = self._uncounted
        self._streams = threading.BoundedSemaphore(self.settings.streams_per_worker)

    def preprocess(self, request: AnalysisRequest) -> Opened:
        """Opens the media of a request and selects what is needed of it."""
        raise TypeError("a handler gives its own preprocess")

    def inference(self, asset: Opened, /) -> Result:
        """Does the work on what was opened."""
        raise TypeError("a handler gives its own inference")

    def postprocess(self, result: Result, request: AnalysisRequest, /) -> dict[str, Any]:
        """Returns the answer's JSON object."""
        raise TypeError("a handler gives its own postprocess")

    def prove(self, status: int, answer: Mapping[str, Any]) -> None:
        """Checks the answer to a trial request, of an archive that was just built.

        Raises:
            ServingError: It is not what the handler serves.
        """
        raise TypeError("a kind of handler says what its answers are")

    def finish(self, answer: dict[str, Any], request: AnalysisRequest, /) -> dict[str, Any]:
        """Returns the answer with what every handler of its kind adds."""
        return answer

    def load_models(self) -> None:
        """Loads what requests will need, when the worker starts."""

    def count(
        self, metrics: Metrics, answer: Mapping[str, Any], wall_s: float, request_id: str
    ) -> None:
        """Writes metrics of one answer."""

    def initialize(self, ctx: Context) -> None:
        """Reads the settings and, unless that is left to first use, loads the weights.

        Raises:
            SettingError: An environment variable makes no sense; the worker does not start.
            ArtifactError: Weights or kernel are not the released ones.
        """
        self.settings = ServingSettings.from_environment()
        self._metrics = Metrics(self.settings, ctx.model_name)
        self._streams = threading.BoundedSemaphore(self.settings.streams_per_worker)
        if self.eager:
            self.load_models()

    def handle(self, data: Sequence[Mapping[str, Any]], ctx: Context) -> list[str]:
        """Answers every item of a batch; TorchServe's entry point."""
        answers: list[str] = []
        for index, row in enumerate(data):
            request_id = ctx.get_request_id(index) or str(uuid.uuid4())
            headers = {
                str(name).lower(): value
                for name, value in ctx.get_all_request_header(index).items()
                if isinstance(value, str)
            }
            body = row.get("body", row.get("data"))
            response = self.respond(body, headers, request_id)
            with contextlib.suppress(ValueError):
                phrase = HTTPStatus(response.status).phrase
                ctx.set_response_status(code=response.status, phrase=phrase, idx=index)
            ctx.set_response_content_type(index, response.content_type)
            answers.append(response.body)
        return answers

    def respond(self, body: Any, headers: Mapping[str, str], request_id: str) -> HttpAnswer:
        """Answers one request; never raises.

        Args:
            body: As TorchServe gives it.
            headers: By lower-case name.
            request_id: Named in every error.
        """
        metrics = self._uncounted if is_trial(headers) else self._metrics
        try:
            file = handed_over(headers)
            kind = headers.get("content-type" if file is None else TYPE_HEADER.lower())
            given = body if file is None else file
            if is_lines(kind):
                lines = split_lines(given, self.settings)
                with ThreadPoolExecutor(self.settings.streams_per_worker) as pool:
                    answer = partial(self._answer_line, request_id=request_id, metrics=metrics)
                    # No newline after the last: SageMaker's AssembleWith=Line adds its own.
                    texts = [text for _, text in pool.map(answer, lines)]
                return HttpAnswer(200, JSON_LINES, "\n".join(texts))
            request = read_request(given, kind, headers.get(_OPTIONS_HEADER), self.settings)
        except Exception as error:
            status, failure = _failure(error, request_id, None, metrics)
            return HttpAnswer(status, JSON, to_text(failure))
        status, text = self._answer(request, request_id, metrics)
        return HttpAnswer(status, JSON, text)

    def _answer_line(self, line: bytes, request_id: str, metrics: Metrics) -> tuple[int, str]:
        try:
            request = read_line(line)
        except Exception as error:
            status, answer = _failure(error, request_id, _id_of(line), metrics)
            return status, to_text(answer)
        return self._answer(request, request_id, metrics)

    def _answer(
        self, request: AnalysisRequest, request_id: str, metrics: Metrics
    ) -> tuple[int, str]:
        began_s = time.perf_counter()
        try:
            if not self._streams.acquire(timeout=_PATIENCE_S):
                raise OverloadedError("this worker is busy; ask again later")
            try:
                with contextlib.closing(self.preprocess(request)) as asset:
                    result = self.inference(asset)
                answer = self.finish(self.postprocess(result, request), request)
                text = to_text(answer)
            finally:
                self._streams.release()
        except Exception as error:
            status, answer = _failure(error, request_id, request.id, metrics)
            return status, to_text(answer)
        wall_s = time.perf_counter() - began_s
        self.count(metrics, answer, wall_s, request_id)
        return 200, text


class DetectorHandler(Handler[OpenAsset, MeasuredAsset]):
    """Base of handlers whose answer is a report."""

    def prove(self, status: int, answer: Mapping[str, Any]) -> None:
        """Checks that the answer is the report of all detectors that the handler serves.

        Raises:
            ServingError: It is not.
        """
        if status != 200 or set(answer.get("verdicts", {})) != set(self.serves):
            raise ServingError(f"answered with {status}: {to_text(answer)[:400]}")

    def finish(self, answer: dict[str, Any], request: AnalysisRequest, /) -> dict[str, Any]:
        """Returns the report held against the profile that the request names."""
        if request.profile is None:
            return answer
        held = apply_profile(Report.from_dict(answer), shipped_profile(request.profile))
        return encode_report(held, request.id)

    def load_models(self) -> None:
        """Loads the detectors with their weights."""
        for name in self.serves:
            load(name)

    def count(
        self, metrics: Metrics, answer: Mapping[str, Any], wall_s: float, request_id: str
    ) -> None:
        """Counts the asset and its findings."""
        metrics.analyzed(answer, wall_s=wall_s, request_id=request_id)


def _failure(
    error: Exception, request_id: str, record_id: str | None, metrics: Metrics
) -> tuple[int, dict[str, Any]]:
    """Maps an error to its status and answer; what is not ours stays in the log."""
    if isinstance(error, MemoryError):
        known: DefectscopeError = OverloadedError("the worker ran out of memory")
    elif isinstance(error, DefectscopeError):
        known = error
    else:
        known = DefectscopeError("internal error")
    metrics.failed(known.code, request_id)
    answer = encode_error(known, request_id, record_id)
    if known.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        # Paths and hashes of this container are for its operator, not for the caller.
        _LOG.error("request %s failed", request_id, exc_info=error)
        answer["error"]["message"] = "internal error; the log has it under this request id"
    return known.http_status, answer


def _id_of(line: bytes) -> str | None:
    """The caller's name of a record that is otherwise broken, if it can be told."""
    with contextlib.suppress(ValueError, RecursionError):
        record = json.loads(line)
        if isinstance(record, dict) and isinstance(record.get("id"), str | int):
            return str(record["id"])[:256]
    return None
