"""Requests and replies between the HTTP server and what answers them."""

from __future__ import annotations

import io
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from email.message import Message
from typing import IO, BinaryIO, cast
from urllib.parse import parse_qs

from defectscope.container.faults import FaultError
from defectscope.errors import ServingError

# A megabyte in four blocks takes half a millisecond less than in sixteen.
_BLOCK_BYTES = 262_144
# Bodies above this size go to disk, so that memory is bounded by the number of connections.
_IN_MEMORY_BYTES = 1024 * 1024

_SCOPE = re.compile(r"Credential=[^/,\s]+/\d{8}/([\w-]+)/([\w.-]+)/aws4_request")
_QUERY_SCOPE = re.compile(r"[^/]+/\d{8}/([\w-]+)/([\w.-]+)/aws4_request")


class BodyLimitExceededError(ServingError):
    """The body exceeds the limit that its reader gave."""


class BodyReader:
    """A request body that is read at most once, in blocks, whatever its transfer coding.

    Args:
        stream: The connection.
        length: Content-Length; None without one.
        chunked: Whether the body comes in HTTP/1.1 chunks.
    """

    def __init__(self, stream: BinaryIO, length: int | None, *, chunked: bool) -> None:
        self._stream = stream
        self.length = None if chunked else (length or 0)
        self.finished = not chunked and not length
        # One generator for all readers: what reads on after a refusal goes on where that stopped.
        self._blocks = self._read_blocks()

    def blocks(self) -> Iterator[bytes]:
        """Yields what is left of the body, in blocks.

        Raises:
            FaultError: The connection ended early or the chunks are malformed.
        """
        return self._blocks

    def _read_blocks(self) -> Iterator[bytes]:
        if self.length is None:
            yield from self._chunks()
        else:
            yield from self._exactly(self.length)
        self.finished = True

    def _exactly(self, count: int) -> Iterator[bytes]:
        while count:
            block = self._stream.read(min(count, _BLOCK_BYTES))
            if not block:
                raise FaultError(400, "IncompleteBody", "the connection ended within the body")
            count -= len(block)
            yield block

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = self._stream.readline(256)
            size_text = line.split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,12}", size_text):
                raise FaultError(400, "MalformedChunk", "the body's chunks are malformed")
            size = int(size_text, 16)
            if size == 0:
                while self._stream.readline(4096) not in (b"\r\n", b"\n", b""):
                    pass
                return
            yield from self._exactly(size)
            if self._stream.readline(8) not in (b"\r\n", b"\n"):
                raise FaultError(400, "MalformedChunk", "the body's chunks are malformed")

    def spool(self, limit: int | None) -> tuple[IO[bytes], int]:
        """Reads the whole body into a file that lies in memory while it is small.

        Args:
            limit: Largest size in bytes; None for any.

        Returns:
            The file, at its start, and its size.

        Raises:
            BodyLimitExceededError: The body exceeds `limit`; no more than `limit` was kept.
            FaultError: The body is incomplete or malformed.
        """
        if limit is not None and self.length is not None and self.length > limit:
            raise BodyLimitExceededError(f"the body has {self.length} bytes, not {limit}")
        file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - returned
        size = 0
        try:
            for block in self.blocks():
                size += len(block)
                if limit is not None and size > limit:
                    raise BodyLimitExceededError(f"the body has more than {limit} bytes")
                file.write(block)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return cast(IO[bytes], file), size

    def read(self, limit: int) -> bytes:
        """Reads the whole body into memory; see `spool`."""
        file, _ = self.spool(limit)
        with file:
            return file.read()

    def drain(self, limit: int, within_s: float) -> bool:
        """Reads and forgets what is left, so that a client still sending gets to read the answer.

        Returns:
            Whether the end of the body was reached.
        """
        deadline = time.monotonic() + within_s
        try:
            for block in self.blocks():
                limit -= len(block)
                if limit < 0 or time.monotonic() > deadline:
                    return False
        except (FaultError, OSError):
            return False
        return True


@dataclass(frozen=True)
class HttpRequest:
    """One HTTP request.

    Attributes:
        method: GET, POST, ...
        target: Path and query as sent.
        headers: Header fields, looked up without regard to case.
        body: The body, not read yet.
        request_id: What the answer carries as x-amzn-RequestId.
    """

    method: str
    target: str
    headers: Message
    body: BodyReader
    request_id: str

    @property
    def path(self) -> str:
        """The path without its query."""
        return self.target.split("?", 1)[0]

    def header(self, name: str) -> str | None:
        """Returns one header field's value, read as UTF-8 where it is; AWS's SDKs send that."""
        value = self.headers.get(name)
        try:
            # http.server reads header fields as ISO 8859-1, byte by byte.
            return value if value is None else value.encode("latin-1").decode()
        except UnicodeError:
            return value

    def with_body(self, body: bytes) -> HttpRequest:
        """Returns the same request with a body that has been read already."""
        return replace(self, body=BodyReader(io.BytesIO(body), len(body), chunked=False))

    def scope(self) -> tuple[str | None, str | None]:
        """Returns region and service that the request is signed for; signatures are not checked."""
        found = _SCOPE.search(self.header("Authorization") or "")
        if found is None and "X-Amz-Credential" in self.target:
            query = parse_qs(self.target.partition("?")[2])
            found = _QUERY_SCOPE.fullmatch(query.get("X-Amz-Credential", [""])[0])
        return (found[1], found[2].lower()) if found else (None, None)


@dataclass(frozen=True)
class Reply:
    """One HTTP answer.

    Attributes:
        status: HTTP status.
        body: The bytes, or an iterator of blocks.
        headers: Header fields, without lengths and connection handling.
        length: Size of an iterator's bytes where known.
        on_sent: Called when the answer has been sent or given up.
    """

    status: int
    body: bytes | Iterator[bytes] = b""
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    length: int | None = None
    on_sent: Callable[[], None] | None = None


Answer = Callable[[HttpRequest], Reply]


def json_headers(extra: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Returns the header fields of a control-plane answer."""
    return [("Content-Type", "application/x-amz-json-1.1"), *(extra or {}).items()]
