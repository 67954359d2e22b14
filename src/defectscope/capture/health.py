"""How good a capture is by itself: its intervals, what is missing in it, its clock.

Looked at before anything is said of the device: a grabber that comes late makes stutter of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval

HealthVerdict = Literal["good", "fair", "bad"]
# An interval of so many nominal ones has a capture missing in it; one so short came late before it.
_MISSING, _HURRIED = 1.5, 0.5
# Bad places this close together are one.
_JOINED_S = 0.25
# Share of the time in bad places from which a capture is no longer good, and from which it is bad.
_FAIR, _BAD = 0.01, 0.15
# A clock is measured over this long at least: less is the jitter of one arrival.
_DRIFT_S = 5.0


@dataclass(frozen=True)
class CaptureHealth:
    """What a capture's own times say of it.

    Attributes:
        captures: How many there are.
        nominal_ms: Interval that was asked for.
        intervals_ms: 5th percentile, median, 95th percentile and longest of what came.
        missed: Captures that are missing by their times.
        hurried: Captures that came within half an interval of the one before.
        repeated: Captures that equal the one before, sample by sample: the grabber's own doubles,
            or a screen at rest.
        lost: Captures that came and could not be kept.
        drift_ppm: Grabber's clock against this machine's, positive when it is fast; None where the
            capture is too short.
        bad: Where captures are missing or hurried, seconds of the capture.
        bad_share: Share of the capture's length in such places.
        verdict: `good`, `fair` or `bad`.
        sound_gaps: Where sound was lost, seconds of the capture; they are no part of the verdict.
    """

    captures: int
    nominal_ms: float
    intervals_ms: tuple[float, float, float, float]
    missed: int
    hurried: int
    repeated: int
    lost: int
    drift_ppm: float | None
    bad: tuple[Interval, ...]
    bad_share: float
    verdict: HealthVerdict
    sound_gaps: tuple[Interval, ...] = ()

    @property
    def resolution_s(self) -> float:
        """How exact an instant can be told where the capture is good, seconds."""
        return max(self.intervals_ms[1], self.nominal_ms) / 1000

    def is_bad(self, start_s: float, end_s: float) -> bool:
        """Tells whether captures are missing or hurried somewhere in [start_s, end_s]."""
        return any(one.start_s <= end_s and start_s <= one.end_s for one in self.bad)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        names = ("p5", "median", "p95", "longest")
        return {
            "verdict": self.verdict,
            "captures": self.captures,
            "nominal_interval_ms": round(self.nominal_ms, 3),
            "interval_ms": {n: round(v, 3) for n, v in zip(names, self.intervals_ms, strict=True)},
            "missed": self.missed,
            "hurried": self.hurried,
            "repeated": self.repeated,
            "lost": self.lost,
            "drift_ppm": None if self.drift_ppm is None else round(self.drift_ppm, 1),
            "bad_share": round(self.bad_share, 4),
            "bad": [[round(b.start_s, 4), round(b.end_s, 4)] for b in self.bad],
            "sound_gaps": [[round(g.start_s, 4), round(g.end_s, 4)] for g in self.sound_gaps],
        }


def health_of(
    times_s: Sequence[float],
    nominal_fps: float,
    *,
    repeated: int = 0,
    lost: int = 0,
    drift_ppm: float | None = None,
    sound_gaps: tuple[Interval, ...] = (),
) -> CaptureHealth:
    """Returns the health of a capture.

    Args:
        times_s: (captures,) when each was made, by the grabber's clock, seconds, in order.
        nominal_fps: Captures a second that were asked for.
        repeated: Captures that equal the one before.
        lost: Captures that came and could not be kept.
        drift_ppm: As `drift_of` gives it.
        sound_gaps: Where sound was lost, seconds of the capture.
    """
    times = np.asarray(times_s, np.float64)
    nominal_s = 1.0 / nominal_fps
    steps_s = np.diff(times)
    if not len(steps_s):
        empty = (0.0, 0.0, 0.0, 0.0)
        own = (len(times), 1e3 * nominal_s, empty, 0, 0, repeated, lost, drift_ppm, (), 0.0)
        return CaptureHealth(*own, "bad", sound_gaps)
    late = steps_s >= _MISSING * nominal_s
    hurried = steps_s <= _HURRIED * nominal_s
    bad = _joined(times, late | hurried)
    share = sum(one.duration_s for one in bad) / max(times[-1] - times[0], 1e-9)
    low, middle, high = np.quantile(steps_s, [0.05, 0.5, 0.95]).tolist()
    return CaptureHealth(
        captures=len(times),
        nominal_ms=1e3 * nominal_s,
        intervals_ms=(1e3 * low, 1e3 * middle, 1e3 * high, 1e3 * float(steps_s.max())),
        missed=int(np.sum(np.maximum(np.rint(steps_s[late] / nominal_s) - 1, 1))),
        hurried=int(hurried.sum()),
        repeated=repeated,
        lost=lost,
        drift_ppm=drift_ppm,
        bad=bad,
        bad_share=float(share),
        verdict="good" if share < _FAIR and not lost else "fair" if share < _BAD else "bad",
        sound_gaps=sound_gaps,
    )


def drift_of(
    times_s: Sequence[float], arrived_s: Sequence[float], least_s: float = _DRIFT_S
) -> float | None:
    """Returns by how many parts in a million the grabber's clock is fast.

    Each quarter of the capture at either end gives the earliest that anything came: waiting in
    queues makes arrivals later, never earlier.

    Args:
        times_s: (captures,) by the grabber's clock, seconds.
        arrived_s: (captures,) by this machine's clock, seconds.
        least_s: Shortest capture that tells, seconds; None is returned below.
    """
    own, here = np.asarray(times_s, np.float64), np.asarray(arrived_s, np.float64)
    quarter = len(own) // 4
    if quarter < 1 or own[-1] - own[0] < least_s:
        return None
    delay = here - own
    first = int(np.argmin(delay[:quarter]))
    last = len(own) - quarter + int(np.argmin(delay[-quarter:]))
    return float(-1e6 * (delay[last] - delay[first]) / (here[last] - here[first]))


def _joined(times: NDArray[np.float64], off: NDArray[np.bool_]) -> tuple[Interval, ...]:
    found: list[Interval] = []
    for k in np.flatnonzero(off).tolist():
        start_s, end_s = float(times[k]), float(times[k + 1])
        if found and start_s - found[-1].end_s <= _JOINED_S:
            found[-1] = Interval(found[-1].start_s, end_s)
        else:
            found.append(Interval(start_s, end_s))
    return tuple(found)
