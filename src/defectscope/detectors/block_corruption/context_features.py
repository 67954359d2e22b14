"""What tells damage in an evaluated frame: what the network says of it and of the frames around it.

The network sees a fiftieth of a second. What lasts a little, begins suddenly or stands out from
what the programme always looks like is the surer sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Added to shares before their logarithm: about a cell of 360 lines in four.
_LEAST_SHARE = 0.001
# What is usual is the lower tenth of the scores of 21 seconds; docs/results/block_corruption.md.
_BASELINE_REACH_S = 10
_BASELINE_PERCENTILE = 10
# Suspicious times are looked at more often: what is seen in so long counts as one look does.
_EQUAL_S = 0.5
# Frames this near tell about each other: means of a second on either side, extremes of a little
# more than a half second, so that the next half second's first look is among them.
_MEAN_REACH_S = 1.0
_NEAR_REACH_S = 0.6
_ROUNDING_S = 1e-6

Floats = NDArray[np.float64]


def context_features(logits: Floats, shares: Floats, at_s: Floats) -> dict[str, Floats]:
    """Returns what tells damage in evaluated frames.

    Args:
        logits: The network's decision.
        shares: Share of the frame that its map calls damaged.
        at_s: Instants, rising.

    Returns:
        By name: the decision and how far it rises above what is usual; the logarithm of the area
        and its rise; the mean decision of the second before and of the second after; the highest
        and the lowest decision near by.
    """
    spread = np.log(shares + _LEAST_SHARE)
    highest, lowest = _extremes(logits, at_s)
    return {
        "logit": logits,
        "logit_rise": logits - baseline(logits, at_s),
        "area": spread,
        "area_rise": spread - baseline(spread, at_s),
        "before": _mean(logits, at_s, -_MEAN_REACH_S - _ROUNDING_S, -_ROUNDING_S),
        "after": _mean(logits, at_s, _ROUNDING_S, _MEAN_REACH_S + _ROUNDING_S),
        "highest": highest,
        "lowest": lowest,
    }


def baseline(scores: Floats, times_s: Floats) -> Floats:
    """Returns for each evaluated frame what is usual around it: a low percentile of the scores.

    Some content looks more like damage than other content does, all the time. What rises above
    that is the surer sign. Every half second weighs the same, however many of its frames were
    looked at.

    Args:
        scores: Of evaluated frames.
        times_s: Their instants, rising.
    """
    seconds = np.floor(times_s).astype(np.int64)
    first = np.searchsorted(seconds, seconds - _BASELINE_REACH_S, side="left")
    stop = np.searchsorted(seconds, seconds + _BASELINE_REACH_S, side="right")
    _, place, count = np.unique(
        np.floor((times_s + _ROUNDING_S) / _EQUAL_S), return_inverse=True, return_counts=True
    )
    weights = 1 / count[place]
    out = np.empty(len(scores))
    # One search for all frames of a second: their surroundings are the same.
    for k in np.unique(seconds, return_index=True)[1].tolist():
        own = slice(k, int(np.searchsorted(seconds, seconds[k], side="right")))
        near = slice(first[k], stop[k])
        out[own] = _percentile(scores[near], weights[near], _BASELINE_PERCENTILE)
    return out


def _percentile(values: Floats, weights: Floats, percent: float) -> float:
    """Returns a percentile of weighted values: NumPy's own where all weigh the same."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) - weights[order]
    return float(np.interp(percent / 100 * below[-1], below, values[order]))


def _mean(values: Floats, at_s: Floats, low_s: float, high_s: float) -> Floats:
    """The mean over a span relative to each frame; its own value where nothing lies in it."""
    first = np.searchsorted(at_s, at_s + low_s)
    stop = np.searchsorted(at_s, at_s + high_s)
    sums = np.append(0.0, np.cumsum(values))
    count = stop - first
    return np.where(count > 0, (sums[stop] - sums[first]) / np.maximum(count, 1), values)


def _extremes(values: Floats, at_s: Floats) -> tuple[Floats, Floats]:
    """The highest and the lowest value within reach of each frame, its own among them."""
    highest, lowest = values.copy(), values.copy()
    for apart in range(1, len(values)):
        near: NDArray[Any] = at_s[apart:] - at_s[:-apart] <= _NEAR_REACH_S
        if not near.any():
            break
        for mine, other in (
            (slice(apart, None), slice(None, -apart)),
            (slice(None, -apart), slice(apart, None)),
        ):
            highest[mine] = np.where(near, np.maximum(highest[mine], values[other]), highest[mine])
            lowest[mine] = np.where(near, np.minimum(lowest[mine], values[other]), lowest[mine])
    return highest, lowest
