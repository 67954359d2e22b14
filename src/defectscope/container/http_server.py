"""The HTTP server in front of everything: bounded connections, typed errors, no surprises."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from defectscope.container.faults import FaultError
from defectscope.container.messages import Answer, BodyReader, HttpRequest, Reply

_log = logging.getLogger(__name__)

# What a client may still send after its request was refused, before the connection is cut.
_DRAIN_BYTES = 256 * 1024 * 1024
_DRAIN_S = 10.0

_BUSY_FAULT = FaultError(503, "ServiceUnavailable", "too many connections, try again later")
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nx-amzn-ErrorType: ServiceUnavailable\r\n"
    b"Content-Type: application/json\r\nConnection: close\r\n\r\n"
) + _BUSY_FAULT.body()


class HttpServer(ThreadingHTTPServer):
    """Serves `answer` on a loopback port, one thread per connection, up to a limit.

    Args:
        host: Interface to listen on.
        port: Port; 0 takes a free one.
        answer: Returns the reply to a request; may raise FaultError.
        max_connections: Open connections; one more is answered 503 and closed.
        idle_timeout_s: A connection that sends nothing for so long is closed.
    """

    daemon_threads = True
    request_queue_size = 128
    block_on_close = False

    def __init__(
        self, host: str, port: int, answer: Answer, *, max_connections: int, idle_timeout_s: float
    ) -> None:
        self.answer = answer
        self.idle_timeout_s = idle_timeout_s
        self._slots = threading.BoundedSemaphore(max_connections)
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """The address to reach the server at."""
        host, port = cast("tuple[str, int]", self.server_address[:2])
        return f"http://{host}:{port}"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for the connection, or refuses it."""
        if not self._slots.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.settimeout(1.0)
                request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._slots.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serves one connection to its end."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keeps a broken connection out of the log unless the fault is ours."""
        _log.debug("connection from %s broke", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "defectscope"
    sys_version = ""
    # Answers are written in pieces; without this each would wait for the peer's delayed ACK.
    disable_nagle_algorithm = True
    # A head and the first block leave together: whoever waits for them wakes up once.
    wbufsize = 65_536
    server: HttpServer  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        super().setup()
        self.connection.settimeout(self.server.idle_timeout_s)

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug(format, *args)

    def __getattr__(self, name: str) -> Any:
        # BaseHTTPRequestHandler looks up do_GET, do_POST, ...: one method answers them all.
        if name.startswith("do_") and name[3:].isalpha():
            return self._respond
        raise AttributeError(name)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answers requests so broken that they have no path yet, as JSON instead of HTML."""
        fault = FaultError(
            code, "MalformedHttpRequestException", message or "malformed HTTP request"
        )
        self.close_connection = True
        # A request line that cannot be read counts as HTTP/0.9, whose answers have no status line.
        self.request_version = "HTTP/1.1"
        with contextlib.suppress(OSError):
            self._send(Reply(code, fault.body(), fault.headers()), "0", head=False)

    def _body(self) -> BodyReader:
        coding = (self.headers.get("Transfer-Encoding") or "").strip().lower()
        if coding not in ("", "identity", "chunked"):
            raise FaultError(501, "NotImplemented", "transfer coding is not supported")
        lengths = set(self.headers.get_all("Content-Length") or [])
        text = next(iter(lengths), "0").strip()
        if len(lengths) > 1 or not (text.isascii() and text.isdigit()) or len(text) > 15:
            raise FaultError(400, "MalformedHttpRequestException", "Content-Length is malformed")
        if coding == "chunked" and lengths:
            raise FaultError(
                400, "MalformedHttpRequestException", "both a length and chunks are given"
            )
        return BodyReader(self.rfile, int(text), chunked=coding == "chunked")  # pyright: ignore[reportArgumentType]

    def _respond(self) -> None:
        request_id = str(uuid.uuid4())
        body: BodyReader | None = None
        try:
            body = self._body()
            request = HttpRequest(self.command, self.path, self.headers, body, request_id)
            reply = self.server.answer(request)
        except FaultError as fault:
            reply = Reply(fault.status, fault.body(), fault.headers())
        except TimeoutError:
            self.close_connection = True
            return
        except Exception:
            _log.exception("request %s %s failed", self.command, self.path.split("?")[0])
            fault = FaultError(500, "InternalFailure", "an internal error, see the log of `local`")
            reply = Reply(500, fault.body(), fault.headers())
        unread = body is None or not body.finished
        if unread:
            self.close_connection = True
        try:
            self._send(reply, request_id, head=self.command == "HEAD")
            self.wfile.flush()
            if unread and body is not None:
                self._hang_up(body)
        finally:
            if reply.on_sent:
                reply.on_sent()

    def handle_expect_100(self) -> bool:
        """Tells a client that waits with its body to send it, at once."""
        answered = super().handle_expect_100()
        self.wfile.flush()
        return answered

    def _hang_up(self, body: BodyReader) -> None:
        """Reads on for a while: closing at once would reset the client before it saw the answer."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(2.0)
        deadline = time.monotonic() + _DRAIN_S
        body.drain(_DRAIN_BYTES, deadline - time.monotonic())

    def _send(self, reply: Reply, request_id: str, *, head: bool) -> None:
        self.send_response(reply.status)
        length = len(reply.body) if isinstance(reply.body, bytes) else reply.length
        bodiless = reply.status in (204, 304) or reply.status < 200
        names = {name.lower() for name, _ in reply.headers}
        for name, value in reply.headers:
            self.send_header(name, value.replace("\r", " ").replace("\n", " "))
        if "x-amzn-requestid" not in names:
            self.send_header("x-amzn-RequestId", request_id)
        chunked = False
        if not bodiless:
            if length is not None:
                self.send_header("Content-Length", str(length))
            else:
                chunked = True
                self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if head or bodiless:
            return
        if isinstance(reply.body, bytes):
            self.wfile.write(reply.body)
        else:
            self._send_blocks(reply.body, chunked=chunked)

    def _send_blocks(self, blocks: Iterator[bytes], *, chunked: bool) -> None:
        try:
            for block in blocks:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(block), block) if chunked else block)
                self.wfile.flush()
            if chunked:
                self.wfile.write(b"0\r\n\r\n")
        except BaseException:
            # The rest cannot be sent any more, and the client must notice.
            self.close_connection = True
            raise
