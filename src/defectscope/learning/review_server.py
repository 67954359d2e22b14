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
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from defectscope.errors import DefectscopeError, MalformedRequestError
from defectscope.learning.evidence import FILES
from defectscope.learning.review_session import ReviewSession
from defectscope.page_server import HTML, PageHandler, listen, url_of

_PAGE = Path(__file__).with_name("page")
_PARTS = {
    "/": ("review.html", HTML),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
}
_KINDS = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".wav": "audio/wav"}


class ReviewServer:
    """Serves the review of a queue on this machine.

    Args:
        session: Of one reviewer.
        port: 0 takes a free one.

    Raises:
        InvalidParameterError: The port is taken.
    """

    def __init__(self, session: ReviewSession, port: int = 0) -> None:
        self._server = listen(port, _handler(session))

    @property
    def url(self) -> str:
        """Where the page is."""
        return url_of(self._server)

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


def _handler(session: ReviewSession) -> type[PageHandler]:
    class Handler(PageHandler):
        """Answers one connection."""

        policy = (
            "default-src 'none'; img-src 'self' data:; media-src blob:; connect-src 'self'; "
            "style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )

        def get(self) -> None:
            """Answers."""
            path = unquote(urlsplit(self.path).path)
            if not self.is_local():
                self.refuse(403, "forbidden", "not from there")
            elif path in _PARTS:
                name, kind = _PARTS[path]
                self.answer(200, kind, (_PAGE / name).read_bytes())
            elif path == "/api/queue":
                self.answer_json(200, session.state())
            elif path.startswith("/evidence/"):
                self._evidence(path.removeprefix("/evidence/"))
            else:
                self.refuse(404, "not_found", "not here")

        def post(self) -> None:
            """Takes an answer, or takes one back."""
            actions = {"/api/label": session.answer, "/api/undo": session.undo}
            action = actions.get(urlsplit(self.path).path)
            if not self.is_local() or self.is_from_elsewhere():
                self.refuse(403, "forbidden", "not from there")
            elif action is None:
                self.refuse(404, "not_found", "not here")
            elif self.headers.get_content_type() != "application/json":
                self.refuse(415, "unsupported_content_type", "an answer is JSON")
            elif refusal := self.body_refusal():
                self.refuse(refusal, "body_too_large", "too much, or of no stated length")
            else:
                self._act(action)

        def _act(self, action: Callable[[dict[str, Any]], Any]) -> None:
            try:
                body: Any = json.loads(self.body())
                if not isinstance(body, dict):
                    raise MalformedRequestError("an answer is a JSON object")
                self.answer_json(200, action(cast("dict[str, Any]", body)))
            except ValueError:
                self.refuse(400, "malformed_request", "not JSON")
            except DefectscopeError as error:
                self.answer_json(error.http_status, {"error": error.as_dict()})
            except OSError as error:
                reason = (error.strerror or "cannot be written").lower()
                self.refuse(500, "not_saved", reason)

        def _evidence(self, rest: str) -> None:
            item, _, name = rest.partition("/")
            # Both are looked up, neither is made a path of.
            content = session.evidence(item, name) if name in FILES else None
            if content is None:
                self.refuse(404, "not_found", "no such evidence")
            else:
                self.answer(200, _KINDS[Path(name).suffix], content)

    return Handler
