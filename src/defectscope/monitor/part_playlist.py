"""Low-latency HLS: a media playlist told again with a segment for every part.

A part is there seconds before its segment is whole. FFmpeg's reader knows segments alone, so that
it gets parts as such, numbered anew; where a playlist has no parts any more, the whole segment.

Source: draft-pantos-hls-rfc8216bis, sections 4.4.3.7, 4.4.3.8, 4.4.4.9 and 6.2.5.2.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from dataclasses import dataclass
from urllib.parse import urljoin

from defectscope.errors import UnreadableMediaError
from defectscope.media.hls import attributes

# Segments and parts that are told at most; a reader that is further behind has lost them.
_TOLD = 60
# More of them in one playlist are not looked at.
_MOST = 20_000
# The part number of a segment that is told as a whole: behind all of its parts.
_WHOLE = sys.maxsize


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part, or a segment of which no parts are listed.

    Attributes:
        segment: Media sequence number.
        part: Number within the segment.
        seconds: How long it lasts.
        lines: What tells of it.
        begins: A decoder can begin with it.
    """

    segment: int
    part: int
    seconds: float
    lines: tuple[str, ...]
    begins: bool


def has_parts(text: str) -> bool:
    """Tells whether a media playlist has parts."""
    return "#EXT-X-PART-INF:" in text


class PartPlaylist:
    """What a media playlist has told so far.

    Attributes:
        ended: Nothing more comes.
    """

    def __init__(self) -> None:
        self.ended = False
        self._told: deque[_Piece] = deque()
        # Number of the first piece that is told, the last one taken, the newest whole segment.
        self._first = 0
        self._reached: tuple[int, int] | None = None
        self._whole = -1
        self._waits = False

    def query(self) -> str:
        """Returns what asks the server to answer once the next part is there; empty for at once."""
        if not self._waits or self._reached is None or self.ended:
            return ""
        segment, part = self._reached
        if part == _WHOLE or self._whole >= segment:
            segment, part = segment + 1, -1
        return f"_HLS_msn={segment}&_HLS_part={part + 1}"

    def take(self, text: str, url: str) -> None:
        """Takes the playlist as it is now.

        Args:
            text: The playlist.
            url: Where it came from: what it names lies beside it.

        Raises:
            UnreadableMediaError: It is no playlist of parts, is encrypted, or counts anew.
        """
        lines = [line.strip() for line in text.splitlines()]
        if not lines or lines[0] != "#EXTM3U":
            raise UnreadableMediaError("not a playlist (#EXTM3U)")
        pieces = self._pieces(lines[1:], url)
        if self._reached is None:
            fresh = pieces[_beginning(pieces) :]
        else:
            if pieces and pieces[-1].segment < self._reached[0]:
                raise UnreadableMediaError("the playlist counts its segments anew")
            fresh = [p for p in pieces if self._is_new(p)]
        for piece in fresh:
            self._told.append(piece)
            self._reached = piece.segment, piece.part
        while len(self._told) > _TOLD:
            self._told.popleft()
            self._first += 1

    def text(self) -> str:
        """Returns the playlist for a reader that knows segments alone."""
        longest_s = max((p.seconds for p in self._told), default=1.0)
        out = ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{math.ceil(longest_s)}"]
        out.append(f"#EXT-X-MEDIA-SEQUENCE:{self._first}")
        for piece in self._told:
            out += piece.lines
        return "\n".join([*out, *(["#EXT-X-ENDLIST"] if self.ended else []), ""])

    def _is_new(self, piece: _Piece) -> bool:
        assert self._reached is not None
        if piece.part == _WHOLE:
            return piece.segment > self._reached[0]
        return (piece.segment, piece.part) > self._reached

    def _pieces(self, lines: list[str], url: str) -> list[_Piece]:
        """Returns parts and segments in order."""
        found: list[_Piece] = []
        # Where the byte ranges of a file have come to.
        ends: dict[str, int] = {}
        segment, part, seconds = 0, 0, 0.0
        section, span, gap, breaks = "", "", False, False
        independent = "#EXT-X-INDEPENDENT-SEGMENTS" in lines
        for line in lines:
            tag, _, value = line.partition(":")
            held = attributes(value) if tag.startswith("#EXT-X-") else {}
            if tag == "#EXT-X-SERVER-CONTROL":
                self._waits = held.get("CAN-BLOCK-RELOAD") == "YES"
            elif tag == "#EXT-X-MEDIA-SEQUENCE":
                segment = int(_number(value))
            elif tag == "#EXT-X-KEY" and held.get("METHOD", "NONE") != "NONE":
                raise UnreadableMediaError("parts that are encrypted are not read")
            elif tag == "#EXT-X-MAP":
                at = f',BYTERANGE="{held["BYTERANGE"]}"' if "BYTERANGE" in held else ""
                section = f'#EXT-X-MAP:URI="{_within(url, held.get("URI", ""))}"{at}'
            elif tag == "#EXT-X-DISCONTINUITY":
                breaks = True
            elif tag == "#EXT-X-PART":
                if held.get("GAP") != "YES":
                    told = _lines(url, held.get("URI", ""), held.get("BYTERANGE", ""), ends)
                    lasts_s = _number(held.get("DURATION", ""))
                    begins = held.get("INDEPENDENT") == "YES" or (independent and part == 0)
                    head = _head(breaks, section, lasts_s)
                    found.append(_Piece(segment, part, lasts_s, (*head, *told), begins))
                    breaks = False
                part += 1
            elif tag == "#EXTINF":
                seconds = _number(value.partition(",")[0])
            elif tag == "#EXT-X-BYTERANGE":
                span = value
            elif tag == "#EXT-X-GAP":
                gap = True
            elif tag == "#EXT-X-ENDLIST":
                self.ended = True
            elif line and not line.startswith("#"):
                if not part and not gap:
                    told = _lines(url, line, span, ends)
                    head = _head(breaks, section, seconds)
                    found.append(_Piece(segment, _WHOLE, seconds, (*head, *told), True))
                    breaks = False
                self._whole = max(self._whole, segment)
                segment, part, span, gap = segment + 1, 0, "", False
            if len(found) > _MOST:
                raise UnreadableMediaError(f"more than {_MOST} segments and parts")
        return found


def _beginning(pieces: list[_Piece]) -> int:
    """Returns where to begin: with the newest that a decoder can begin with."""
    found = [place for place, piece in enumerate(pieces) if piece.begins]
    return found[-1] if found else max(0, len(pieces) - 1)


def _head(breaks: bool, section: str, seconds: float) -> tuple[str, ...]:
    found = ("#EXT-X-DISCONTINUITY",) if breaks else ()
    return (*found, *((section,) if section else ()), f"#EXTINF:{seconds:.6f},")


def _lines(url: str, uri: str, span: str, ends: dict[str, int]) -> tuple[str, ...]:
    """Returns the lines of one address, and of its bytes."""
    where = _within(url, uri)
    if not span:
        return (where,)
    length, _, first = span.partition("@")
    start = int(_number(first)) if first else ends.get(where, 0)
    ends[where] = start + int(_number(length))
    return (f"#EXT-X-BYTERANGE:{ends[where] - start}@{start}", where)


def _within(url: str, uri: str) -> str:
    """Returns the address of what a playlist names.

    Raises:
        UnreadableMediaError: It is none, or no address of the web.
    """
    try:
        where = urljoin(url, uri)
    except ValueError:
        where = ""
    if not uri or not where.startswith(("http://", "https://")) or '"' in where:
        raise UnreadableMediaError("a playlist that names what is no address of the web")
    return where


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e15:
        raise UnreadableMediaError(f"a playlist with a number that is none: {text[:20]!r}")
    return value
