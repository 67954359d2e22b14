"""When frames are shown: a capture out of step gives each another time, and none is missing.

Pure functions over the times of frames. A phone takes a frame when it can, and says when that was:
intervals of 28 to 52 ms instead of 40, all along. What moves evenly then moves unevenly from frame
to frame, which looks like frames that are missing or held.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stutter.naming import WAITING_FRAMES, Event
from defectscope.detectors.stutter.windows import around, window_means, window_quantiles
from defectscope.temporal.spans import Rows, runs

Series = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Frames on either side that say how long a frame is usually shown, and how many are off.
_REACH = 12
# By so much of a usual interval, beside whole ones, an interval is off; containers round to
# milliseconds, which is a tenth of one at 120 frames a second.
_OFF_SHARE = 0.12
# So many of the intervals around are off, for so long.
_LEAST_OFF = 0.4
_LEAST_S = 1.0
# A cadence written as times, 3:2 or 24 in 60, has two or three lengths; a jitter has many.
_LEAST_LENGTHS, _LENGTH_S = 8, 0.001


def jittered(starts_s: Series) -> list[Rows]:
    """Returns the rows [first, last) in which frames come at uneven times.

    Args:
        starts_s: (n,) when each frame is shown, seconds, in order.
    """
    if len(starts_s) < 2 * _REACH:
        return []
    lengths_s = np.diff(starts_s)
    (baseline_s,) = window_quantiles(around(lengths_s, _REACH), [0.5])
    times = lengths_s / np.maximum(baseline_s, 1e-6)
    # A frame that is shown for two intervals is held: that is no jitter.
    off = np.abs(times - np.maximum(np.rint(times), 1.0)) >= _OFF_SHARE
    uneven = window_means(off.astype(np.float64), _REACH) >= _LEAST_OFF
    found: list[Rows] = []
    for first, last in runs(uneven):
        several = len(np.unique(np.rint(lengths_s[first:last] / _LENGTH_S)))
        if starts_s[last] - starts_s[first] >= _LEAST_S and several >= _LEAST_LENGTHS:
            found.append((first, last + 1))
    return found


def outside(uneven: list[Rows], events: list[Event]) -> list[Event]:
    """Returns the events that uneven times do not explain: those elsewhere, and players that wait.

    Args:
        uneven: As `jittered` gives them.
        events: First and last row, what happened there, and how clearly.
    """
    return [
        event
        for event in events
        if event[1] - event[0] >= WAITING_FRAMES
        or not any(first <= event[0] < last for first, last in uneven)
    ]


def spread(starts_s: Series, rows: Rows) -> dict[str, float]:
    """Returns how long frames are shown there: the middle, and all but the outer twentieths, ms."""
    lengths_ms = np.diff(starts_s[slice(*rows)]) * 1000
    low, middle, high = np.quantile(lengths_ms, [0.05, 0.5, 0.95]).tolist()
    return {
        "shortest_shown_ms": round(low, 1),
        "median_shown_ms": round(middle, 1),
        "longest_shown_ms": round(high, 1),
    }
