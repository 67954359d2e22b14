"""Places decoded runs of sound on the absolute sample grid."""

from __future__ import annotations

from fractions import Fraction

# Time stamps this far from where the last run ended are a gap or an overlap in the stream; less
# is a container's rounding (1 ms in Matroska). One lost AAC frame is 21 ms at 48 kHz.
_TOLERANCE_S = Fraction(15, 1000)
# Vorbis switches between short and long blocks and its time stamps sway by one long block.
_SWAYING = {"vorbis": Fraction(45, 1000)}


class SampleClock:
    """Gives every run its position, samples from t = 0.

    Containers round time stamps. Runs of one length are therefore counted from the stream's first
    time stamp, so that decoding from the middle lands on the same samples as decoding from the
    start.
    """

    def __init__(self, rate_hz: int, codec: str, origin_s: Fraction, first_s: Fraction) -> None:
        self.rate_hz = rate_hz
        self._tolerance = int(_SWAYING.get(codec, _TOLERANCE_S) * rate_hz)
        self._origin_s = origin_s
        self._first = round((first_s - origin_s) * rate_hz)
        self._expected: int | None = None

    @property
    def position_s(self) -> Fraction:
        """Where the next run is expected, seconds from t = 0; before the first run, minus one."""
        return Fraction(-1) if self._expected is None else Fraction(self._expected, self.rate_hz)

    def place(self, pts: int | None, time_base: Fraction, length: int) -> tuple[int, int]:
        """Gives a run's position and by how many samples it jumps from where it was expected."""
        expected = self._expected
        if pts is None:
            position = expected if expected is not None else max(0, self._first)
        else:
            position = round((pts * time_base - self._origin_s) * self.rate_hz)
        jump = 0
        if expected is None:
            coarse = time_base > Fraction(1, self.rate_hz)
            if coarse and length > 0:
                counted = self._first + round((position - self._first) / length) * length
                rounding = int(time_base * self.rate_hz) + 1
                if abs(counted - position) <= rounding:
                    position = counted
        elif abs(position - expected) <= self._tolerance:
            position = expected
        else:
            jump = position - expected
        self._expected = position + length
        return position, jump
