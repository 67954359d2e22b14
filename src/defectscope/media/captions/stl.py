"""EBU STL: subtitles of the broadcast archives, block by block; ttconv decodes their text.

ttconv's own reader moves, shortens or leaves out subtitles whose times are wrong, which is what
quality control looks for; so times are read here.

Source: EBU Tech 3264-E, sections 4 (GSI block) and 5 (TTI blocks).
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from defectscope.errors import CaptionsError
from defectscope.media.captions.clock import moved
from defectscope.media.cues import (
    BAD_TIME,
    LATE_PROGRAMME,
    MAX_FAULTS,
    CaptionFault,
    Captions,
    Cue,
)

_HEAD_BYTES = 1024
_BLOCK = struct.Struct("<BHBB4B4BBBB112s")
# Frames per second, and frame numbers per second, by disk format code.
_RATES = {
    b"STL23.01": (Fraction(24000, 1001), 24),
    b"STL24.01": (Fraction(24), 24),
    b"STL25.01": (Fraction(25), 25),
    b"STL30.01": (Fraction(30000, 1001), 30),
    b"STL50.01": (Fraction(50), 50),
}
_LAST_OF_SUBTITLE = 0xFF
# Extension blocks above this hold user data or are reserved.
_LAST_EXTENSION = 0xEF
_COMMENT = 1
_CUMULATIVE = (2, 3)
_UNUSED = 0x8F


def is_stl(raw: bytes) -> bool:
    """Tells whether bytes begin as an EBU STL file does."""
    return raw[3:6] == b"STL" and len(raw) >= _HEAD_BYTES


def read_stl(raw: bytes, name: str) -> Captions:
    """Returns the cues of an EBU STL file against its start of programme.

    Faults and cues carry the number of their block where text files have a line.

    Raises:
        CaptionsError: It holds no subtitles, or the decoder of its text is not installed.
    """
    rate, nominal = _RATES.get(raw[3:11], _RATES[b"STL25.01"])
    cues: list[Cue] = []
    faults: list[CaptionFault] = []
    decode = _decoder(raw, name)
    for block in _subtitles(raw):
        times = [_time_s(code, rate, nominal) for code in (block.time_in, block.time_out)]
        if times[0] is None or times[1] is None:
            faults.append(CaptionFault(block.number, BAD_TIME))
            continue
        cue = Cue(times[0], times[1], decode(block.text), block.number, place=block.place)
        if block.cumulative in _CUMULATIVE and cues:
            # The text is added to what is on screen.
            last = cues[-1]
            end_s = max(last.end_s, cue.end_s)
            cues[-1] = replace(last, end_s=end_s, lines=last.lines + cue.lines)
        else:
            cues.append(cue)
    if not cues and not faults:
        raise CaptionsError(f"{name}: an EBU STL file without subtitles")
    start_s = _programme_s(raw, rate, nominal)
    if start_s:
        if any(cue.start_s >= start_s for cue in cues):
            cues = [moved(cue, -start_s) for cue in cues]
        else:
            faults.append(CaptionFault(1, LATE_PROGRAMME))
    faults.sort(key=lambda fault: fault.source_line)
    return Captions("stl", tuple(cues), tuple(faults[:MAX_FAULTS]), timecoded=not start_s)


@dataclass(frozen=True, slots=True)
class _Subtitle:
    number: int
    time_in: tuple[int, ...]
    time_out: tuple[int, ...]
    cumulative: int
    place: str
    text: bytes


def _subtitles(raw: bytes) -> Iterator[_Subtitle]:
    """Yields subtitles with the text of their extension blocks joined; comments are none."""
    text = b""
    for number, at in enumerate(range(_HEAD_BYTES, len(raw) - _BLOCK.size + 1, _BLOCK.size), 1):
        fields = _BLOCK.unpack_from(raw, at)
        extension, cumulative = fields[2], fields[3]
        row, comment, own = fields[12], fields[14], fields[15]
        if _LAST_EXTENSION < extension < _LAST_OF_SUBTITLE or comment == _COMMENT:
            continue
        text += own.split(bytes([_UNUSED]), 1)[0]
        if extension != _LAST_OF_SUBTITLE:
            continue
        yield _Subtitle(number, fields[4:8], fields[8:12], cumulative, f"row {row}", text)
        text = b""


def _time_s(code: tuple[int, ...], rate: Fraction, nominal: int) -> float | None:
    hours, minutes, seconds, frames = code
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= nominal:
        return None
    return float(((hours * 60 + minutes) * 60 + seconds) * nominal / rate + frames / rate)


def _programme_s(raw: bytes, rate: Fraction, nominal: int) -> float | None:
    """Returns the time code of the start of programme, None where none is given."""
    text = raw[256:264]
    if not text.isdigit():
        return None
    return _time_s(tuple(int(text[k : k + 2]) for k in range(0, 8, 2)), rate, nominal)


def _decoder(raw: bytes, name: str) -> Any:
    """Returns a function from a text field to its lines."""
    try:
        from ttconv import model
        from ttconv.stl import tf
    except ImportError:
        raise CaptionsError(f"{name}: EBU STL needs the package ttconv") from None
    logging.getLogger("ttconv").setLevel(logging.CRITICAL)
    document: Any = model.ContentDocument()
    teletext, table = raw[11:12] in (b"1", b"2"), raw[12:14]

    def lines(text: bytes) -> tuple[str, ...]:
        paragraph: Any = model.P(document)
        try:
            tf.to_model(paragraph, teletext, table, text)
        except Exception as error:  # a decoder of hostile bytes may fail in any way
            raise CaptionsError(f"{name}: not EBU STL ({type(error).__name__})") from None
        return tuple(part.strip() for part in _text(paragraph).split("\n"))

    return lines


def _text(element: Any) -> str:
    kind = type(element).__name__
    if kind == "Br":
        return "\n"
    if kind == "Text":
        return str(element.get_text())
    return "".join(_text(child) for child in element)
