"""Lays grabbed sound beside the captures: one grid of samples that follows the grabber's clock."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.health import drift_of
from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.media.sound_grabbing import SoundGrab

# Sound that is this late or early was lost on its way; less is the jitter of its time stamps.
_GAP_S = 0.05
# A sample more or fewer a run keeps up with the clock, once it is this far off on average.
_OFF_S = 0.002
# How many runs that average holds: half a second of 20 ms each.
_RUNS = 25
# Servers of sound hand on runs some milliseconds early or late: 100 ppm of a minute.
_DRIFT_S = 60.0


class SoundTrack:
    """Places each run of sound; seconds of the capture are those of its pictures.

    A sound card's clock and Unix time part by some ten parts in a million, so the sound is
    stretched by single samples; silence stands only where sound was lost.

    Attributes:
        gaps: Where sound was lost, seconds of the capture.
    """

    def __init__(self, rate_hz: int, first_s: float) -> None:
        """Begins a track.

        Args:
            rate_hz: Samples a second.
            first_s: Unix time of the first capture, seconds.
        """
        self.gaps: list[Interval] = []
        self._rate_hz, self._first_s = rate_hz, first_s
        self._next: int | None = None
        self._off = 0.0
        # Samples that came and that were lost so far, and when this machine had each run.
        self._counted = 0
        self._counted_s: list[float] = []
        self._arrived_s: list[float] = []

    @property
    def drift_ppm(self) -> float | None:
        """By how many parts in a million the card gives more samples than its rate.

        None below a minute.
        """
        return drift_of(self._counted_s, self._arrived_s, _DRIFT_S)

    def take(self, grab: SoundGrab) -> Samples | None:
        """Returns a run in its place; None where it lies before the first capture."""
        due = round((grab.at_s - self._first_s) * self._rate_hz)
        data = grab.data
        if self._next is None:
            # What came before the first capture belongs to nothing.
            data = data[max(0, -due) :]
            if not len(data):
                return None
            self._next = max(0, due)
            due = self._next
        off = due - self._next
        if abs(off) > _GAP_S * self._rate_hz:
            if off > 0:
                self.gaps.append(Interval(self._next / self._rate_hz, due / self._rate_hz))
                self._counted += off
            self._next, self._off, off = due, 0.0, 0
        self._counted += len(data)
        self._counted_s.append(self._counted / self._rate_hz)
        self._arrived_s.append(grab.arrived_s)
        self._off += (off - self._off) / _RUNS
        if abs(self._off) > _OFF_S * self._rate_hz:
            step = 1 if self._off > 0 else -1
            data = _resampled(data, len(data) + step)
        start = self._next
        self._next += len(data)
        return Samples(start, data)


def _resampled(data: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """Returns a run with so many samples, its ends where they were."""
    at = np.linspace(0, len(data) - 1, samples)
    ticks = np.arange(len(data))
    return np.stack([np.interp(at, ticks, one) for one in data.T], axis=1).astype(np.float32)
