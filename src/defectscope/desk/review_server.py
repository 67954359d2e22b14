"""Pages of reports served on this machine: they play the media, decisions go to waivers.toml.

Only the loopback interface is listened on, every address holds a token that nobody else knows, and
a request that names another host is refused, so that no page from elsewhere reaches it.
"""

from __future__ import annotations

import json
import mimetypes
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from defectscope.desk.decisions import Decisions
from defectscope.errors import DefectscopeError, MalformedRequestError
from defectscope.page_server import HTML, PageHandler, listen, same_token, url_of
from defectscope.report.html import Desk, render

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One report that is served.

    Attributes:
        decisions: The report and what is decided of it.
        media: Its asset, for frames and sound.
        playing: What is played; None for the asset itself.
        captions: Side-car captions.
    """

    decisions: Decisions
    media: Path | None = None
    playing: Path | None = None
    captions: Path | None = None

    @property
    def plays(self) -> Path | None:
        """The file that is played."""
        return self.playing or self.media


class ReviewServer:
    """Serves reports until it is closed.

    Attributes:
        address: Where the page is; that of all reports, where there are several.
    """

    def __init__(
        self, reviewed: Sequence[Reviewed], *, index: Callable[[], str] = str, port: int = 0
    ) -> None:
        """Listens on the loopback interface.

        Args:
            reviewed: The reports.
            index: Returns the page of several, which links to each as `./NUMBER/`.
            port: 0 takes any free one.

        Raises:
            InvalidParameterError: The port is taken.
        """
        self._reviewed, self._index = list(reviewed), index
        self._token = secrets.token_urlsafe(18)
        self._lock = threading.Lock()
        outer = self

        class Handler(_Handler):
            desk = outer

        self._server = listen(port, Handler)
        self.port = int(self._server.server_address[1])
        self.address = f"{url_of(self._server)}{self._token}/"

    def serve(self) -> None:
        """Answers until `close` is called from another thread, or ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Ends `serve`, and frees the port."""
        self._server.shutdown()
        self._server.server_close()

    def place(self, path: str) -> tuple[Reviewed | None, str] | None:
        """Returns which report an address means, None for all, and what of it.

        Returns:
            None where it is not to be answered.
        """
        first, _, rest = path.partition("?")[0].lstrip("/").partition("/")
        if not same_token(first, self._token):
            return None
        number, slash, part = rest.partition("/")
        if number.isdigit() and slash and int(number) < len(self._reviewed):
            return self._reviewed[int(number)], part
        if number.isdigit() and not slash and int(number) < len(self._reviewed):
            return None, "slash"
        return (self._reviewed[0] if len(self._reviewed) == 1 else None), rest

    def index(self) -> bytes:
        """Returns the page of all reports."""
        with self._lock:
            return self._index().encode("utf-8")

    def page(self, one: Reviewed) -> bytes:
        """Returns a report's page with what is decided by now."""
        with self._lock:
            report, rejected = one.decisions.current(), one.decisions.rejected()
        desk = Desk(self._token, "./media" if one.plays is not None else None, rejected)
        return render(report, one.media, captions=one.captions, desk=desk).encode("utf-8")

    def decide(self, one: Reviewed, token: str | None, body: bytes) -> dict[str, Any]:
        """Writes a decision; returns the verdicts with it.

        Raises:
            DefectscopeError: It makes no sense, or cannot be written.
        """
        if not same_token(token, self._token):
            raise MalformedRequestError("the token is not this page's")
        try:
            data = json.loads(body)
        except ValueError:
            raise MalformedRequestError("the decision is no JSON") from None
        if not isinstance(data, Mapping):
            raise MalformedRequestError("the decision is no object")
        with self._lock:
            report = one.decisions.decide(cast("Mapping[str, Any]", data)).to_dict()
        return {name: report[name] for name in ("verdict", "reason", "rules", "verdicts")}


class _Handler(PageHandler):
    desk: ReviewServer

    def get(self) -> None:
        """Sends a page, or a part of the media."""
        one, part = self._place()
        if part == "":
            body = self.desk.index() if one is None else self.desk.page(one)
            self.answer(HTTPStatus.OK, HTML, body)
        elif part == "slash":
            # So that what a page names lies below it.
            place = self.path.partition("?")[0] + "/"
            self.answer(HTTPStatus.MOVED_PERMANENTLY, "text/plain", b"", {"Location": place})
        elif part == "media" and one is not None and one.plays is not None:
            self._send_media(one.plays)
        else:
            self.refuse(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")

    def post(self) -> None:
        """Takes a decision."""
        one, part = self._place()
        if part != "decision" or one is None or self.is_from_elsewhere():
            self.refuse(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")
        elif refusal := self.body_refusal():
            self.refuse(refusal, "body_too_large", "that is too much, or of no stated length")
        else:
            try:
                token = self.headers.get("X-Defectscope-Token")
                answer = self.desk.decide(one, token, self.body())
            except DefectscopeError as error:
                self.refuse(HTTPStatus.BAD_REQUEST, error.code, error.message)
            else:
                self.answer_json(HTTPStatus.OK, answer)

    def _place(self) -> tuple[Reviewed | None, str]:
        found = self.desk.place(self.path) if self.is_local() else None
        return found or (None, "nothing")

    def _send_media(self, path: Path) -> None:
        try:
            file = path.open("rb")
        except OSError:
            self.refuse(HTTPStatus.NOT_FOUND, "media_not_found", "the media is gone")
            return
        with file:
            size = path.stat().st_size
            wanted = _range(self.headers.get("Range"), size)
            first, last = wanted or (0, size)
            status = HTTPStatus.OK if wanted is None else HTTPStatus.PARTIAL_CONTENT
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            more = {"Accept-Ranges": "bytes"}
            if wanted is not None:
                more["Content-Range"] = f"bytes {first}-{last - 1}/{size}"
            self.head(status, kind, last - first, more)
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
    digits = first + last
    if unit.strip() != "bytes" or not dash or not (digits.isascii() and digits.isdecimal()):
        return None
    if first:
        begin, end = int(first), min(size, int(last) + 1) if last else size
    else:
        begin, end = max(0, size - int(last)), size
    return (begin, end) if begin < end else None
