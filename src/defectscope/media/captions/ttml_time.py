"""Time expressions of TTML and IMSC, with what the root element says about frames and ticks.

Source: W3C TTML2, sections 7.2 (parameters), 12.3 (time expressions) and annex I (time bases);
SMPTE ST 12-1 for drop-frame counting.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

_CLOCK = re.compile(r"(\d{2,4}):(\d{2}):(\d{2})(?:(\.\d{1,18})|:(\d{2,3})(?:\.(\d{1,6}))?)?")
_OFFSET = re.compile(r"(\d{1,15}(?:\.\d{1,18})?)(h|ms|m|s|f|t)")
_UNIT_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
# Dropped frame numbers at every minute but each tenth, by nominal rate.
_DROPPED = {"dropNTSC": 2, "dropPAL": 4}


@dataclass(frozen=True, slots=True)
class TimeBase:
    """What a document says about its clock.

    Attributes:
        frame_hz: Effective frames per second.
        nominal_hz: Frame numbers per second of a time code.
        sub_frames: Sub-frames per frame.
        tick_hz: Ticks per second.
        smpte: Times are time codes: frames are counted, seconds are not.
        dropped: Frame numbers left out at most full minutes.
    """

    frame_hz: float = 30.0
    nominal_hz: int = 30
    sub_frames: int = 1
    tick_hz: float = 1.0
    smpte: bool = False
    dropped: int = 0

    def seconds(self, text: str) -> float | None:
        """Returns a time expression in seconds, None for what is none."""
        found = _CLOCK.fullmatch(text.strip())
        if found is not None:
            return self._clock_s(found)
        found = _OFFSET.fullmatch(text.strip())
        if found is None:
            return None
        number, unit = float(found[1]), found[2]
        if unit in _UNIT_S:
            return number * _UNIT_S[unit]
        return number / (self.frame_hz if unit == "f" else self.tick_hz)

    def _clock_s(self, found: re.Match[str]) -> float | None:
        hours, minutes, whole, fraction, frames, parts = found.groups()
        if int(minutes) > 59 or int(whole) > 60:
            return None
        seconds = int(hours) * 3600 + int(minutes) * 60 + int(whole)
        count = int(frames or 0) + int(parts or 0) / self.sub_frames
        if not self.smpte:
            return seconds + float(fraction or 0) + count / self.frame_hz
        full_minutes = int(hours) * 60 + int(minutes)
        numbered = seconds * self.nominal_hz + count
        numbered -= self.dropped * (full_minutes - full_minutes // 10)
        return numbered / self.frame_hz + float(fraction or 0)


def time_base(attributes: Mapping[str, str]) -> TimeBase:
    """Returns the clock that a root element's attributes describe; nonsense leaves the defaults.

    Args:
        attributes: By local name.
    """
    try:
        nominal_hz = int(attributes.get("frameRate", 30))
        frame_hz = Fraction(nominal_hz)
        if "frameRateMultiplier" in attributes:
            top, bottom = attributes["frameRateMultiplier"].replace(":", " ").split()
            frame_hz *= Fraction(int(top), int(bottom))
        sub_frames = int(attributes.get("subFrameRate", 1))
        default = frame_hz * sub_frames if "frameRate" in attributes else Fraction(1)
        tick_hz = int(attributes["tickRate"]) if "tickRate" in attributes else default
        if min(nominal_hz, frame_hz, sub_frames, tick_hz) <= 0 or nominal_hz > 10_000:
            return TimeBase()
        smpte = attributes.get("timeBase") == "smpte"
        dropped = _DROPPED.get(attributes.get("dropMode", ""), 0)
        return TimeBase(float(frame_hz), nominal_hz, sub_frames, float(tick_hz), smpte, dropped)
    except (ValueError, ZeroDivisionError, OverflowError):
        return TimeBase()
