"""Rows at which one frame is put together from two: pure functions over profiles of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]
Steps = NDArray[np.uint16]

# Steps between rows are kept in 1/64 code.
STEPS_PER_CODE = 64
# Rows by which content may climb from frame to frame, as a share of the height; at least so
# many, since things in small frames are no slower.
_CLIMB_SHARE, _CLIMB_ROWS = 1 / 60, 4
# Seams this close to the upper or lower edge are invisible, and edges of bars live there.
_MARGIN_SHARE = 0.03
_OWN_ROWS = 4
_LEAST_STEP_CODE = 0.05
# Rows beside a seam that a lasting step must exceed, and where its height stops counting, codes.
_LASTING_ROWS = 4
_LASTING_MOST_CODE = 3
# Bands on which motion is compared: the height over this.
_BANDS = 18
_FINE_SIDES = 40
_NOISE_CODE = 0.1
_CHANGE_NOISE_CODE = 0.5
_MOST_CONTRAST = 2.0
# Rows that change by less, as a share of the frame and in codes, stand.
_MOVING_SHARE, _MOVING_CODE = 0.15, 0.1


def margin_rows(height: int) -> int:
    """Returns how many rows at the upper and lower edge are not looked at."""
    return max(1, int(height * _MARGIN_SHARE))


def quantised(row_step: NDArray[Any], samples: float) -> Steps:
    """Returns mean steps across rows in 1/64 code, at most 1,023 codes."""
    scaled = row_step * np.float32(STEPS_PER_CODE / samples)
    return np.minimum(scaled, np.float32(65535)).astype(np.uint16)


def widened(steps: Steps, reach: int) -> Steps:
    """Returns the largest step within `reach` rows of each row, (n, height)."""
    out = steps
    done = 0
    while done < reach:
        by = min(done + 1, reach - done)
        wider = out.copy()
        np.maximum(wider[:, by:], out[:, :-by], out=wider[:, by:])
        np.maximum(wider[:, :-by], out[:, by:], out=wider[:, :-by])
        out, done = wider, done + by
    return out


@dataclass(frozen=True, slots=True)
class Flashes:
    """The clearest step between rows that only one frame has, (n,) each.

    Attributes:
        row: Where it is.
        step: How much larger it is than anything near that row in the frames around, codes.
        clear: That beside the next best in the frame.
    """

    row: NDArray[np.intp]
    step: Values
    clear: Values


def passing_steps(steps: Steps) -> Flashes:
    """Finds the step across a row that each frame has and neither of its neighbours.

    Args:
        steps: (n + 2, height) steps in 1/64 code, neighbours included.
    """
    count, height = len(steps) - 2, steps.shape[1]
    wide = widened(steps, max(_CLIMB_ROWS, int(height * _CLIMB_SHARE)))
    around = np.maximum(wide[:-2], wide[2:])
    alone = np.maximum(steps[1:-1], around) - around
    margin = margin_rows(height)
    alone[:, :margin] = alone[:, height - margin :] = 0
    every = np.arange(count)
    row = np.argmax(alone, axis=1)
    step = alone[every, row].astype(np.float32)
    for away in range(-_OWN_ROWS, _OWN_ROWS + 1):
        alone[every, np.clip(row + away, 0, height - 1)] = 0
    step /= np.float32(STEPS_PER_CODE)
    second = alone.max(axis=1).astype(np.float32) / np.float32(STEPS_PER_CODE)
    return Flashes(row, step, step / (second + np.float32(_LEAST_STEP_CODE)))


def lasting(steps: Steps) -> NDArray[np.uint8]:
    """Returns by how much each step exceeds those of the rows beside it, in 1/64 code up to 3."""
    neighbours = np.zeros_like(steps)
    for away in range(1, _LASTING_ROWS + 1):
        np.maximum(neighbours[:, away:], steps[:, :-away], out=neighbours[:, away:])
        np.maximum(neighbours[:, :-away], steps[:, away:], out=neighbours[:, :-away])
    excess = np.maximum(steps, neighbours) - neighbours
    margin = margin_rows(steps.shape[1])
    excess[:, :margin] = excess[:, steps.shape[1] - margin :] = 0
    return np.minimum(excess, _LASTING_MOST_CODE * STEPS_PER_CODE).astype(np.uint8)


def onsets(excess: NDArray[np.uint8], reach: int) -> Values:
    """Returns by how much a row's step stands out more in the next frames than in the last ones.

    Args:
        excess: (n + 2 reach, height) as `lasting` gives it.
        reach: Frames compared, from each one on and before it.

    Returns:
        (n, height) codes; negative where a lasting step goes.
    """
    sums = np.cumsum(excess, axis=0, dtype=np.int32)
    sums = np.concatenate([np.zeros_like(sums[:1]), sums])
    count = len(excess) - 2 * reach
    middle = sums[reach : reach + count]
    difference = sums[2 * reach : 2 * reach + count] - 2 * middle + sums[:count]
    return difference * np.float32(1 / (reach * STEPS_PER_CODE))


def coarse(rows: NDArray[Any], group: int, samples: float) -> Values:
    """Returns means of `group` rows each of per-row sums over so many samples."""
    used = rows.shape[1] // group * group
    # Strided additions: reducing an axis of two or three is many times slower.
    summed = rows[:, 0:used:group].astype(np.float32)
    for place in range(1, group):
        summed += rows[:, place:used:group]
    return summed * np.float32(1 / (group * samples))


def log_changes(row_sad: Values) -> Values:
    """Returns the logarithm of rows' mean differences, noise added so that 0 is finite."""
    return np.log(row_sad + np.float32(_CHANGE_NOISE_CODE))


def changes_of(logs: Values) -> Values:
    """Returns the mean differences that `log_changes` was given."""
    return np.exp(logs) - np.float32(_CHANGE_NOISE_CODE)


def moving_rows(changed: Values) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns between which rows each frame moves, (n,) first row and row after the last.

    Margins, captions and graphics above and below stand; a frame that stands moves nowhere: 0, 0.

    Args:
        changed: (n, rows) mean difference of rows to the frame before, codes.
    """
    rows = changed.shape[1]
    near = _smooth(changed, max(1, rows // _FINE_SIDES // 2))
    least = np.maximum(_MOVING_SHARE * near.mean(axis=1, keepdims=True), _MOVING_CODE)
    moves = near >= least
    known = moves.any(axis=1)
    top = np.where(known, moves.argmax(axis=1), 0)
    bottom = np.where(known, rows - moves[:, ::-1].argmax(axis=1), 0)
    return top, bottom


def differences(luma: Values, lags: int) -> Values:
    """Returns how far each frame is from each of the last ones, band by band.

    Means of rows hardly know noise, and differ wherever something moved up, down, in or out.

    Args:
        luma: (n + lags, rows) mean luma of rows, codes.
        lags: How many frames back.

    Returns:
        (lags, n, rows) mean difference around each row to the frame 1, 2, ... before.
    """
    count, rows = len(luma) - lags, luma.shape[1]
    side = max(3, rows // _BANDS) // 2
    out = np.empty((lags, count, rows), np.float32)
    for lag in range(1, lags + 1):
        distance = np.abs(luma[lags:] - luma[lags - lag : lags - lag + count])
        out[lag - 1] = _smooth(distance, side)
    return out


def returns(distances: Values) -> Values:
    """Returns by how much each row is nearer to an earlier frame than to the last one.

    Motion leads away: the last frame is the nearest, and the logarithm is negative. Where a part
    of the frame falls back to an earlier instant, it is positive.

    Args:
        distances: As `differences` gives them, two lags at least.

    Returns:
        (n, rows) natural logarithm of a ratio.
    """
    return log_distances(distances[0]) - log_distances(distances[1:].min(axis=0))


def log_distances(distances: Values) -> Values:
    """Returns the logarithm of distances of rows' means, noise added so that 0 is finite."""
    return np.log(distances + np.float32(_NOISE_CODE))


def parted(profile: Values) -> tuple[Values, Values, Values]:
    """Returns how differently the rows above and below each row are, all of them on either side.

    Args:
        profile: (n, rows).

    Returns:
        (n, rows) mean below less mean above, weighted by how even the parts are, 1 for halves; and
        the means above and below.
    """
    count, rows = profile.shape
    margin = margin_rows(rows)
    inner = profile[:, margin : rows - margin]
    size = inner.shape[1]
    weighted, above, below = (np.zeros((count, rows), np.float32) for _ in range(3))
    if size < 3:
        return weighted, above, below
    sums = np.cumsum(inner, axis=1)
    at = np.arange(1, size, dtype=np.float32)
    over = sums[:, :-1] / at
    under = (sums[:, -1:] - sums[:, :-1]) / (size - at)
    place = slice(margin + 1, margin + size)
    above[:, place], below[:, place] = over, under
    weighted[:, place] = (under - over) * (2 * np.sqrt(at * (size - at)) / size)
    return weighted, above, below


def bounded(contrast: Values) -> Values:
    """Returns contrasts limited, so that where nothing moved before does not count for more."""
    return np.clip(contrast, -np.float32(_MOST_CONTRAST), np.float32(_MOST_CONTRAST))


def median_of_three(a: Values, b: Values, c: Values) -> Values:
    """Returns the middle one of three values, element by element."""
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def contrast_at(changes: Values, row: NDArray[np.intp]) -> Values:
    """Returns how differently the rows right above and below a row changed, (n,) magnitudes.

    Args:
        changes: (n, rows) logarithm of how much more each row changed than one frame earlier.
        row: (n,) first row below.
    """
    count, rows = changes.shape
    side = max(2, rows // _FINE_SIDES)
    sums = np.concatenate([np.zeros((count, 1), np.float32), np.cumsum(changes, axis=1)], axis=1)
    every = np.arange(count)
    row = np.clip(row, side, rows - side)
    middle = sums[every, row]
    apart = sums[every, row + side] - 2 * middle + sums[every, row - side]
    return np.abs(apart) * np.float32(1 / side)


def _smooth(values: Values, side: int) -> Values:
    """Means of 2 side + 1 rows, edges repeated."""
    wide = np.pad(values, ((0, 0), (side + 1, side)), mode="edge")
    sums = np.cumsum(wide, axis=1)
    return (sums[:, 2 * side + 1 :] - sums[:, : -2 * side - 1]) / np.float32(2 * side + 1)
