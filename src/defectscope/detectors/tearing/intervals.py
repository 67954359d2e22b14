"""Intervals of frames whose signs belong together: pure functions over series."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.temporal.spans import Rows

# A seam that motion hides for longer than this is another one.
_TRACK_GAP_S = 0.5


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
