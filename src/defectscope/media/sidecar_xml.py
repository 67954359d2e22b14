"""TTML and IMSC text, as far as times and text go; styles and regions say nothing about those.

Source: W3C TTML2, sections 10.3 (in-line breaks) and 12.3 (time expressions).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from defectscope.errors import CaptionsError
from defectscope.media.cues import BAD_TIME, BAD_XML, UNTIMED, CaptionFault, Captions, Cue
from defectscope.media.sidecar_text import MAX_CUES

_MAX_FAULTS = 1000
_CLOCK = re.compile(r"(\d{2,4}):(\d{2}):(\d{2})(?:(\.\d+)|:(\d{2,3})(?:\.\d+)?)?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@dataclass
class _Clock:
    """What the document says about its frames and ticks."""

    frame_hz: float = 30.0
    tick_hz: float = 1.0

    def seconds(self, text: str) -> float | None:
        """Gives a time expression in seconds, None for what is none."""
        found = _CLOCK.fullmatch(text.strip())
        if found is not None:
            hours, minutes, whole, fraction, frames = found.groups()
            time_s = int(hours) * 3600 + int(minutes) * 60 + int(whole) + float(fraction or 0)
            return time_s + int(frames or 0) / self.frame_hz
        found = _OFFSET.fullmatch(text.strip())
        if found is None:
            return None
        number, unit = float(found[1]), found[2]
        if unit in _UNIT_S:
            return number * _UNIT_S[unit]
        return number / (self.frame_hz if unit == "f" else self.tick_hz)


@dataclass
class _Document:
    """What the parser has seen so far."""

    parser: Any
    clock: _Clock = field(default_factory=_Clock)
    cues: list[Cue] = field(default_factory=list[Cue])
    faults: list[CaptionFault] = field(default_factory=list[CaptionFault])
    # Begin of every open element: times are relative to the parent's.
    begins_s: list[float] = field(default_factory=list[float])
    text: list[str] | None = None
    span: tuple[float, float] | None = None
    line: int = 1
    rooted: bool = False

    def fault(self, message: str) -> None:
        self.faults.append(CaptionFault(self.parser.CurrentLineNumber, message))

    def time(self, attributes: dict[str, str], name: str) -> float | None:
        if name not in attributes:
            return None
        time_s = self.clock.seconds(attributes[name])
        if time_s is None:
            self.fault(BAD_TIME)
        return time_s

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rsplit(" ", 1)[-1]
        plain = {key.rsplit(" ", 1)[-1]: value for key, value in attributes.items()}
        if not self.rooted:
            self.rooted = tag == "tt"
            self.clock = _clock_of(plain)
        faults = len(self.faults)
        begin_s, end_s, long_s = (self.time(plain, key) for key in ("begin", "end", "dur"))
        parent_s = self.begins_s[-1] if self.begins_s else 0.0
        self.begins_s.append(parent_s + (begin_s or 0.0))
        if tag == "br" and self.text is not None:
            self.text.append("\n")
        if tag != "p":
            return
        self.text, self.span, self.line = [], None, self.parser.CurrentLineNumber
        if end_s is None and long_s is not None:
            end_s = (begin_s or 0.0) + long_s
        if begin_s is not None and end_s is not None:
            self.span = (parent_s + begin_s, parent_s + end_s)
        elif len(self.faults) == faults and (begin_s is not None or end_s is not None):
            self.fault(UNTIMED)

    def end(self, name: str) -> None:
        self.begins_s.pop()
        if name.rsplit(" ", 1)[-1] != "p" or self.text is None:
            return
        lines = tuple(" ".join(part.split()) for part in "".join(self.text).split("\n"))
        if self.span is not None:
            self.cues.append(Cue(*self.span, lines, self.line))
            if len(self.cues) > MAX_CUES:
                raise CaptionsError(f"more than {MAX_CUES} cues")
        self.text = None

    def data(self, text: str) -> None:
        if self.text is not None:
            self.text.append(text.replace("\n", " "))


def _clock_of(attributes: dict[str, str]) -> _Clock:
    """Reads frame and tick rates from the root's attributes; nonsense leaves the defaults."""
    try:
        frame_hz = float(attributes.get("frameRate", 30))
        if "frameRateMultiplier" in attributes:
            top, bottom = attributes["frameRateMultiplier"].replace(":", " ").split()
            frame_hz *= float(top) / float(bottom)
        default = frame_hz if "frameRate" in attributes else 1.0
        tick_hz = float(attributes.get("tickRate", default))
        if frame_hz > 0 and tick_hz > 0:
            return _Clock(frame_hz, tick_hz)
    except (ValueError, ZeroDivisionError):
        pass
    return _Clock()


def read_ttml(text: str, faults: Sequence[CaptionFault] = ()) -> Captions:
    """Gives the cues of a TTML document, up to where its XML breaks.

    Args:
        text: The whole document.
        faults: What was wrong with its bytes.

    Raises:
        CaptionsError: It declares entities, or has more cues than any programme can have.
    """
    parser = expat.ParserCreate(encoding="utf-8", namespace_separator=" ")
    document = _Document(parser)
    parser.buffer_text = True
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.data
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as error:
        document.faults.append(CaptionFault(error.lineno, BAD_XML))
    if not document.rooted:
        document.cues.clear()
        document.faults.append(CaptionFault(1, BAD_XML))
    found = sorted([*faults, *document.faults], key=lambda fault: fault.source_line)
    return Captions("ttml", tuple(document.cues), tuple(found[:_MAX_FAULTS]))


def _refuse(*_: Any) -> None:
    # Captions need none, and a few lines of them can expand to gigabytes.
    raise CaptionsError("captions that declare XML entities are not read")
