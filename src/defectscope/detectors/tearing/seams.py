"""Rows at which a picture suddenly stops continuing, and rows at which it continues again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

# Rows by which content may climb from picture to picture, as a share of the height.
_CLIMB_SHARE = 1 / 60
# Rows beside a seam on which its motion is compared, as a share of the height.
_SIDE_SHARE = 1 / 8
# Seams this close to the upper or lower edge are invisible, and edges of bars live there.
_MARGIN_SHARE = 0.03
_OWN_ROWS = 3
# Rows next to a seam whose motion changes at once: the height over this.
_FINE_SIDES = 40
_MOST_CONTRAST = 1.5
_LEAST_JOINT = 0.03
_LEAST_STEP = 0.05
_NOISE_CODE = 0.5


@dataclass(frozen=True, slots=True)
class Seams:
    """The clearest new seam of each picture, (n,) each.

    Attributes:
        row: Where it is.
        step: Mean step across it that was not there before, codes.
        clear: That step beside the next best in the picture.
        contrast: How differently the rows above and below it changed since the picture before,
            natural logarithm of the ratio.
    """

    row: NDArray[np.intp]
    step: Values
    clear: Values
    contrast: Values


def widened(steps: Values, reach: int) -> Values:
    """Gives the largest step within `reach` rows of each row, (n, height)."""
    out = steps
    done = 0
    while done < reach:
        by = min(done + 1, reach - done)
        wider = out.copy()
        np.maximum(wider[:, by:], out[:, :-by], out=wider[:, by:])
        np.maximum(wider[:, :-by], out[:, by:], out=wider[:, :-by])
        out, done = wider, done + by
    return out


def new_seams(steps: Values, others: Values, changes: Values) -> Seams:
    """Finds the seam that each picture has and another one has not.

    Args:
        steps: (n, height) mean step across each row, codes, of the pictures.
        others: The same of the pictures that they are compared with.
        changes: (n, height) logarithm of how much more each row changed than it did one picture
            earlier.
    """
    count, height = steps.shape
    margin = max(1, int(height * _MARGIN_SHARE))
    inner = slice(margin, max(height - margin, margin + 1))
    reach = max(2, int(height * _CLIMB_SHARE))
    fresh = (steps - widened(others, reach))[:, inner]
    every = np.arange(count)
    best = np.argmax(fresh, axis=1)
    step = fresh[every, best].copy()
    for away in range(-_OWN_ROWS, _OWN_ROWS + 1):
        fresh[every, np.clip(best + away, 0, fresh.shape[1] - 1)] = 0.0
    second = np.maximum(fresh.max(axis=1), _LEAST_STEP)
    row = best + margin
    return Seams(row, step, step / second, _contrast(changes, row))


def _contrast(changes: Values, row: NDArray[np.intp]) -> Values:
    """Mean change of the rows below a seam, less that of the rows above."""
    count, height = changes.shape
    sums = np.concatenate([np.zeros((count, 1)), np.cumsum(changes, axis=1)], axis=1)
    side = max(2, int(height * _SIDE_SHARE))
    every = np.arange(count)
    top, bottom = np.maximum(row - side, 0), np.minimum(row + side, height)
    above_end, below_start = np.maximum(row - 1, 1), np.minimum(row + 1, height - 1)
    above = (sums[every, above_end] - sums[every, np.minimum(top, above_end - 1)]) / np.maximum(
        above_end - top, 1
    )
    below = (sums[every, bottom] - sums[every, below_start]) / np.maximum(bottom - below_start, 1)
    return below - above


@dataclass(frozen=True, slots=True)
class Flashes:
    """The clearest seam that only one picture has, (n,) each.

    Attributes:
        row: Where it is.
        joint: Step across it, codes, times how differently the motion changed on its two sides.
        clear: That product beside the next best in the picture.
        contrast: How differently the motion changed, natural logarithm of the ratio.
    """

    row: NDArray[np.intp]
    joint: Values
    clear: Values
    contrast: Values


def passing_seams(steps: Values, changes: Values) -> Flashes:
    """Finds the seam that each picture has and neither of its neighbours.

    Texture makes rows stand out now and then, but what moves above and below them goes on alike.
    At a seam one side falls behind or catches up: its motion changes, and the other side's not.

    Args:
        steps: (n + 2, height) mean step across each row, codes, neighbours included.
        changes: (n + 3, height) logarithm of each row's change, from two pictures before the first.
    """
    count, height = len(steps) - 2, steps.shape[1]
    reach = max(2, int(height * _CLIMB_SHARE))
    wide = widened(steps, reach)
    alone = np.maximum(steps[1:-1] - np.maximum(wide[:-2], wide[2:]), 0.0)
    edges = np.abs(_edges(changes[1:] - changes[:-1], max(4, height // _FINE_SIDES)))
    # The seam changes the motion when it comes and when it goes.
    contrast = np.maximum(edges[1:-1], edges[2:])
    joint = alone * np.minimum(contrast, _MOST_CONTRAST)
    margin = max(1, int(height * _MARGIN_SHARE))
    joint[:, :margin] = joint[:, height - margin :] = 0.0
    every = np.arange(count)
    row = np.argmax(joint, axis=1)
    best = joint[every, row].copy()
    at_row = contrast[every, row]
    for away in range(-_OWN_ROWS - 1, _OWN_ROWS + 2):
        joint[every, np.clip(row + away, 0, height - 1)] = 0.0
    return Flashes(row, best, best / np.maximum(joint.max(axis=1), _LEAST_JOINT), at_row)


def _edges(values: Values, side: int) -> Values:
    """Mean of the `side` rows from each row on, less that of those before it; 0 near the ends."""
    count, height = values.shape
    out = np.zeros_like(values)
    if height > 2 * side:
        sums = np.concatenate([np.zeros((count, 1)), np.cumsum(values, axis=1)], axis=1)
        middle = sums[:, side : height - side]
        out[:, side : height - side] = (
            sums[:, 2 * side : height] - 2 * middle + sums[:, : height - 2 * side]
        ) / side
    return out


def log_changes(row_sad: NDArray[Any], samples: float) -> Values:
    """Gives the logarithm of each row's mean difference, codes, noise added so that 0 is finite."""
    return np.log(row_sad / samples + _NOISE_CODE)
