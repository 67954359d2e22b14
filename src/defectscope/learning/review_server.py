"""The review page: one item after another, answered by keys, each answer on disk at once.

    /                        the page
    /review.css /review.js   what it is made of
    /api/queue               items that this reviewer is asked, and what was answered
    /api/label               POST: an answer
    /api/undo                POST: takes the last answer back
    /evidence/ID/FILE        clip, frame strip, spectrogram or map of an item

It listens on loopback alone. Pages of others can neither read it (no foreign `Host`) nor answer
(`application/json` and a foreign `Origin` are refused), and no path leaves the queue's folder.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from defectscope.errors import DefectscopeError, MalformedRequestError, MediaUnavailableError
from defectscope.learning.evidence import FILES
from defectscope.learning.review_session import ReviewSession

_HOST = "127.0.0.1"
_PAGE = Path(__file__).with_name("page")
_PARTS = {
    "/": ("review.html", "text/html; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
}
_KINDS = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".wav": "audio/wav"}
_LOCAL_HOSTS = ("localhost", "127.0.0.1")
_MAX_BODY_BYTES = 64 * 1024
_TIMEOUT_S = 30.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; media-src blob:; "
    "connect-src 'self'; style-src 'self'; script-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class ReviewServer:
    """Serves the review of a queue on this machine.

    Args:
        session: Of one reviewer.
        port: 0 takes a free one.

    Raises:
        MediaUnavailableError: The port is taken.
    """

    def __init__(self, session: ReviewSession, port: int = 0) -> None:
        try:
            self._server = ThreadingHTTPServer((_HOST, port), _handler(session))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise MediaUnavailableError(f"{_HOST}:{port}: {reason.lower()}") from None
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{_HOST}:{self._server.server_address[1]}/"

    def start(self) -> None:
        """Serves in a thread of its own."""
        threading.Thread(target=self._server.serve_forever, name="review", daemon=True).start()

    def serve(self) -> None:
        """Serves until it is stopped."""
        self._server.serve_forever()

    def stop(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()


def _handler(session: ReviewSession) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers one connection."""

        server_version, sys_version = "defectscope", ""
        protocol_version = "HTTP/1.1"
        timeout = _TIMEOUT_S

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

        def do_GET(self) -> None:
            """Answers."""
            path = unquote(urlsplit(self.path).path)
            if not self._is_local():
                self._answer(403, "text/plain", b"not from there\n")
            elif path in _PARTS:
                name, kind = _PARTS[path]
                self._answer(200, kind, (_PAGE / name).read_bytes())
            elif path == "/api/queue":
                self._json(200, session.state())
            elif path.startswith("/evidence/"):
                self._evidence(path.removeprefix("/evidence/"))
            else:
                self._answer(404, "text/plain", b"not here\n")

        def do_POST(self) -> None:
            """Takes an answer, or takes one back."""
            actions = {"/api/label": session.answer, "/api/undo": session.undo}
            action = actions.get(urlsplit(self.path).path)
            length = self.headers.get("Content-Length", "")
            refused = self._refused(action is not None, length)
            if refused:
                # What was sent is not read: the connection is of no more use.
                self.close_connection = True
                self._answer(refused, "text/plain", b"refused\n")
                return
            assert action is not None
            try:
                body: Any = json.loads(self.rfile.read(int(length)))
                if not isinstance(body, dict):
                    raise MalformedRequestError("an answer is a JSON object")
                self._json(200, action(cast("dict[str, Any]", body)))
            except ValueError:
                self._json(400, {"error": {"code": "malformed_request", "message": "not JSON"}})
            except DefectscopeError as error:
                self._json(error.http_status, {"error": error.as_dict()})
            except OSError as error:
                reason = (error.strerror or "cannot be written").lower()
                self._json(500, {"error": {"code": "not_saved", "message": reason}})

        def _refused(self, known: bool, length: str) -> int:
            origin = self.headers.get("Origin")
            host = self.headers.get("Host", "")
            if not self._is_local() or origin not in (None, f"http://{host}"):
                return 403
            if not known:
                return 404
            if self.headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
                return 415
            if not length.isdecimal():
                return 411
            return 413 if int(length) > _MAX_BODY_BYTES else 0

        def _is_local(self) -> bool:
            host = self.headers.get("Host", "")
            return any(host == h or host.startswith(h + ":") for h in _LOCAL_HOSTS)

        def _evidence(self, rest: str) -> None:
            item, _, name = rest.partition("/")
            # Both are looked up, neither is made a path of.
            content = session.evidence(item, name) if name in FILES else None
            if content is None:
                self._answer(404, "text/plain", b"no such evidence\n")
            else:
                self._answer(200, _KINDS[Path(name).suffix], content)

        def _json(self, status: int, body: Any) -> None:
            self._answer(status, "application/json", json.dumps(body).encode())

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
