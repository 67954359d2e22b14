"""Instants of a programme as a user writes them: seconds, a clock, or a timecode."""

from __future__ import annotations

import re

from defectscope.errors import InvalidParameterError
from defectscope.media.stream import StreamInfo
from defectscope.media.timecode import Timecode

_CLOCK = re.compile(r"^(?:(\d+):)?(?:(\d+):)?(\d+(?:\.\d+)?)$")
_TIMECODE = re.compile(r"^\d{2}:\d{2}:\d{2}[:;]\d{2,3}$")


def seconds_of(text: str | float, stream: StreamInfo | None) -> float:
    """Returns an instant in seconds from the first frame.

    `90`, `90.5`, `1:30` and `00:01:30.5` are seconds; `10:01:30:12` is a timecode, counted from
    the source's own start timecode, `;` before the frames where it is drop-frame.

    Args:
        text: What the user wrote, or a number of seconds.
        stream: Facts of the asset; None where they are not known and only seconds can be read.

    Raises:
        InvalidParameterError: It is none of these, or lies before the programme.
    """
    if isinstance(text, int | float):
        return float(text)
    stripped = text.strip()
    if _TIMECODE.match(stripped):
        if stream is None or stream.video is None:
            raise InvalidParameterError(
                f"{stripped}: a timecode needs video whose frame rate is known"
            )
        first = stream.start_timecode or Timecode.zero(stream.video.frame_rate)
        wanted = Timecode.parse(stripped, stream.video.frame_rate)
        frames = wanted.frame - first.frame
        if frames < 0:
            raise InvalidParameterError(
                f"{stripped} lies before the programme, which starts at {first}"
            )
        return float(frames / stream.video.frame_rate)
    match = _CLOCK.match(stripped)
    if match is None:
        raise InvalidParameterError(
            f"{text!r} is no instant: give seconds, H:MM:SS.s or a timecode HH:MM:SS:FF"
        )
    hours_or_minutes, minutes, seconds = match.groups()
    large = [int(part) for part in (hours_or_minutes, minutes) if part is not None]
    total = 0
    for part in large:
        total = total * 60 + part
    return total * 60 + float(seconds) if large else float(seconds)


def is_timecode(text: str | float | None) -> bool:
    """Tells whether an instant can be read only with the frame rate of the asset."""
    return isinstance(text, str) and _TIMECODE.match(text.strip()) is not None
