"""Passes an HTTP request on to another server and its answer back, in blocks."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator
from pathlib import Path

from defectscope.container.bodies import (
    STAND_IN,
    handing_over,
    kept_in,
    without_private,
    write_blocks,
)
from defectscope.container.connections import Connections, asked, whole
from defectscope.container.faults import FaultError
from defectscope.container.messages import HttpRequest, Reply

_BLOCK_BYTES = 65_536

# Source: RFC 9110, section 7.6.1: what concerns one connection is not passed on.
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "content-length",
    "expect",
}


def forward(
    connection: http.client.HTTPConnection,
    request: HttpRequest,
    *,
    server: str,
    body_limit: int | None = None,
    folder: Path | None = None,
    lender: Connections | None = None,
) -> Reply:
    """Returns another server's answer to a request, without looking inside.

    Args:
        connection: To the other server; closed when the answer has been sent, or given back. A new
            one where there is no folder: a body that was sent cannot be sent again.
        request: What to pass on; its header fields keep their spelling.
        server: What to call the other server when it cannot be reached.
        body_limit: Largest body that comes in chunks, bytes; None for any.
        folder: Where bodies are handed over to a worker as files; None to send them.
        lender: Whom the connection goes back to; None for nobody.

    Raises:
        FaultError: The other server cannot be reached, or the request's body is broken.
        BodyLimitExceededError: The chunks hold more than `body_limit`.
        BodyTooLargeError: The same of a body that is handed over.
        OverloadedError: There is no room on the disk for a body.
    """
    kept = contextlib.ExitStack()
    try:
        if folder is None:
            response = _send(connection, request, body_limit)
        else:
            path = kept.enter_context(
                kept_in(folder, lambda f: write_blocks(f, request.body.blocks(), body_limit))
            )
            response = asked(connection, lambda: _send_stand_in(connection, request, path))
    except (OSError, http.client.HTTPException) as error:
        kept.close()
        connection.close()
        raise FaultError(502, "ServiceUnavailable", f"{server} did not answer") from error
    except BaseException:
        kept.close()
        connection.close()
        raise

    def sent() -> None:
        kept.close()
        if lender is None:
            connection.close()
        else:
            lender.give_back(connection, response)

    length = response.getheader("Content-Length")
    return Reply(
        response.status,
        _blocks(response),
        [
            (name, value)
            for name, value in response.getheaders()
            if name.lower() not in _HOP_BY_HOP | {"date", "server"}
        ],
        length=int(length) if length is not None else None,
        on_sent=sent,
    )


def _send_stand_in(
    connection: http.client.HTTPConnection, request: HttpRequest, path: Path
) -> http.client.HTTPResponse:
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in handing_over(path, _passed_on(request)):
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(STAND_IN)))
    connection.endheaders(STAND_IN)
    return connection.getresponse()


def _passed_on(request: HttpRequest) -> list[tuple[str, str]]:
    named = without_private(request.headers.items())
    return [(name, value) for name, value in named if name.lower() not in _HOP_BY_HOP]


def _send(
    connection: http.client.HTTPConnection, request: HttpRequest, body_limit: int | None
) -> http.client.HTTPResponse:
    length = request.body.length
    # Not every server takes chunks; they are collected first, on disk where they are many.
    chunks = request.body.spool(body_limit) if length is None else None
    connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
    for name, value in _passed_on(request):
        connection.putheader(name, value)
    if chunks is not None:
        file, size = chunks
        with file:
            connection.putheader("Content-Length", str(size))
            connection.endheaders()
            while block := file.read(_BLOCK_BYTES):
                connection.send(block)
    else:
        if length or request.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(length))
        connection.endheaders()
        for block in request.body.blocks():
            # A server that refuses a body early answers before it has read it.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.send(block)
    return connection.getresponse()


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while block := response.read(_BLOCK_BYTES):
        yield block
    whole(response)
