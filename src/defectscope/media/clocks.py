"""The programme's clock: it goes on where the stream's own starts again, jumps or wraps.

A stream that was joined from parts, or sent on by a device that was restarted, begins a new time
base (ISO/IEC 13818-1, 2.4.3.5 allows it). Frames and sound cross to it one after the other; both
follow the same shift, which whoever comes first sets, so that they stay in step.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

# Time stamps that go back by more than any splice repeats or reordering costs.
BACK_S = Fraction(1, 2)
# Source: ffmpeg's -dts_delta_threshold, from which on it takes a step for a new clock.
FORWARD_S = Fraction(10)
# How far frames and sound may be apart when they cross to a new clock.
_APART_S = Fraction(2)
# 33 bits of 90 kHz (ISO/IEC 13818-1, 2.4.3.7).
_WRAP_S = Fraction(2**33, 90_000)
# Formats whose time stamps are a sender's clock; in others a long step is how long a frame stays.
SENT = ("mpegts", "mpeg", "flv", "mpegtsraw", "rtp", "rtsp")


@dataclass(frozen=True, slots=True)
class Shifted:
    """What the clock says of a time stamp.

    Attributes:
        shift_s: To add to the stream's own time, seconds.
        jump_s: By how much its clock had jumped, where this is the first to notice; else 0.
        crossed: This is the first time stamp of its track on a new clock.
    """

    shift_s: Fraction
    jump_s: Fraction = Fraction(0)
    crossed: bool = False


class ProgrammeClock:
    """Shifts the time stamps of all tracks so that the programme's time goes on.

    Args:
        container: Format name, which says whether time stamps are a sender's clock.
    """

    def __init__(self, container: str) -> None:
        self._sent = any(name in container.split(",") for name in SENT)
        self._shifts: list[Fraction] = [Fraction(0)]
        self._epoch: dict[int, int] = {}
        # Numerator and denominator, as `went_on` gives them.
        self._reached: dict[int, tuple[int, int]] = {}

    @property
    def shift_s(self) -> Fraction:
        """The shift that tracks without a clock of their own, captions, follow: the latest."""
        return self._shifts[-1]

    def shift_of(self, track: int) -> Fraction:
        """Returns the shift that a track follows now, seconds."""
        return self._shifts[self._epoch.setdefault(track, 0)]

    def went_on(self, track: int, numerator: int, denominator: int) -> None:
        """Notes the programme's time of a time stamp that came where it was expected.

        `place` says and does the same of it, at the price of fractions.

        Args:
            track: The track's number.
            numerator: Of the programme's time, with `denominator` under it, seconds.
            denominator: Above 0.
        """
        self._reached[track] = numerator, denominator

    def place(self, track: int, time_s: Fraction, expected_s: Fraction | None) -> Shifted:
        """Returns the shift of a time stamp.

        Args:
            track: The track's number.
            time_s: The time stamp, seconds from t = 0 on the stream's own clock.
            expected_s: Where the programme's time had come to on this track; None at its start.
        """
        epoch = self._epoch.setdefault(track, 0)
        shift = self._shifts[epoch]
        placed = time_s + shift
        if expected_s is not None and self._is_new(track, placed, expected_s):
            return self._crossed(track, time_s, expected_s)
        self._reached[track] = placed.as_integer_ratio()
        return Shifted(shift)

    def _is_new(self, track: int, placed_s: Fraction, expected_s: Fraction) -> bool:
        step = placed_s - expected_s
        if step < -BACK_S:
            return True
        if step <= FORWARD_S or not self._sent:
            return False
        # The others have come as far: this track alone had nothing to show.
        others = [Fraction(*at) for other, at in self._reached.items() if other != track]
        return all(abs(at - placed_s) > _APART_S for at in others)

    def _crossed(self, track: int, time_s: Fraction, expected_s: Fraction) -> Shifted:
        epoch = self._epoch[track]
        for later in range(epoch + 1, len(self._shifts)):
            if abs(time_s + self._shifts[later] - expected_s) <= _APART_S:
                self._epoch[track] = later
                self._reached[track] = (time_s + self._shifts[later]).as_integer_ratio()
                return Shifted(self._shifts[later], crossed=True)
        jump = time_s + self._shifts[epoch] - expected_s
        wraps = round(jump / _WRAP_S)
        self._epoch[track] = len(self._shifts)
        if wraps and abs(jump - wraps * _WRAP_S) <= _APART_S:
            # The counter went round, which is no fault.
            self._shifts.append(self._shifts[epoch] - wraps * _WRAP_S)
            jump = Fraction(0)
        else:
            self._shifts.append(expected_s - time_s)
        self._reached[track] = (time_s + self._shifts[-1]).as_integer_ratio()
        return Shifted(self._shifts[-1], jump, crossed=True)
