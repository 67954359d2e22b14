"""One body to a model's server, and its answer."""

from __future__ import annotations

import contextlib
import http.client
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, cast

from defectscope.container.connections import asked, whole
from defectscope.errors import LocalError

_BLOCK_BYTES = 65_536
_IN_MEMORY_BYTES = 1024 * 1024


class AnswerTooLargeError(LocalError):
    """The model's answer exceeds what may be passed on."""


@dataclass(frozen=True)
class ModelAnswer:
    """What a model answered. The caller closes `body`.

    Attributes:
        status: HTTP status.
        headers: Header fields by lower-case name.
        body: The answer's bytes, at their start.
        size: How many there are.
    """

    status: int
    headers: Mapping[str, str]
    body: IO[bytes]
    size: int

    def read(self) -> bytes:
        """Returns the whole body and closes it."""
        with self.body:
            return self.body.read()


def exchange(
    connection: http.client.HTTPConnection,
    body: IO[bytes] | bytes,
    size: int,
    headers: Sequence[tuple[str, str]],
    deadline: float,
    answer_limit: int | None,
) -> tuple[ModelAnswer, http.client.HTTPResponse]:
    """Posts a body to /invocations and reads the answer to its end.

    Args:
        connection: To the server; the caller closes it.
        body: What to send, from where it is; a file that can seek.
        size: Its size in bytes.
        headers: Header fields, passed on as spelled.
        deadline: When the exchange must be over, on the clock of `time.monotonic`.
        answer_limit: Largest answer in bytes; None for any.

    Raises:
        AnswerTooLargeError: The answer exceeds `answer_limit`.
        TimeoutError: It was not over in time.
        OSError: The connection broke.
        http.client.HTTPException: The answer is malformed, or ended early.
    """
    start = 0 if isinstance(body, bytes) else body.tell()

    def ask() -> http.client.HTTPResponse:
        if not isinstance(body, bytes):
            body.seek(start)
        return _ask(connection, body, size, headers, deadline)

    response = asked(connection, ask)
    file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - returned
    received = 0
    try:
        while block := response.read(_BLOCK_BYTES):
            received += len(block)
            if answer_limit is not None and received > answer_limit:
                raise AnswerTooLargeError(f"the model's answer exceeds {answer_limit} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError
            file.write(block)
        whole(response)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    found = {name.lower(): value for name, value in response.getheaders()}
    return ModelAnswer(response.status, found, cast(IO[bytes], file), received), response


def _ask(
    connection: http.client.HTTPConnection,
    body: IO[bytes] | bytes,
    size: int,
    headers: Sequence[tuple[str, str]],
    deadline: float,
) -> http.client.HTTPResponse:
    connection.putrequest("POST", "/invocations", skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value.encode())
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    # TorchServe answers 413 to a body above its limit before it has read it: the broken pipe of the
    # rest must not hide that answer.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if isinstance(body, bytes):
            connection.send(body)
        else:
            while block := body.read(_BLOCK_BYTES):
                connection.send(block)
    connection.sock.settimeout(max(0.01, deadline - time.monotonic()))
    return connection.getresponse()
