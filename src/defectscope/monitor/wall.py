"""The wall: how all channels are, in a browser, and the same for machines.

    /                   the page, which follows by itself
    /api/state          the board as JSON
    /api/events         the board as server-sent events, whenever it changes
    /thumbnails/NAME    a channel's latest frame, JPEG
    /metrics            for Prometheus

It listens on loopback unless told otherwise, and then wants a token.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import threading
import time
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from defectscope.errors import InvalidParameterError, MediaUnavailableError
from defectscope.monitor.board import Board
from defectscope.monitor.metrics import CONTENT_TYPE, Metrics

_PAGE = Path(__file__).with_name("wall.html")
_COOKIE = "defectscope_token"
_MIN_TOKEN = 16
# Followers are told at most so often, and now and then that the connection lives, seconds.
_FOLLOW_S, _ALIVE_S = 1.0, 10.0
_MAX_FOLLOWERS = 32
_TIMEOUT_S = 30.0
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Tells whether an address is reached from this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Wall:
    """Serves the board of a monitor over HTTP.

    Args:
        board: What is shown.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        token: What callers must bring; None only on loopback.

    Raises:
        InvalidParameterError: It is open to others without a token, or the token is short.
        MediaUnavailableError: The port is taken.
    """

    def __init__(
        self, board: Board, host: str = "127.0.0.1", port: int = 0, token: str | None = None
    ) -> None:
        if token is None and not is_loopback(host):
            raise InvalidParameterError(
                f"the wall on {host} is open to others: set DEFECTSCOPE_MONITOR_TOKEN"
            )
        if token is not None and len(token) < _MIN_TOKEN:
            raise InvalidParameterError(f"the wall's token has fewer than {_MIN_TOKEN} characters")
        self._followers = threading.BoundedSemaphore(_MAX_FOLLOWERS)
        handler = _handler(board, Metrics(board), token, self._followers)
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MediaUnavailableError(f"{host}:{port}: {reason.lower()}") from None
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="wall", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/"

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


def _handler(
    board: Board, metrics: Metrics, token: str | None, followers: threading.BoundedSemaphore
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers one connection."""

        server_version, sys_version = "defectscope", ""
        protocol_version = "HTTP/1.1"
        timeout = _TIMEOUT_S

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing: addresses may hold the token."""

        def do_GET(self) -> None:
            """Answers."""
            parts = urlsplit(self.path)
            if token is None and not self._is_local():
                # A page of somebody else that has its name point here.
                self._answer(403, "text/plain", b"not from there\n")
                return
            given = parse_qs(parts.query).get("token", [""])[0]
            if token is not None and not self._is_allowed(given):
                self._answer(401, "text/plain", b"a token is needed: /?token=...\n")
                return
            if token is not None and given and parts.path == "/":
                cookie = f"{_COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/"
                self._answer(303, "text/plain", b"", {"Location": "/", "Set-Cookie": cookie})
                return
            self._route(unquote(parts.path))

        def _is_local(self) -> bool:
            host = self.headers.get("Host", "")
            return any(host == h or host.startswith(h + ":") for h in _LOCAL_HOSTS)

        def _is_allowed(self, given: str) -> bool:
            assert token is not None
            offered = [given, self.headers.get("Authorization", "").removeprefix("Bearer ")]
            try:
                cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
            except CookieError:
                cookie = None
            offered.append(cookie.value if cookie is not None else "")
            wanted = token.encode()
            return any(hmac.compare_digest(each.encode(), wanted) for each in offered)

        def _route(self, path: str) -> None:
            if path == "/":
                self._answer(200, "text/html; charset=utf-8", _PAGE.read_bytes())
            elif path == "/api/state":
                self._answer(200, "application/json", json.dumps(board.snapshot()).encode())
            elif path == "/api/events":
                self._follow()
            elif path == "/metrics":
                self._answer(200, CONTENT_TYPE, metrics.text())
            elif path.startswith("/thumbnails/"):
                frame = board.thumbnail(path.removeprefix("/thumbnails/"))
                if frame is None:
                    self._answer(404, "text/plain", b"no such frame\n")
                else:
                    self._answer(200, "image/jpeg", frame)
            else:
                self._answer(404, "text/plain", b"not here\n")

        def _answer(
            self, status: int, kind: str, body: bytes, more: dict[str, str] | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {**_HEADERS, **(more or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _follow(self) -> None:
            """Sends the board whenever it has changed, until the other side goes."""
            if not followers.acquire(blocking=False):
                self._answer(503, "text/plain", b"too many followers\n")
                return
            try:
                self.close_connection = True
                self.send_response(200)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                revision = -1
                while True:
                    now = board.wait(revision, _ALIVE_S)
                    if now == revision:
                        self.wfile.write(b": alive\n\n")
                    else:
                        revision = now
                        data = json.dumps(board.snapshot())
                        self.wfile.write(f"data: {data}\n\n".encode())
                    self.wfile.flush()
                    time.sleep(_FOLLOW_S)
            except OSError:
                return
            finally:
                followers.release()

    return Handler
