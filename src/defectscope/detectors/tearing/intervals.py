"""Intervals of frames whose signs belong together: pure functions over series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.temporal.spans import Rows, bridge

# Steps this close to the middle one are one edge's, as a share of the height.
_EDGE_SHARE = 0.05
# A seam that motion hides for longer than this is another one.
_TRACK_GAP_S = 0.5

# Fewer rows than these tell less: one in them is more of the frame.
_PLENTY_ROWS = 180


def fewness(height_px: int) -> float:
    """Returns how many times more what a frame of few rows shows must be worth."""
    return max(1.0, _PLENTY_ROWS / height_px)


def joined(
    torn: list[Rows], starts_s: NDArray[np.float64], ends_s: NDArray[np.float64], bridge_s: float
) -> list[Rows]:
    """Returns intervals, in order, that overlap or are so close as one."""
    covered: list[Rows] = []
    for first, last in torn:
        if covered and first <= covered[-1][1]:
            covered[-1] = (covered[-1][0], max(covered[-1][1], last))
        else:
            covered.append((first, last))
    return bridge(covered, starts_s, ends_s, bridge_s)


def heaviest(weights: NDArray[np.float64]) -> list[Rows]:
    """Returns the intervals that no other rows would make heavier, disjoint and in order.

    Source: W. L. Ruzzo and M. Tompa, "A linear time algorithm for finding all maximal scoring
    subsequences", ISMB 1999.
    """
    # Candidates: first row, row after the last, total before the first and after the last, and the
    # nearest earlier candidate that began lower, -1 for none.
    found: list[tuple[int, int, float, float, int]] = []
    total = 0.0
    for row, weight in enumerate(weights.tolist()):
        total += weight
        if weight <= 0:
            continue
        first, before = row, total - weight
        while True:
            lower = len(found) - 1
            while lower >= 0 and found[lower][2] >= before:
                lower = found[lower][4]
            if lower < 0 or found[lower][3] >= total:
                break
            first, before = found[lower][0], found[lower][2]
            del found[lower:]
        found.append((first, row + 1, before, total, lower))
    return [(first, last) for first, last, *_ in found]


def in_company(
    returns: NDArray[np.float64], steps: NDArray[np.float64], reach: int
) -> NDArray[np.float64]:
    """Returns what returns are worth: no more than the steps around them.

    Lights that flash and things that swing bring what was before back too; they leave no seam.
    """
    size = 2 * reach + 1
    borne = ndimage.uniform_filter1d(steps, size, mode="constant")
    asked = ndimage.uniform_filter1d(returns, size, mode="constant")
    return returns * np.clip(borne / np.maximum(asked, 1e-9), 0.0, 1.0)


def tracks(
    weight: NDArray[np.float64],
    rows: NDArray[np.float64],
    late: NDArray[np.bool_],
    starts_s: NDArray[np.float64],
    same_px: int,
) -> list[list[int]]:
    """Returns the frames that have something at one row, in one direction, soon after each other.

    Args:
        weight: (n,) what each frame has, 0 for nothing.
        rows: (n,) at which row.
        late: (n,) in which of two directions.
        starts_s: (n,) when.
        same_px: Rows this close are one.
    """
    found: list[list[int]] = []
    open_at: dict[tuple[int, bool], list[int]] = {}
    for at in np.flatnonzero(weight > 0).tolist():
        place = round(float(rows[at]) / same_px)
        going = bool(late[at])
        for near in (place, place - 1, place + 1):
            track = open_at.get((near, going))
            if track is not None and starts_s[at] - starts_s[track[-1]] <= _TRACK_GAP_S:
                track.append(at)
                break
        else:
            track = [at]
            found.append(track)
            open_at[place, going] = track
    return found


def moving_edge_share(rows: NDArray[np.float64], height_px: int, same_px: int) -> float:
    """Returns which share of steps are near each other; 0 if not most, or if at one row.

    The rim of a caption, of a pan or a mouth that leaps by some rows is in one frame alone at each
    of its places. A seam that stays is at one row, and others are anywhere.

    Args:
        rows: (n,) at which row of the frame each step is.
        height_px: Rows of a frame.
        same_px: Rows this close are one.
    """
    if not len(rows):
        return 0.0
    near = np.sort(rows[np.abs(rows - np.median(rows)) <= _EDGE_SHARE * height_px])
    if 2 * len(near) <= len(rows):
        return 0.0
    # How many lie within 2 same_px from each one on.
    together = np.searchsorted(near, near + 2 * same_px, side="right") - np.arange(len(near))
    return len(near) / len(rows) if 4 * int(together.max()) < 3 * len(near) else 0.0


def lags_one_way(lags: NDArray[np.float64], shown: NDArray[np.bool_]) -> float:
    """Returns in how many frames a row lags, in one direction, as a share of all.

    One that lags in the other direction takes three back: what happens by chance goes either way.

    Args:
        lags: (n,) frames by which what is below is late, negative if early.
        shown: (n,) whether the frame lags at the row in question.
    """
    if not len(lags):
        return 0.0
    late, early = int(np.sum(shown & (lags > 0))), int(np.sum(shown & (lags < 0)))
    return max(late - 3 * early, early - 3 * late, 0) / len(lags)
