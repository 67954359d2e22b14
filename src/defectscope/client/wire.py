"""The transport with repetition: what the rest of the client calls."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from defectscope.client.caller import Caller
from defectscope.client.retry import Deadline
from defectscope.client.transport import (
    Body,
    Invocation,
    QueuedInvocation,
    Reply,
    Ticket,
    Transport,
)

_CONTROL_TIMEOUT_S = 30.0
_FOREVER = Deadline(None)


class Wire:
    """A transport's calls, each repeated under one policy and one budget."""

    def __init__(self, transport: Transport, caller: Caller, *, upload_timeout_s: float) -> None:
        self._transport = transport
        self._caller = caller
        self._upload_timeout_s = upload_timeout_s

    def invoke(self, call: Invocation, *, deadline: Deadline, timeout_s: float) -> Reply:
        """Returns an endpoint's answer."""
        return self._caller.run(
            lambda left_s: self._transport.invoke(call, timeout_s=left_s),
            operation="invoke",
            target=call.endpoint_name,
            deadline=deadline,
            timeout_s=timeout_s,
            sent_bytes=len(call.body),
            size_of=lambda reply: len(reply.body),
            request_id_of=lambda reply: reply.request_id,
        )

    def invoke_async(self, call: QueuedInvocation, *, deadline: Deadline) -> Ticket:
        """Queues an asynchronous invocation."""
        return self._caller.run(
            lambda left_s: self._transport.invoke_async(call, timeout_s=left_s),
            operation="invoke_async",
            target=call.endpoint_name,
            deadline=deadline,
            timeout_s=_CONTROL_TIMEOUT_S,
            sent_bytes=None if call.body is None else len(call.body),
            request_id_of=lambda ticket: ticket.request_id,
        )

    def put(self, uri: str, body: Body, *, content_type: str, deadline: Deadline) -> None:
        """Writes an object."""
        stream: BinaryIO | None = None if isinstance(body, (bytes, os.PathLike)) else body
        start = stream.tell() if stream is not None else 0

        def attempt(left_s: float) -> None:
            if stream is not None:
                stream.seek(start)
            # boto3 closes a file object that it has uploaded; the caller's stays open.
            lent: Body = body if stream is None else _Lent(stream)  # type: ignore[assignment]
            self._transport.put(uri, lent, content_type=content_type, timeout_s=left_s)

        self._run(attempt, "put", uri, deadline, self._upload_timeout_s)

    def get(self, uri: str, *, deadline: Deadline = _FOREVER) -> bytes | None:
        """Returns an object's bytes, None when it is not there."""
        return self._run(
            lambda left_s: self._transport.get(uri, timeout_s=left_s), "get", uri, deadline
        )

    def list(self, prefix: str, *, deadline: Deadline = _FOREVER) -> list[tuple[str, int]]:
        """Returns the objects under a prefix."""

        def attempt(left_s: float) -> list[tuple[str, int]]:
            found: Iterator[tuple[str, int]] = self._transport.list(prefix, timeout_s=left_s)
            return list(found)

        return self._run(attempt, "list", prefix, deadline)

    def delete(self, uri: str) -> None:
        """Removes an object."""
        self._run(
            lambda left_s: self._transport.delete(uri, timeout_s=left_s), "delete", uri, _FOREVER
        )

    def sagemaker(
        self, operation: str, request: Mapping[str, Any], *, repeatable: bool = True
    ) -> dict[str, Any]:
        """Returns the answer of a control-plane call."""
        return self._caller.run(
            lambda left_s: self._transport.sagemaker(operation, request, timeout_s=left_s),
            operation=operation,
            target="sagemaker",
            deadline=_FOREVER,
            timeout_s=_CONTROL_TIMEOUT_S,
            repeatable=repeatable,
        )

    def close(self) -> None:
        """Lets go of connections."""
        self._transport.close()

    def _run(
        self,
        attempt: Callable[[float], Any],
        operation: str,
        target: str,
        deadline: Deadline,
        timeout_s: float = _CONTROL_TIMEOUT_S,
    ) -> Any:
        return self._caller.run(
            attempt, operation=operation, target=target, deadline=deadline, timeout_s=timeout_s
        )


class _Lent:
    """A file object that whoever borrows it cannot close."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Leaves the file open."""
        with contextlib.suppress(ValueError):
            self._stream.flush()
