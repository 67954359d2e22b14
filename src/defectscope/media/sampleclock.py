"""Places decoded runs of sound on the absolute sample grid."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

# Time stamps this far from where the last run ended are a gap or an overlap worth reporting. One
# lost AAC frame is 21 ms at 48 kHz.
_TOLERANCE_S = Fraction(15, 1000)
# Vorbis switches between short and long blocks and its time stamps sway by one long block.
_SWAYING = {"vorbis": Fraction(45, 1000)}
# Further back than any interleaving or splice reaches, a clock has started again.
_RESTART_S = Fraction(2)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a run of sound belongs.

    Attributes:
        position: Of the run's first kept sample, samples from t = 0.
        jump: By how many samples the run misses where it was expected; negative for an overlap,
            0 for what is too small to report.
        left_out: How many of its first samples were presented before already.
        missing: How many samples lack in front of it, too few to leave a gap.
    """

    position: int
    jump: int = 0
    left_out: int = 0
    missing: int = 0


class SampleClock:
    """Gives every run its position; positions only grow.

    Containers round time stamps, so within their rounding runs are counted on from the one before,
    and a first run is counted from the stream's first time stamp: decoding from the middle lands on
    the same samples as decoding from the start. Beyond their rounding time stamps are followed, or
    small faults would add up to another grid.
    """

    def __init__(self, rate_hz: int, codec: str, origin_s: Fraction, first_s: Fraction) -> None:
        self.rate_hz = rate_hz
        self._swaying = int(_SWAYING.get(codec, Fraction(0)) * rate_hz)
        self._tolerance = max(int(_TOLERANCE_S * rate_hz), self._swaying)
        self._restart = int(_RESTART_S * rate_hz)
        self._origin_s = origin_s
        self._first = round((first_s - origin_s) * rate_hz)
        self._expected: int | None = None
        self._shift = 0

    @property
    def position_s(self) -> Fraction:
        """Where the next run is expected, seconds from t = 0; before the first run, minus one."""
        return Fraction(-1) if self._expected is None else Fraction(self._expected, self.rate_hz)

    def place(self, pts: int | None, time_base: Fraction, length: int) -> Placement:
        """Gives the placement of the next run of `length` samples."""
        placement = self._placed(pts, time_base, length)
        self._expected = placement.position + length - placement.left_out
        return placement

    def _placed(self, pts: int | None, time_base: Fraction, length: int) -> Placement:
        expected = self._expected
        if pts is None:
            return Placement(max(0, self._first) if expected is None else expected)
        position = round((pts * time_base - self._origin_s) * self.rate_hz) + self._shift
        rounding = int(time_base * self.rate_hz) + 1
        if expected is None:
            if length > 0:
                counted = self._first + round((position - self._first) / length) * length
                if abs(counted - position) <= rounding:
                    position = counted
            return Placement(position)
        miss = position - expected
        if abs(miss) <= max(rounding, self._swaying):
            return Placement(expected)
        jump = miss if abs(miss) > self._tolerance else 0
        if miss > 0:
            return Placement(position, jump, missing=0 if jump else miss)
        if -miss > self._restart:
            self._shift -= miss
            return Placement(expected, jump)
        return Placement(expected, jump, left_out=min(-miss, length))
