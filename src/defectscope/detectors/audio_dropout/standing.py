"""Where a channel goes on with the last sample that it had: a pure function over held hops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_dropout.levels import HOPS_HZ
from defectscope.measurements import Table
from defectscope.temporal.spans import runs
from defectscope.temporal.tables import column, times_s

# A held value stays what it is, but for this share of it: an encode's ripples. What rumbles drifts.
_SAME_SHARE = 0.04
# In fewer hops, a rumble may stand still at its crest.
_LEAST_HOPS = 4
# A value at which sound stands in so many other places is the recording's own offset.
_OFFSET_PLACES = 3


def standing(held: Table, channel: int, starts_s: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Returns in which hops a channel stands still at a value of its own, (hops,).

    Args:
        held: Hop, channel and value of each hop that stands still off zero.
        channel: Which channel.
        starts_s: (hops,) when each hop of the programme begins.
    """
    out = np.zeros(len(starts_s), np.bool_)
    mine = column(held, "channel") == channel
    if not mine.any():
        return out
    hops = np.rint((times_s(held)[mine] - starts_s[0]) * HOPS_HZ).astype(np.int64)
    values = np.full(len(starts_s), np.nan)
    inside = (hops >= 0) & (hops < len(out))
    values[hops[inside]] = column(held, "value")[mine][inside]
    places: list[tuple[int, int, float]] = []
    for first, last in runs(~np.isnan(values)):
        middle = float(np.median(values[first:last]))
        places.append((first, last, middle))
    middles = np.array([value for *_, value in places])
    for first, last, middle in places:
        same = np.abs(middles - middle) <= _SAME_SHARE * abs(middle)
        if same.sum() <= _OFFSET_PLACES:
            near = np.abs(values[first:last] - middle) <= _SAME_SHARE * abs(middle)
            out[first:last] = near & (near.sum() >= _LEAST_HOPS)
    return out
