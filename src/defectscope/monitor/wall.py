"""The wall: how all channels are, in a browser, and the same for machines.

    /                   the page, which follows by itself
    /api/state          the board as JSON
    /api/events         the board as server-sent events, whenever it changes
    /thumbnails/NAME    a channel's latest frame, JPEG
    /metrics            for Prometheus

It listens on loopback unless told otherwise, and then wants a token.
"""

from __future__ import annotations

import json
import threading
import time
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from defectscope.errors import InvalidParameterError
from defectscope.monitor.board import Board
from defectscope.monitor.metrics import CONTENT_TYPE, Metrics
from defectscope.page_server import HOST, HTML, PageHandler, is_loopback, listen, same_token, url_of

_PAGE = Path(__file__).with_name("wall.html")
_COOKIE = "defectscope_token"
_MIN_TOKEN = 16
# Followers are told at most so often, and at least so often where nothing has changed: that nothing
# comes of a channel any more is no change, and shows all the same. Seconds.
_FOLLOW_S, _ALIVE_S = 1.0, 4.0
_MAX_FOLLOWERS = 32


class Wall:
    """Serves the board of a monitor over HTTP.

    Args:
        board: What is shown.
        host: Address to listen on.
        port: Port; 0 takes a free one.
        token: What callers must bring; None only on loopback.

    Raises:
        InvalidParameterError: It is open to others without a token, the token is short, or the
            port is taken.
    """

    def __init__(
        self, board: Board, host: str = HOST, port: int = 0, token: str | None = None
    ) -> None:
        if token is None and not is_loopback(host):
            raise InvalidParameterError(
                f"the wall on {host} is open to others: set DEFECTSCOPE_MONITOR_TOKEN"
            )
        if token is not None and len(token) < _MIN_TOKEN:
            raise InvalidParameterError(f"the wall's token has fewer than {_MIN_TOKEN} characters")
        self._followers = threading.BoundedSemaphore(_MAX_FOLLOWERS)
        handler = _handler(board, Metrics(board), token, self._followers)
        self._server = listen(port, handler, host)
        self._thread = threading.Thread(target=self._server.serve_forever, name="wall", daemon=True)

    @property
    def url(self) -> str:
        """Where the page is."""
        return url_of(self._server)

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


def _handler(
    board: Board, metrics: Metrics, token: str | None, followers: threading.BoundedSemaphore
) -> type[PageHandler]:
    class Handler(PageHandler):
        """Answers one connection."""

        policy = (
            "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
            "style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; "
            "form-action 'none'; frame-ancestors 'none'"
        )

        def get(self) -> None:
            """Answers."""
            parts = urlsplit(self.path)
            if token is None and not self.is_local():
                # A page of somebody else that has its name point here.
                self.answer(403, "text/plain", b"not from there\n")
                return
            given = parse_qs(parts.query).get("token", [""])[0]
            if token is not None and not self._is_allowed(given):
                self.answer(401, "text/plain", b"a token is needed: /?token=...\n")
                return
            if token is not None and given and parts.path == "/":
                cookie = f"{_COOKIE}={given}; HttpOnly; SameSite=Strict; Path=/"
                self.answer(303, "text/plain", b"", {"Location": "/", "Set-Cookie": cookie})
                return
            self._route(unquote(parts.path))

        def _is_allowed(self, given: str) -> bool:
            assert token is not None
            offered = [given, self.headers.get("Authorization", "").removeprefix("Bearer ")]
            try:
                cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
            except CookieError:
                cookie = None
            offered.append(cookie.value if cookie is not None else "")
            return any([same_token(each, token) for each in offered])

        def _route(self, path: str) -> None:
            if path == "/":
                self.answer(200, HTML, _PAGE.read_bytes())
            elif path == "/api/state":
                self.answer_json(200, board.snapshot())
            elif path == "/api/events":
                self._follow()
            elif path == "/metrics":
                self.answer(200, CONTENT_TYPE, metrics.text())
            elif path.startswith("/thumbnails/"):
                frame = board.thumbnail(path.removeprefix("/thumbnails/"))
                if frame is None:
                    self.answer(404, "text/plain", b"no such frame\n")
                else:
                    self.answer(200, "image/jpeg", frame)
            else:
                self.answer(404, "text/plain", b"not here\n")

        def _follow(self) -> None:
            """Sends the board whenever it has changed, until the other side goes."""
            if not followers.acquire(blocking=False):
                self.answer(503, "text/plain", b"too many followers\n")
                return
            try:
                self.close_connection = True
                self.head(200, "text/event-stream", None)
                revision = -1
                while True:
                    revision = board.wait(revision, _ALIVE_S)
                    data = json.dumps(board.snapshot())
                    self.wfile.write(f"data: {data}\n\n".encode())
                    self.wfile.flush()
                    time.sleep(_FOLLOW_S)
            except OSError:
                return
            finally:
                followers.release()

    return Handler
