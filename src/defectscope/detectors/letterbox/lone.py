"""One bar alone, of a raster out of place: pure functions over the borders of each frame.

Night skies, stages and dark floors are black on one side, too. A bar is flat, ends on the same line
in every frame, with the frame's own light along the whole of it, and is there from one frame to
the next.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.letterbox.shapes import Bars
from defectscope.temporal.spans import bridge
from defectscope.temporal.spans import runs as runs_of

# The bar stands on one line, or the next, in so many of its frames.
_STEADY_SHARE = 0.95
# So much of it has nothing in it; next to the edge, encodes ring.
_PLAIN_SHARE = 0.6
# Beyond either end of its time there is at most so much of it.
_GONE_SHARE = 0.5
# Frames that a bar takes to come or go.
_COMES_FRAMES = 2
# Dark frames hide a bar for so long at most.
_HIDDEN_S = 0.5
# A bar that stands for more of the programme than this is how it was made.
_MOST_SHARE = 2 / 3


def lone_bars(
    measured: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    lit: NDArray[np.bool_],
    times_s: tuple[NDArray[np.float64], NDArray[np.float64]],
    sizes_px: tuple[int, int, int, int],
    min_share: float,
    limits: Mapping[str, float],
) -> list[Bars]:
    """Returns where one side alone has a bar that comes and goes.

    Args:
        measured: Three of (rows, 4), for top, bottom, left and right: dark lines, those of them in
            which nothing is drawn, and how much brighter the frame is next to them, codes.
        lit: (rows,) whether the frame between them is lit.
        times_s: When each row begins, and when it ends, (rows,) each.
        sizes_px: Lines of the frame, along each side's axis.
        min_share: Thinner bars do not count, share of the side.
        limits: Tuned thresholds.
    """
    (sides, plain, edges_code), (starts_s, ends_s) = measured, times_s
    found: list[Bars] = []
    for side in range(4):
        lines, opposite = sides[:, side], sides[:, side ^ 1]
        least = max(2.0, min_share * sizes_px[side])
        there = lit & (lines >= least) & (opposite * limits["asymmetry"] < lines)
        there &= edges_code[:, side] >= limits["lone_edge_code"]
        there &= plain[:, side] >= _PLAIN_SHARE * lines
        for first, last in bridge(runs_of(there), starts_s, ends_s, _HIDDEN_S):
            px = int(np.median(lines[first:last][there[first:last]]))
            near = np.abs(lines[first:last] - px) <= 1
            if np.mean(near) < _STEADY_SHARE or not _comes_and_goes(lines, first, last, px):
                continue
            if ends_s[last - 1] - starts_s[first] > _MOST_SHARE * (ends_s[-1] - starts_s[0]):
                continue
            bars = [0, 0, 0, 0]
            bars[side] = px
            found.append(Bars(first, last, (bars[0], bars[1], bars[2], bars[3]), (False, False)))
    return sorted(found, key=lambda each: each.first)


def _comes_and_goes(lines: NDArray[np.int64], first: int, last: int, px: int) -> bool:
    """Tells whether a bar is there at once, and gone at once, wherever the programme goes on."""
    before = lines[max(0, first - _COMES_FRAMES) : first]
    after = lines[last : last + _COMES_FRAMES]
    if not len(before) and not len(after):
        return False
    return all(len(part) == 0 or part.min() <= _GONE_SHARE * px for part in (before, after))
