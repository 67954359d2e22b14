"""What lies between the lines of a block grid: pure functions on lines.

A comb says that steps are periodic. Whether they are blocks shows in the cells: luma changes more
across a cell's edge than in its middle, and within it hardly at all. Periodic texture, and grids
that are drawn, have no such cells.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.compression_blockiness.comb import Comb, combs
from defectscope.features.lines import Codes, Lines

Floats = NDArray[np.float64]

_PER_DIRECTION = ("edge_rise", "edge_lead", "flat", "nearly_flat", "outdone")
NAMES = tuple(f"cell_{way}_{name}" for way in ("min", "mean") for name in _PER_DIRECTION)
# Levels are compared this share of the period before and behind a place, and so many samples at
# least: within the cells on either side, so that a line drawn on one ground is no edge.
_REACH_SHARE, _LEAST_REACH_PX = 1 / 4, 2
# A change that counts as more than another, and what a cell that is flat, or nearly, varies by.
_MORE_CODE, _FLAT_CODE, _NEARLY_CODE = 2, 1, 3
# What edges of things count at most.
_MOST_CODE = 24
# Added to both sides of a ratio: what rounding leaves.
_LEAST_CODE = 0.1
_LEAST_CELLS = 3
# Samples of a cell that are looked at.
_MOST_INNER_PX = 16


def cell_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (10,); the lesser and the mean of both directions.

    How much more luma changes across the edges of cells than across their middles, octaves, and how
    much more often by two codes; the share of cells that vary by no more than one code, and by no
    more than three; and of those whose edge is a step of two codes or more and twice what they vary
    by. Zeros without a grid.
    """
    across, down = combs(lines)[0]
    a, b = _measured(lines.across, across), _measured(lines.down, down)
    return np.concatenate([np.minimum(a, b), (a + b) / 2])


def _measured(codes: Codes, comb: Comb) -> Floats:
    """Returns (5,) the measures of one direction."""
    nothing = np.zeros(len(_PER_DIRECTION))
    if not len(comb.near):
        return nothing
    length = codes.shape[1]
    edge = comb.near.reshape(3, -1)[1]
    middle = edge + round(comb.period_px / 2)
    inside = (edge > comb.period_px / 2) & (middle < length - comb.period_px / 2)
    edge, middle = edge[inside], middle[inside]
    if len(edge) < _LEAST_CELLS:
        return nothing
    reach = max(_LEAST_REACH_PX, round(comb.period_px * _REACH_SHARE))
    at_edge, within = _changes(codes, edge, reach), _changes(codes, middle, reach)
    high = float(np.minimum(at_edge, _MOST_CODE).mean())
    low = float(np.minimum(within, _MOST_CODE).mean())
    more = np.count_nonzero(at_edge >= within + _MORE_CODE)
    lead = (more - np.count_nonzero(within >= at_edge + _MORE_CODE)) / at_edge.size
    rise = float(np.log2((high + _LEAST_CODE) / (low + _LEAST_CODE)))
    wide = min(max(2, int(comb.period_px) - 3), _MOST_INNER_PX)
    whole = edge + 1 + wide < length
    first = edge[whole] + 1
    if len(first) < _LEAST_CELLS:
        return nothing
    least = most = codes[:, first]
    for offset in range(1, wide):
        sample = codes[:, first + offset]
        least, most = np.minimum(least, sample), np.maximum(most, sample)
    varies, step = most - least, at_edge[:, whole]
    outdone = (step >= _MORE_CODE) & (varies <= step // 2 + 1)
    shares = [np.count_nonzero(v) / v.size for v in (varies <= _FLAT_CODE, varies <= _NEARLY_CODE)]
    return np.array([rise, lead, *shares, np.count_nonzero(outdone) / outdone.size])


def _changes(codes: Codes, places: NDArray[np.intp], reach: int) -> Codes:
    """Returns (lines, places) how far the levels on either side of some places are apart."""
    return np.abs(codes[:, places + reach] - codes[:, places - reach - 1])
