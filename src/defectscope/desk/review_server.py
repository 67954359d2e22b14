"""A report's page served on this machine: it plays the media, and decisions go to waivers.toml.

Only the loopback interface is listened on, every address holds a token that nobody else knows, and
a request that names another host is refused, so that no page from elsewhere reaches it.
"""

from __future__ import annotations

import json
import mimetypes
import secrets
import threading
from collections.abc import Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

from defectscope.desk.decisions import Decisions
from defectscope.errors import DefectscopeError, InvalidParameterError, MalformedRequestError
from defectscope.report.html import Desk, render

_MAX_BODY = 64 * 1024
_PIECE = 256 * 1024
_HOSTS = ("127.0.0.1", "localhost")


class ReviewServer:
    """Serves one report until it is closed.

    Attributes:
        address: Where the page is.
    """

    def __init__(
        self,
        decisions: Decisions,
        media: Path | None,
        *,
        playing: Path | None = None,
        captions: Path | None = None,
        port: int = 0,
    ) -> None:
        """Listens on the loopback interface.

        Args:
            decisions: The report and what is decided of it.
            media: Its asset, for frames and sound.
            playing: What is played; None for the asset itself.
            captions: Side-car captions.
            port: 0 takes any free one.

        Raises:
            InvalidParameterError: The port is taken.
        """
        self._decisions, self._media, self._captions = decisions, media, captions
        self._plays = playing or media
        self._token = secrets.token_urlsafe(18)
        self._lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            desk = outer

        try:
            self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        except OSError as error:
            reason = (error.strerror or "not to be had").lower()
            raise InvalidParameterError(f"port {port}: {reason}") from None
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.address = f"http://127.0.0.1:{self.port}/{self._token}/"

    def serve(self) -> None:
        """Answers until `close` is called from another thread, or ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Ends `serve`, and frees the port."""
        self._server.shutdown()
        self._server.server_close()

    def may(self, host: str | None, path: str) -> str | None:
        """Returns what an address names below the token; None where it is not to be answered."""
        name, _, port = (host or "").rpartition(":")
        if name not in _HOSTS or port != str(self.port):
            return None
        first, _, rest = path.partition("?")[0].lstrip("/").partition("/")
        if not secrets.compare_digest(first.encode(), self._token.encode()):
            return None
        return rest

    def page(self) -> bytes:
        """Returns the page with what is decided by now."""
        with self._lock:
            report, rejected = self._decisions.current(), self._decisions.rejected()
        plays = "./media" if self._plays is not None else None
        desk = Desk(self._token, plays, rejected)
        text = render(report, self._media, captions=self._captions, desk=desk)
        return text.encode("utf-8")

    def decide(self, token: str | None, body: bytes) -> dict[str, Any]:
        """Writes a decision; returns the verdicts with it.

        Raises:
            DefectscopeError: It makes no sense, or cannot be written.
        """
        if not secrets.compare_digest((token or "").encode(), self._token.encode()):
            raise MalformedRequestError("the token is not this page's")
        try:
            data = json.loads(body)
        except ValueError:
            raise MalformedRequestError("the decision is no JSON") from None
        if not isinstance(data, Mapping):
            raise MalformedRequestError("the decision is no object")
        with self._lock:
            report = self._decisions.decide(cast("Mapping[str, Any]", data)).to_dict()
        return {name: report[name] for name in ("verdict", "reason", "rules", "verdicts")}

    @property
    def plays(self) -> Path | None:
        """What is played."""
        return self._plays


class _Handler(BaseHTTPRequestHandler):
    desk: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the terminal is the user's."""

    def do_GET(self) -> None:
        """Gives the page, or a part of the media."""
        place = self.desk.may(self.headers.get("Host"), self.path)
        if place == "":
            self._send(HTTPStatus.OK, self.desk.page(), "text/html; charset=utf-8")
        elif place == "media" and self.desk.plays is not None:
            self._send_media(self.desk.plays)
        else:
            self._refuse(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")

    def do_POST(self) -> None:
        """Takes a decision."""
        length = self.headers.get("Content-Length", "")
        if self.desk.may(self.headers.get("Host"), self.path) != "decision":
            self.close_connection = True
            self._refuse(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")
        elif not length.isdigit() or int(length) > _MAX_BODY:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "that is too much")
        else:
            body = self.rfile.read(int(length))
            try:
                answer = self.desk.decide(self.headers.get("X-Defectscope-Token"), body)
            except DefectscopeError as error:
                self._refuse(HTTPStatus.BAD_REQUEST, error.code, error.message)
            else:
                self._send(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")

    def _refuse(self, status: HTTPStatus, code: str, message: str) -> None:
        body = json.dumps({"error": {"code": code, "message": message}}).encode()
        self._send(status, body, "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str) -> None:
        self._head(status, kind, len(body))
        self.end_headers()
        self.wfile.write(body)

    def _head(self, status: HTTPStatus, kind: str, length: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")

    def _send_media(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self._refuse(HTTPStatus.NOT_FOUND, "media_not_found", "the media is gone")
            return
        with file:
            size = path.stat().st_size
            wanted = _range(self.headers.get("Range"), size)
            first, last = wanted or (0, size)
            status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            self._head(status, kind, last - first)
            self.send_header("Accept-Ranges", "bytes")
            if wanted is not None:
                self.send_header("Content-Range", f"bytes {first}-{last - 1}/{size}")
            self.end_headers()
            file.seek(first)
            left = last - first
            try:
                while left > 0 and (piece := file.read(min(_PIECE, left))):
                    self.wfile.write(piece)
                    left -= len(piece)
            except (BrokenPipeError, ConnectionResetError):
                # Players drop a connection when they seek.
                self.close_connection = True


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte, and the one after the last, of a single range (RFC 9110, 14.1.2)."""
    unit, _, text = (header or "").partition("=")
    first, dash, last = text.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).isdigit():
        return None
    if not first:
        return max(0, size - int(last)), size
    begin, end = int(first), min(size, int(last) + 1) if last else size
    return (begin, end) if begin < end else None
