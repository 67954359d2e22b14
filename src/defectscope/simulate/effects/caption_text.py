"""Cues as the bytes of a side-car file: WebVTT, SubRip or TTML."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from defectscope.errors import InvalidParameterError
from defectscope.media.cues import Cue

SUFFIXES = {"webvtt": ".vtt", "srt": ".srt", "ttml": ".ttml"}

_TTML_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="en">\n<body><div>\n'
)
_TTML_TAIL = "</div></body>\n</tt>\n"


def caption_blocks(cues: Sequence[Cue], style: str) -> list[str]:
    """Returns a header, one block per cue and an end, which joined make a file.

    Args:
        cues: In order.
        style: `webvtt`, `srt` or `ttml`.

    Returns:
        Blocks; block k + 1 belongs to cue k.

    Raises:
        InvalidParameterError: There is no such format.
    """
    if style == "webvtt":
        blocks = [
            f"{_time(c.start_s, '.')} --> {_time(c.end_s, '.')}\n{_plain(c)}\n\n" for c in cues
        ]
        return ["WEBVTT\n\n", *blocks, ""]
    if style == "srt":
        blocks = [
            f"{n}\n{_time(c.start_s, ',')} --> {_time(c.end_s, ',')}\n{_plain(c)}\n\n"
            for n, c in enumerate(cues, 1)
        ]
        return ["", *blocks, ""]
    if style == "ttml":
        blocks = [
            f'<p begin="{_time(c.start_s, ".")}" end="{_time(c.end_s, ".")}">'
            f"{'<br/>'.join(escape(line) for line in c.lines)}</p>\n"
            for c in cues
        ]
        return [_TTML_HEAD, *blocks, _TTML_TAIL]
    raise InvalidParameterError(f"captions are written as {', '.join(SUFFIXES)}, not {style!r}")


def caption_bytes(cues: Sequence[Cue], style: str) -> bytes:
    """Returns a whole side-car file.

    Raises:
        InvalidParameterError: There is no such format.
    """
    return "".join(caption_blocks(cues, style)).encode("utf-8")


def _plain(cue: Cue) -> str:
    # An empty line would end the cue.
    return "\n".join(line or "-" for line in cue.lines)


def _time(seconds: float, separator: str) -> str:
    # No format can write a time before zero.
    milliseconds = max(0, round(seconds * 1000))
    rest, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds_part = divmod(rest, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds_part:02d}{separator}{milliseconds:03d}"
