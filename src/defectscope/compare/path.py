"""Pairs the frames of two versions in order: banded dynamic programming with a cost for gaps.

In one row (a frame of the baseline) the best way to every frame of the candidate within the band
comes from the row before (paired, or the baseline's frame left out) or from the left (a frame of
the candidate put in). The last is a running minimum, so that a row is a few operations on arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_PAIR, _LEFT_OUT, _PUT_IN = 0, 1, 2

# Costs in units of the typical squared residual of a true pair.
GAP_COST = 4.0
# A pair costs its residual less this: true pairs lower the cost, alien frames are left alone.
_PAIR_BONUS = 6.0
# How far from the expected way a pair is looked for, in frames: from one laid through anchors, and
# from one that went over all frames before.
BAND_FRAMES, NEAR_FRAMES = 96, 24
_FAR = 1e12

# What a frame costs that is repeated or left out to reach another frame rate.
_EXPECTED_GAP_COST = 0.5
# From this ratio of frames on, repeats (or drops) are expected.
_OTHER_RATE = 1.2


@dataclass(frozen=True)
class GapCosts:
    """What it costs to leave a frame of the baseline out, or to put one into the candidate."""

    leave_out: float = GAP_COST
    put_in: float = GAP_COST


def gap_costs(frames_per_frame: float) -> GapCosts:
    """Returns the costs for a candidate that shows this many frames for one of the baseline."""
    return GapCosts(
        _EXPECTED_GAP_COST if frames_per_frame < 1 / _OTHER_RATE else GAP_COST,
        _EXPECTED_GAP_COST if frames_per_frame > _OTHER_RATE else GAP_COST,
    )


# Returns what it costs to pair a frame of the baseline with candidates [first, last).
CostOf = Callable[[int, int, int], NDArray[np.float64]]


@dataclass(frozen=True)
class Band:
    """Which candidates are tried for each frame of the baseline: columns [low, high).

    Columns count steps between frames: column 0 lies before the first frame of the candidate.

    Attributes:
        low: (rows + 1,) first column, ascending.
        high: (rows + 1,) column after the last, ascending.
    """

    low: NDArray[np.int64]
    high: NDArray[np.int64]


def band_around(
    expected: NDArray[np.float64], columns: int, frames: int | NDArray[np.int64] = BAND_FRAMES
) -> Band:
    """Returns the band around an expected way; where that jumps, the band covers the jump.

    Args:
        expected: (rows,) candidate frame expected for each frame of the baseline, ascending.
        columns: Frames of the candidate.
        frames: How far from the way; one number, or one for each frame of the baseline.
    """
    rows = len(expected)
    reach = np.broadcast_to(np.asarray(frames, np.int64), rows)
    reach = np.concatenate([reach[:1], reach])
    way = np.concatenate([expected[:1], expected]).clip(0, columns)
    early = way[np.maximum(np.arange(rows + 1) - reach, 0)]
    late = way[np.minimum(np.arange(rows + 1) + reach, rows)]
    low = np.floor(early - reach).clip(0, columns).astype(np.int64)
    high = np.ceil(late + reach + 1).clip(1, columns + 1).astype(np.int64)
    low[0], high[-1] = 0, columns + 1
    # Where the reach changes, the wider one counts: both edges ascend.
    return Band(np.minimum.accumulate(low[::-1])[::-1], np.maximum.accumulate(high))


def pair_frames(
    band: Band, columns: int, cost_of: CostOf, gaps: GapCosts = GapCosts()
) -> NDArray[np.int64]:
    """Returns for each frame of the baseline its frame of the candidate, or -1.

    Frames left out before the first pair and after the last cost nothing: versions may begin and
    end at different moments.

    Args:
        band: Which candidates are tried.
        columns: Frames of the candidate.
        cost_of: What a pair costs.
        gaps: What frames without a pair cost.
    """
    rows = len(band.low) - 1
    moves: list[NDArray[np.uint8]] = []
    above, above_first = np.zeros(int(band.high[0])), 0
    edge = np.full(rows + 1, _FAR)
    for i in range(1, rows + 1):
        first, last = int(band.low[i]), int(band.high[i])
        above, move = _next_row(above, above_first, first, last, cost_of, i - 1, gaps)
        above_first = first
        moves.append(move)
        if last == columns + 1:
            edge[i] = above[-1]
    return _walk_back(moves, band, above, edge, columns)


def _next_row(
    above: NDArray[np.float64],
    above_first: int,
    first: int,
    last: int,
    cost_of: CostOf,
    frame: int,
    gaps: GapCosts,
) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    size = last - first
    straight = np.full(size, _FAR)
    diagonal = np.full(size, _FAR)
    low, high = max(first, above_first), min(last, above_first + len(above))
    if high > low:
        straight[low - first : high - first] = (
            above[low - above_first : high - above_first] + gaps.leave_out
        )
    low, high = max(first, above_first + 1), min(last, above_first + len(above) + 1)
    if high > low:
        residual = cost_of(frame, low - 1, high - 1)
        before = above[low - 1 - above_first : high - 1 - above_first]
        diagonal[low - first : high - first] = before + residual - _PAIR_BONUS
    if first == 0:
        straight[0] = 0.0
    best = np.minimum(diagonal, straight)
    move = np.where(diagonal <= straight, _PAIR, _LEFT_OUT).astype(np.uint8)
    climb = gaps.put_in * np.arange(size)
    running = np.minimum.accumulate(best - climb) + climb
    move[running < best - 1e-9] = _PUT_IN
    return np.asarray(running, np.float64), move


def _walk_back(
    moves: list[NDArray[np.uint8]],
    band: Band,
    bottom: NDArray[np.float64],
    edge: NDArray[np.float64],
    columns: int,
) -> NDArray[np.int64]:
    rows = len(moves)
    paired = np.full(rows, -1, np.int64)
    at_bottom, at_edge = int(bottom.argmin()), int(edge.argmin())
    if bottom[at_bottom] <= edge[at_edge]:
        i, j = rows, int(band.low[rows]) + at_bottom
    else:
        i, j = at_edge, columns
    while i > 0 and j > 0:
        move = int(moves[i - 1][j - band.low[i]])
        if move == _PAIR:
            i, j = i - 1, j - 1
            paired[i] = j
        elif move == _LEFT_OUT:
            i -= 1
        else:
            j -= 1
    return paired
