"""Intervals that begin or end within a shot: what no cut explains is not the programme's doing.

Scenes differ in noise, sharpness and smoothness, so a level alone tells little. But within a shot
they hardly change from one frame to the next, while a fault comes and goes at once. A rise
between cuts begins an interval, a fall ends one, and the level halfway tells how far it reaches.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.features.geometry import TILE_COLUMNS, TILE_ROWS, tile_samples
from defectscope.measurements import Table
from defectscope.media.stream import VideoInfo
from defectscope.temporal.order import windows
from defectscope.temporal.padding import held
from defectscope.temporal.spans import runs
from defectscope.temporal.tables import column

Floats = NDArray[np.float64]

REGIONS = (2, 4)
SIGNATURE = {f"luma_{i}": np.uint8 for i in range(REGIONS[0] * REGIONS[1])}
# Mean change of a region's luma that a cut exceeds, 8-bit-equivalent codes; noise, softening or
# quantising leaves such means alone.
_CUT_CODE = 3.0
# And how far it stands out of the changes around it, which motion makes.
_CUT_RATIO = 3.0
_CUT_AROUND_ROWS = 13
# Smaller rises, as a share of what counts, are not followed.
_LEAST = 0.2
# Rows whose windows are held at a time.
_BLOCK_ROWS = 4096


class Signatures:
    """Reduces frames to the mean luma of eight regions, which tells cuts."""

    def __init__(self, video: VideoInfo) -> None:
        samples = _regions(tile_samples(video.width, video.height, every=True)[None])
        self._codes = np.maximum(samples, 1) * float(1 << (video.bit_depth - 8))

    def columns(self, tile_luma: NDArray[np.generic], frames: int = 1) -> dict[str, Floats]:
        """Returns the columns of `SIGNATURE` from (rows, 8, 12) sums over so many frames each."""
        means = _regions(tile_luma) / (self._codes * frames)
        rounded = np.clip(np.rint(means), 0, 255)
        return dict(zip(SIGNATURE, rounded.T, strict=True))


def _regions(tiles: NDArray[np.generic]) -> Floats:
    down, across = REGIONS
    shape = (-1, down, TILE_ROWS // down, across, TILE_COLUMNS // across)
    summed = tiles.astype(np.float64).reshape(shape).sum(axis=(2, 4))
    return np.asarray(summed.reshape(-1, down * across))


def cuts(table: Table) -> NDArray[np.bool_]:
    """Returns the rows that begin a new shot, or a flash."""
    regions = np.stack([column(table, name).astype(np.float64) for name in SIGNATURE], axis=1)
    change = np.zeros(len(regions))
    if len(regions) > 1:
        change[1:] = np.abs(np.diff(regions, axis=0)).mean(axis=1)
        around = ndimage.median_filter(change, _CUT_AROUND_ROWS, mode="nearest")
        return np.asarray((change > _CUT_CODE) & (change > _CUT_RATIO * around))
    return np.zeros(len(regions), np.bool_)


def rises(levels: Floats, shot_begins: NDArray[np.bool_], window: int) -> Floats:
    """Returns by how much a level is higher from each row on than before, 0 beside cuts.

    The second lowest of `window` rows from it on is compared with the second highest before it, so
    that neither one odd row nor a slope counts. Rows of another shot are left out; where fewer than
    half a window, or than four, are left on either side, nothing is told.
    """
    count = len(levels)
    if count < 6:
        return np.zeros(count)
    padded = held(levels, window)
    shots = held(np.cumsum(shot_begins), window)
    rows, shot = windows(padded, window), windows(shots, window)
    lowest, highest = np.empty(count), np.empty(count)
    told = np.zeros(count, np.bool_)
    least = min(window, max(4, window // 2))
    for first in range(0, count, _BLOCK_ROWS):
        last = min(count, first + _BLOCK_ROWS)
        ahead, behind = slice(window + first, window + last), slice(first, last)
        own = shots[ahead, None]
        after, before = shot[ahead] == own, shot[behind] == own
        lowest[behind] = np.sort(np.where(after, rows[ahead], np.inf), axis=1)[:, 1]
        highest[behind] = np.sort(np.where(before, rows[behind], -np.inf), axis=1)[:, -2]
        told[behind] = (after.sum(axis=1) >= least) & (before.sum(axis=1) >= least)
    told[:3] = told[count - 2 :] = False
    return np.where(told, np.maximum(lowest - highest, 0.0), 0.0)


def stands_out(
    levels: Sequence[Floats],
    bounds: Sequence[float],
    shot_begins: NDArray[np.bool_],
    window: int,
) -> Floats:
    """Returns (rows,) how far each row's interval rose over its shot, 1 being what counts.

    Args:
        levels: Measures of the same fault, (rows,) each, logarithmic or linear; all must rise. The
            first tells how far the interval reaches.
        bounds: The rise that counts, for each.
        shot_begins: Rows that begin a shot.
        window: Rows compared on either side.
    """
    lead = ndimage.median_filter(levels[0], 5, mode="nearest") if len(levels[0]) else levels[0]
    onward = _runs(lead, _joint(levels, bounds, shot_begins, window), window)
    # A fall is a rise with time reversed; a row begins a shot there where its successor did.
    turned = [level[::-1] for level in levels]
    begins = np.concatenate(([False], shot_begins[:0:-1]))
    backward = _runs(lead[::-1], _joint(turned, bounds, begins, window), window)
    return np.maximum(onward, backward[::-1])


def _joint(
    levels: Sequence[Floats],
    bounds: Sequence[float],
    shot_begins: NDArray[np.bool_],
    window: int,
) -> Floats:
    pairs = zip(levels, bounds, strict=True)
    return np.min([rises(level, shot_begins, window) / bound for level, bound in pairs], axis=0)


def _runs(lead: Floats, rise: Floats, window: int) -> Floats:
    out = np.zeros(len(lead))
    for first, last in runs(rise >= _LEAST):
        # Where several rows fit alike, the one at which the level jumps.
        best = float(rise[first:last].max())
        fits = first + np.flatnonzero(rise[first:last] >= 0.9 * best)
        at = int(fits[np.argmax(lead[fits] - lead[fits - 1])])
        before = float(np.median(lead[max(0, at - window) : at]))
        after = float(np.median(lead[at : at + window]))
        below = np.flatnonzero(lead[at + 1 :] < (before + after) / 2)
        end = at + 1 + int(below[0]) if len(below) else len(lead)
        out[at:end] = np.maximum(out[at:end], best)
    return out


def window_rows(rate_hz: float, window_s: float) -> int:
    """Returns a window in rows, four at least: fewer say nothing about a level."""
    return int(np.clip(round(rate_hz * window_s), 4, 40))
