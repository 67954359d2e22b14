"""A transport without a network, for the tests of code that uses the client."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from defectscope.client.transport import (
    Body,
    Invocation,
    QueuedInvocation,
    Reply,
    Ticket,
    Transport,
)
from defectscope.errors import DefectscopeError
from defectscope.findings import Report

Answer = Report | bytes | DefectscopeError


@dataclass(frozen=True, slots=True)
class FakeCall:
    """A call that reached the fake: what was asked, with the body where there was one."""

    operation: str
    target: str
    body: bytes = b""
    content_type: str = ""
    request: Mapping[str, Any] = field(default_factory=dict[str, Any])


class FakeTransport(Transport):
    """Answers calls from a script and remembers them; S3 is a dictionary.

    Args:
        answers: What `invoke` (and each asynchronous invocation) answers: a report, raw bytes or
            an error to raise, in order, the last one for ever; or a function of the call.
        sagemaker: What control-plane calls answer: a function of operation and request.

    Attributes:
        calls: Every call so far, in order.
        objects: The objects of the pretended S3, by address; fill it to have inputs.
    """

    def __init__(
        self,
        answers: Sequence[Answer] | Callable[[FakeCall], Answer] = (),
        *,
        sagemaker: Callable[[str, Mapping[str, Any]], dict[str, Any]] | None = None,
    ) -> None:
        self.calls: list[FakeCall] = []
        self.objects: dict[str, bytes] = {}
        self._answers = answers
        self._sagemaker = sagemaker
        self._given = 0
        self._lock = threading.Lock()

    def invoke(self, call: Invocation, *, timeout_s: float) -> Reply:
        """Returns the script's next answer."""
        request = {"CustomAttributes": call.custom_attributes}
        made = FakeCall("invoke", call.endpoint_name, call.body, call.content_type, request)
        answer, number = self._next(made)
        if isinstance(answer, DefectscopeError):
            raise answer
        return Reply(_bytes_of(answer), f"fake-{number}")

    def invoke_async(self, call: QueuedInvocation, *, timeout_s: float) -> Ticket:
        """Writes the script's next answer to where the real service would, at once."""
        body = call.body if call.body is not None else self.objects.get(call.input_uri or "", b"")
        request = {
            "InputLocation": call.input_uri,
            "InvocationTimeoutSeconds": call.invocation_timeout_s,
        }
        made = FakeCall("invoke_async", call.endpoint_name, body, call.content_type, request)
        answer, number = self._next(made)
        ticket = Ticket(
            call.inference_id or f"fake-{number}",
            f"s3://fake-output/{number}.out",
            f"s3://fake-failure/{number}.out",
            f"fake-{number}",
        )
        if isinstance(answer, DefectscopeError):
            failure = json.dumps({"error": answer.as_dict()}).encode()
            self.objects[f"s3://fake-failure/{number}.out"] = failure
        else:
            self.objects[ticket.output_uri] = _bytes_of(answer)
        return ticket

    def put(self, uri: str, body: Body, *, content_type: str, timeout_s: float) -> None:
        """Stores an object."""
        data = _read(body)
        with self._lock:
            self.calls.append(FakeCall("put", uri, data, content_type))
            self.objects[uri] = data

    def get(self, uri: str, *, timeout_s: float) -> bytes | None:
        """Returns a stored object."""
        with self._lock:
            self.calls.append(FakeCall("get", uri))
            return self.objects.get(uri)

    def list(self, prefix: str, *, timeout_s: float) -> Iterator[tuple[str, int]]:
        """Returns the stored objects under a prefix, by name."""
        with self._lock:
            self.calls.append(FakeCall("list", prefix))
            found = sorted((k, len(v)) for k, v in self.objects.items() if k.startswith(prefix))
        yield from found

    def delete(self, uri: str, *, timeout_s: float) -> None:
        """Forgets an object."""
        with self._lock:
            self.calls.append(FakeCall("delete", uri))
            self.objects.pop(uri, None)

    def sagemaker(
        self, operation: str, request: Mapping[str, Any], *, timeout_s: float
    ) -> dict[str, Any]:
        """Returns what the function passed as `sagemaker` answers, or an empty answer."""
        with self._lock:
            self.calls.append(FakeCall(operation, "sagemaker", request=dict(request)))
        return {} if self._sagemaker is None else self._sagemaker(operation, request)

    def close(self) -> None:
        """Has nothing to close."""

    def _next(self, call: FakeCall) -> tuple[Answer, int]:
        with self._lock:
            self.calls.append(call)
            self._given += 1
            number = self._given
        if callable(self._answers):
            return self._answers(call), number
        if not self._answers:
            raise AssertionError("FakeTransport was given no answers")
        return self._answers[min(number, len(self._answers)) - 1], number


def _bytes_of(answer: Report | bytes) -> bytes:
    return answer if isinstance(answer, bytes) else answer.to_json().encode()


def _read(body: Body) -> bytes:
    if isinstance(body, bytes):
        return body
    return body.read_bytes() if isinstance(body, Path) else body.read()
