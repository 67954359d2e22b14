"""Places decoded runs of sound on the absolute sample grid."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from defectscope.media.clocks import BACK_S, ProgrammeClock
from defectscope.media.ticks import Ticks

# Time stamps this far from where the last run ended are a gap or an overlap worth reporting. One
# lost AAC frame is 21 ms at 48 kHz.
_TOLERANCE_S = Fraction(15, 1000)
# Vorbis switches between short and long blocks and its time stamps sway by one long block.
_SWAYING = {"vorbis": Fraction(45, 1000)}
# Where the clock starts again, tracks end and begin a little apart.
_SPLICE_S = Fraction(1, 5)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a run of sound belongs.

    Attributes:
        position: Of the run's first kept sample, samples from t = 0.
        jump: By how many samples the run misses where it was expected; negative for an overlap,
            0 for what is too small to report.
        left_out: How many of its first samples were presented before already.
        missing: How many samples lack in front of it, too few to leave a gap.
        clock_jump_s: By how much the stream's clock had jumped in front of it, seconds.
    """

    position: int
    jump: int = 0
    left_out: int = 0
    missing: int = 0
    clock_jump_s: float = 0.0


class SampleClock:
    """Returns every run its position; positions only grow.

    Containers round time stamps, so within their rounding runs are counted on from the one before,
    and a first run is counted from the stream's first time stamp: decoding from the middle lands on
    the same samples as decoding from the start. Beyond their rounding time stamps are followed, or
    small faults would add up to another grid.
    """

    def __init__(
        self,
        rate_hz: int,
        codec: str,
        origin_s: Fraction,
        first_s: Fraction,
        *,
        programme: ProgrammeClock | None = None,
        track: int = 0,
    ) -> None:
        self.rate_hz = rate_hz
        self._swaying = int(_SWAYING.get(codec, Fraction(0)) * rate_hz)
        self._tolerance = max(int(_TOLERANCE_S * rate_hz), self._swaying)
        self._origin_s = origin_s
        self._first = round((first_s - origin_s) * rate_hz)
        self._expected: int | None = None
        self._programme = programme or ProgrammeClock("")
        self._track = track
        # How time stamps fall on the grid at the present shift, and how near they need to come.
        self._ticks: Ticks | None = None
        self._near = 0

    @property
    def position_s(self) -> Fraction:
        """Where the next run is expected, seconds from t = 0; before the first run, minus one."""
        return Fraction(-1) if self._expected is None else Fraction(self._expected, self.rate_hz)

    def place(self, pts: int | None, time_base: Fraction, length: int) -> Placement:
        """Returns the placement of the next run of `length` samples."""
        expected = self._expected
        if pts is not None and expected is not None and self._goes_on(pts, time_base, expected):
            self._expected = expected + length
            return Placement(expected)
        placement = self._placed(pts, time_base, length)
        self._expected = placement.position + length - placement.left_out
        return placement

    def _goes_on(self, pts: int, time_base: Fraction, expected: int) -> bool:
        """Tells whether a run comes where it is expected, as nearly all do."""
        shift_s = self._programme.shift_of(self._track)
        ticks = self._ticks
        if ticks is None or not ticks.is_of(time_base, shift_s):
            ticks = self._ticks = Ticks(time_base, self._origin_s, shift_s, self.rate_hz)
            self._near = min(
                max(int(time_base * self.rate_hz) + 1, self._swaying),
                int(BACK_S * self.rate_hz) - 1,
            )
        if abs(ticks.units(pts) - expected) > self._near:
            return False
        self._programme.went_on(self._track, *ticks.seconds(pts))
        return True

    def _placed(self, pts: int | None, time_base: Fraction, length: int) -> Placement:
        expected = self._expected
        if pts is None:
            return Placement(max(0, self._first) if expected is None else expected)
        time_s = pts * time_base - self._origin_s
        at_s = None if expected is None else Fraction(expected, self.rate_hz)
        shifted = self._programme.place(self._track, time_s, at_s)
        clock_jump_s = float(shifted.jump_s)
        position = round((time_s + shifted.shift_s) * self.rate_hz)
        rounding = int(time_base * self.rate_hz) + 1
        if expected is None:
            if length > 0:
                counted = self._first + round((position - self._first) / length) * length
                if abs(counted - position) <= rounding:
                    position = counted
            return Placement(position)
        miss = position - expected
        if abs(miss) <= max(rounding, self._swaying):
            return Placement(expected, clock_jump_s=clock_jump_s)
        if shifted.crossed and abs(miss) <= _SPLICE_S * self.rate_hz:
            if miss > 0:
                return Placement(position, missing=miss, clock_jump_s=clock_jump_s)
            return Placement(expected, left_out=min(-miss, length), clock_jump_s=clock_jump_s)
        jump = miss if abs(miss) > self._tolerance else 0
        if miss > 0:
            missing = 0 if jump else miss
            return Placement(position, jump, missing=missing, clock_jump_s=clock_jump_s)
        return Placement(expected, jump, left_out=min(-miss, length), clock_jump_s=clock_jump_s)
