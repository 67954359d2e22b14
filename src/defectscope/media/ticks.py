"""Time stamps on a grid of the programme's time, in whole numbers: exact, and without fractions."""

from __future__ import annotations

from fractions import Fraction


class Ticks:
    """Maps the time stamps of one track, while its clock keeps its shift.

    Thousands of time stamps a minute are placed: a `Fraction` for each costs more than to measure
    the sound that it belongs to. The results are the same to the last unit.

    Args:
        time_base: Seconds of a tick.
        origin_s: The container's own time of t = 0, seconds.
        shift_s: What the programme's clock adds, seconds.
        rate_hz: Units of the grid a second.
    """

    def __init__(
        self, time_base: Fraction, origin_s: Fraction, shift_s: Fraction, rate_hz: Fraction | int
    ) -> None:
        self._time_base, self._shift_s = time_base, shift_s
        offset_s = shift_s - origin_s
        self._below_s = time_base.denominator * offset_s.denominator
        self._slope_s = time_base.numerator * offset_s.denominator
        self._offset_s = offset_s.numerator * time_base.denominator
        rate = Fraction(rate_hz)
        self._rate, self._below = rate.numerator, self._below_s * rate.denominator

    def is_of(self, time_base: Fraction, shift_s: Fraction) -> bool:
        """Tells whether this maps time stamps of a time base at a shift."""
        same = shift_s is self._shift_s or shift_s == self._shift_s
        return same and (time_base is self._time_base or time_base == self._time_base)

    def seconds(self, pts: int) -> tuple[int, int]:
        """Returns the programme's time of a time stamp: numerator and denominator of seconds."""
        return pts * self._slope_s + self._offset_s, self._below_s

    def units(self, pts: int) -> int:
        """Returns the unit nearest to a time stamp, the even one of two that are as near."""
        above = (pts * self._slope_s + self._offset_s) * self._rate
        whole, rest = divmod(above, self._below)
        twice = 2 * rest - self._below
        return whole + (twice > 0 or (twice == 0 and whole % 2 == 1))
