"""SMPTE timecode on a nominal-rate grid.

Source: SMPTE ST 12-1 (time address, drop-frame compensation).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from defectscope.errors import InvalidParameterError

_PATTERN = re.compile(r"^(\d{2}):([0-5]\d):([0-5]\d)([:;.])(\d{2,3})$")
# Rates whose timecode drops labels, with the labels dropped per minute (ST 12-1, 5.2.2).
_DROPPED_LABELS = {Fraction(30000, 1001): 2, Fraction(60000, 1001): 4}


@dataclass(frozen=True, slots=True)
class Timecode:
    """A frame's address: its number on the grid and how that grid is labelled.

    Attributes:
        frame: Frames since 00:00:00:00.
        rate: Nominal frames per second.
        drop_frame: Labels are dropped so that the address follows real time.
    """

    frame: int
    rate: Fraction
    drop_frame: bool

    @staticmethod
    def zero(rate: Fraction) -> Timecode:
        """Returns 00:00:00:00 on the grid of `rate`, drop-frame where the rate wants it."""
        return Timecode(0, rate, rate in _DROPPED_LABELS)

    @staticmethod
    def parse(text: str, rate: Fraction) -> Timecode:
        """Reads HH:MM:SS:FF; `;` or `.` before the frames means drop-frame.

        Raises:
            InvalidParameterError: It is not a timecode of this rate.
        """
        match = _PATTERN.match(text.strip())
        if match is None:
            raise InvalidParameterError(f"{text!r} is not a timecode (HH:MM:SS:FF)")
        hours, minutes, seconds, separator, frames = match.groups()
        drop = separator != ":" and rate in _DROPPED_LABELS
        per_second = math.ceil(rate)
        if int(frames) >= per_second:
            raise InvalidParameterError(f"{text!r} has a frame number beyond {float(rate):g} fps")
        total_minutes = int(hours) * 60 + int(minutes)
        frame = (total_minutes * 60 + int(seconds)) * per_second + int(frames)
        if drop:
            frame -= _DROPPED_LABELS[rate] * (total_minutes - total_minutes // 10)
        return Timecode(frame, rate, drop)

    def __add__(self, frames: int) -> Timecode:
        return Timecode(self.frame + frames, self.rate, self.drop_frame)

    def __str__(self) -> str:
        per_second = math.ceil(self.rate)
        frame = self.frame
        if self.drop_frame:
            dropped = _DROPPED_LABELS[self.rate]
            per_ten_minutes = per_second * 600 - 9 * dropped
            per_minute = per_second * 60 - dropped
            tens, rest = divmod(frame, per_ten_minutes)
            # The first minute of each ten keeps all its labels.
            minutes = 0 if rest < dropped else (rest - dropped) // per_minute
            frame += dropped * (9 * tens + minutes)
        seconds, frames = divmod(frame, per_second)
        minutes, seconds = divmod(seconds, 60)
        hours = (minutes // 60) % 24
        separator = ";" if self.drop_frame else ":"
        return f"{hours:02d}:{minutes % 60:02d}:{seconds:02d}{separator}{frames:02d}"


def frame_at(time_s: Fraction | float, rate: Fraction) -> int:
    """Returns the frame of the nominal grid that an instant falls on.

    Time stamps that a container has rounded (1 ms in Matroska) are taken to the frame they were
    rounded from.
    """
    position = Fraction(time_s).limit_denominator(1_000_000) * rate
    nearest = round(position)
    # Half a millisecond is what a container's rounding can cost; a frame at 240 fps lasts 4.2 ms.
    if abs(position - nearest) <= Fraction(6, 10_000) * rate:
        return nearest
    return math.floor(position)
