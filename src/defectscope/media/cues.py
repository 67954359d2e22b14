"""A caption on the programme's clock."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cue:
    """One caption.

    Attributes:
        start_s: When it appears, seconds from t = 0.
        end_s: When it goes; may lie before `start_s` in a broken file.
        lines: Text lines without mark-up.
        source_line: Line number in the side-car file, 1-based; None for embedded tracks.
    """

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    source_line: int | None = None


# Everything that reading can survive, so that a fault is a number wherever text would be too long.
FAULTS = (
    "the text is not UTF-8",
    "a WebVTT file must begin with WEBVTT",
    "these are not two times around an arrow",
    "this is not a time",
    "a cue without its times",
    "the XML is damaged",
    "a paragraph without its times",
    "more cues than anyone can read",
)
NOT_UTF8, NO_HEADER, BAD_ARROW, BAD_TIME, NO_TIMES, BAD_XML, UNTIMED, TOO_MANY = FAULTS


@dataclass(frozen=True, slots=True)
class CaptionFault:
    """Something in a side-car file that breaks its format.

    Attributes:
        source_line: Line number, 1-based.
        message: What is wrong, one of `FAULTS`.
    """

    source_line: int
    message: str


@dataclass(frozen=True, slots=True)
class Captions:
    """A caption track.

    Attributes:
        format: `webvtt`, `srt`, `ttml`, `stl`, or the codec's name for an embedded track.
        cues: In file order, which is time order only in a sound file.
        faults: Format errors that reading survived.
    """

    format: str
    cues: tuple[Cue, ...]
    faults: tuple[CaptionFault, ...] = ()
