"""Where one channel is too soft: a change of balance by one amount in every band, undone later.

Notes and voices move the balance of the bands that they fill, each by its own amount. A gain moves
all bands by the same, and only in one channel. Medians over 0.8 s on either side of a block see
through the notes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stereo_image.faults import AUDIBLE_DBFS, Fault
from defectscope.detectors.stereo_image.image import Bands, Pair, Series, sharpest
from defectscope.detectors.stereo_image.meter import BLOCKS_HZ, HOPS_PER_BLOCK
from defectscope.temporal.spans import Rows

Thresholds = Mapping[str, float]
Grid = NDArray[np.float64]

_REACH_BLOCKS = 8
_LEAST_BLOCKS = 4
_GROUP_BLOCKS = 4096
# Bands that must be heard on both sides of a step, and agree on its size in dB.
_LEAST_BANDS = 4
_SPREAD = 0.3
_SPREAD_DB = 0.8
# The rise that ends a fault is the fall that began it, but for what the sources did meanwhile.
_LIKE = (0.6, 1.6)
# Share of the step that the softened channel makes itself, the notes of the moment included.
_ALONE = 0.5
# An imbalance that never ends must have been there for so long, and be twice as large.
_OPEN_S = 3.0
# Ends that are tried for a beginning, the next ones first: between further ones lie others' steps,
# and an hour of them must not be compared with each other.
_MOST_ENDS = 16
# Where everything comes from one side, what changes on the other is only its room.
_ONE_SIDE_DB = 12.0


def imbalanced(pair: Pair, bands: Bands, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Returns where one channel is softer by the same amount in every band.

    Args:
        pair: The front pair by hop, which says when.
        bands: The front pair in bands, which says that.
        tuned: Thresholds.
        min_s: Shortest event, seconds.
    """
    count = len(bands.left)
    if count < 2 * _REACH_BLOCKS:
        return []
    silent = np.minimum(bands.left, bands.right) < AUDIBLE_DBFS
    left, right = (np.where(silent, np.nan, side) for side in (bands.left, bands.right))
    balance = left - right
    change = BandSteps(balance)
    edges = change.edges(tuned["imbalance_step_db"])
    own = [BandSteps(side).size for side in (left, right)] if edges else []
    places = np.array(edges, np.int64)
    found: list[Fault] = []
    reached = 0
    for number, first in enumerate(edges):
        if first < reached:
            continue
        channel = 0 if change.size[first] < 0 else 1
        falls = _closing(change.size, own, places[number + 1 :], first, channel, min_s)
        for last, size in falls:
            wanted = -size if channel == 0 else size
            if size < tuned["imbalance_db"] or not _off_balance(balance, (first, last), wanted):
                continue
            rows = (_at_hop(pair, first), _at_hop(pair, last))
            found.append(Fault(rows, size, channel))
            reached = last
            break
        else:
            # What is undone later did end, though perhaps not to our liking.
            if np.any(change.size[places[number + 1 :]] * change.size[first] < 0):
                continue
            fault = _open_end(pair, change.size, own, balance, first, channel, tuned)
            if fault is not None:
                found.append(fault)
                break
    return found


class BandSteps:
    """By how much bands change at every block, in the unit of their values.

    Attributes:
        size: (n,) the median of the bands; 0 where too few are heard.
        apart: (n,) how far the bands lie from it, median.
    """

    def __init__(self, values: Grid) -> None:
        count = len(values)
        edge = np.full((_REACH_BLOCKS, values.shape[1]), np.nan)
        padded = np.vstack((edge, values, edge))
        self.size, self.apart = np.empty(count), np.empty(count)
        # Windows of a whole hour, and what is sorted of them, would take 40 MB.
        for first in range(0, count, _GROUP_BLOCKS):
            last = min(first + _GROUP_BLOCKS, count)
            group = slice(first, last)
            self.size[group], self.apart[group] = _steps(padded[first : last + 2 * _REACH_BLOCKS])

    def edges(self, least_db: float) -> list[int]:
        """Returns the blocks at which all bands change by at least so much, and alike."""
        size = np.abs(self.size)
        consistent = self.apart <= np.maximum(_SPREAD_DB, _SPREAD * size)
        found: list[int] = []
        for k in np.flatnonzero((size >= least_db) & consistent):
            top = size[max(0, k - 6) : k + 7].max()
            if size[k] == top and (not found or k - found[-1] > 3):
                found.append(int(k))
        return found


def _steps(padded: Grid) -> tuple[Series, Series]:
    """Returns size and disagreement of the steps at all blocks but the outermost on either side."""
    windows = np.lib.stride_tricks.sliding_window_view(padded, _REACH_BLOCKS, axis=0)
    medians = _median(windows)
    count = len(padded) - 2 * _REACH_BLOCKS
    steps = medians[_REACH_BLOCKS : _REACH_BLOCKS + count] - medians[:count]
    audible = np.isfinite(steps).sum(axis=1) >= _LEAST_BANDS
    size = np.where(audible, _median(steps, least=1), 0.0)
    apart = np.where(audible, _median(np.abs(steps - size[:, None]), least=1), np.inf)
    return size, apart


def _median(values: Grid, least: int = _LEAST_BLOCKS) -> Grid:
    """Returns medians along the last axis, NaN where fewer than `least` values are known."""
    known = np.isfinite(values).sum(axis=-1)
    width = values.shape[-1]
    ordered = np.sort(values, axis=-1).reshape(-1)  # NaN goes to the end
    begins = np.arange(0, ordered.size, width).reshape(known.shape)
    low = ordered[begins + np.maximum(known - 1, 0) // 2]
    high = ordered[begins + np.minimum(known // 2, width - 1)]
    return np.where(known >= least, (low + high) / 2, np.nan)


def _closing(
    size: Series,
    own: list[Series],
    later: NDArray[np.int64],
    first: int,
    channel: int,
    min_s: float,
) -> list[tuple[int, float]]:
    """Returns the next edges that undo a fall of one channel, with the size of both together."""
    ratio = -size[later] / size[first]
    both = (abs(size[first]) + np.abs(size[later])) / 2
    alone = (own[channel][later] - own[channel][first]) / 2 / both
    undoes = (later - first >= min_s * BLOCKS_HZ) & (ratio >= _LIKE[0]) & (ratio <= _LIKE[1])
    found = np.flatnonzero(undoes & (alone >= _ALONE))[:_MOST_ENDS]
    return list(zip(later[found].tolist(), both[found].tolist(), strict=True))


def _open_end(
    pair: Pair,
    size: Series,
    own: list[Series],
    balance: Grid,
    first: int,
    channel: int,
    tuned: Thresholds,
) -> Fault | None:
    """Returns an imbalance that lasts to the programme's end, which takes more to believe."""
    fall = abs(float(size[first]))
    alone = -float(own[channel][first]) / fall
    span = (first, len(balance))
    if (
        fall < 2 * tuned["imbalance_db"]
        or alone < _ALONE
        or len(balance) - first < _OPEN_S * BLOCKS_HZ
        or not _off_balance(balance, span, -fall if channel == 0 else fall)
    ):
        return None
    return Fault((_at_hop(pair, first), len(pair.starts_s)), fall, channel)


def _at_hop(pair: Pair, block: int) -> int:
    """Returns the hop near a block at which the balance changes most."""
    balance = pair.levels[0] - pair.levels[1]
    return sharpest(balance, block * HOPS_PER_BLOCK, 2 * HOPS_PER_BLOCK)


def _off_balance(balance: Grid, span: Rows, wanted_db: float) -> bool:
    """Tells whether the balance in a span differs by so much from that beside it, in most bands.

    Args:
        balance: (blocks, bands) left less right, dB, NaN where either is silent.
        span: Blocks.
        wanted_db: The difference that its edges promise.
    """
    first, last = span
    reach = 2 * BLOCKS_HZ
    inside = balance[first + 1 : last - 1]
    outside = np.concatenate((balance[max(0, first - reach) : first], balance[last:][:reach]))
    now, before = _median(inside.T, least=3), _median(outside.T, least=3)
    known = np.isfinite(now) & np.isfinite(before)
    if known.sum() < _LEAST_BANDS - 1:
        return False
    now, before = now[known], before[known]
    apart = (now - before) / wanted_db
    away = np.abs(now) - np.abs(before)
    # A step towards the middle ends an imbalance and begins none.
    return bool(
        np.mean(apart >= 0.5) >= 0.8
        and 0.65 <= np.median(apart) <= 1.5
        and np.median(away) >= 0.5 * abs(wanted_db)
        and np.median(np.abs(before)) <= _ONE_SIDE_DB
    )
