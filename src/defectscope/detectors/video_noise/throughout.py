"""Noise that fills a programme: how strong it is by itself, with no calm part to compare with.

Texture leaves as much of a line as noise does, and writing has dots; but they stand still or move.
What the frame before does not explain bounds both, and so does how much the calmest tiles change,
which also says where noise begins and ends. Where a block grid shows, what is new is the coder's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.video_noise.residual import NAMES, UNTOLD
from defectscope.measurements import Table
from defectscope.temporal.looks import LOOK_S, grade_at, settled
from defectscope.temporal.tables import column, times_s

Floats = NDArray[np.float64]

# Of the changes around a frame, in percent: drawings on twos repeat every second frame.
_OFTEN = 70
# In the rows around a look, a cut as many away is at it.
_AT_ROWS = 1


def typical_change(change: Floats, window: int) -> Floats:
    """Returns (rows,) what most changes around each row stay below: no cut, no repeated frame.

    Args:
        change: (rows,) of the tiles that change least, codes.
        window: Rows on either side.
    """
    if not len(change):
        return change
    return np.asarray(
        ndimage.percentile_filter(change, _OFTEN, 2 * window + 1, mode="nearest"), np.float64
    )


def grades_throughout(
    looks: Table,
    told: NDArray[np.bool_],
    starts_s: Floats,
    change: Floats,
    codes: Sequence[float],
    bounds: Mapping[str, float],
) -> Floats:
    """Returns (rows,) the grade of each frame's noise, whatever its grain.

    Args:
        looks: The looks' measures.
        told: (looks,) which of them can tell.
        starts_s: (rows,) when each frame begins.
        change: (rows,) its usual change, codes.
        codes: At how many codes each grade begins, from 0.
        bounds: `fresh_ratio` and `change_ratio`: what counts at most, beside either; and those of
            `on_grid`.
    """
    residual, fresh = (column(looks, name).astype(np.float64) for name in NAMES[:2])
    steps = np.arange(len(codes))
    own = np.interp(np.minimum(residual, bounds["fresh_ratio"] * fresh), codes, steps)
    own = np.where(on_grid(looks, bounds), 0.0, own)
    most = np.interp(bounds["change_ratio"] * change, codes, steps)
    return np.minimum(_near(looks, own, told, starts_s), most)


def dots_throughout(
    looks: Table,
    told: NDArray[np.bool_],
    starts_s: Floats,
    change: Floats,
    power: Floats,
    bounds: Mapping[str, float],
) -> Floats:
    """Returns (rows,) how much stray dots there are, 1 being what counts.

    Args:
        looks: The looks' measures.
        told: (looks,) which of them can tell.
        starts_s: (rows,) when each frame begins.
        change: (rows,) its usual change, codes.
        power: (rows,) of the Laplacian in calm tiles, codes.
        bounds: `dots_code` of power, `dots_change_code`, `dots_fresh_code` and `dot_share`: all
            must be reached.
    """
    fresh, share = (column(looks, name).astype(np.float64) for name in NAMES[1:3])
    own = np.minimum(fresh / bounds["dots_fresh_code"], share / bounds["dot_share"])
    new = _near(looks, own, told, starts_s)
    level = np.minimum(power / bounds["dots_code"], change / bounds["dots_change_code"])
    # However strong: that they are there and new is a condition, and no measure of strength.
    return np.where(new >= 1.0, level, np.minimum(level, new))


def on_grid(looks: Table, bounds: Mapping[str, float]) -> NDArray[np.bool_]:
    """Returns (looks,) which looks show a block grid: `grid_clarity` and `grid_share` reached."""
    return np.all([column(looks, n) >= bounds[n] for n in ("grid_clarity", "grid_share")], axis=0)


def tell(looks: Table, starts_s: Floats, shot_begins: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Returns (looks,) which looks can tell what is new: no repeats, no first frames, no cuts."""
    if not len(starts_s):
        return np.zeros(len(looks), np.bool_)
    at = np.searchsorted(starts_s, times_s(looks) - 1e-9)
    near = np.asarray(ndimage.binary_dilation(shot_begins, iterations=_AT_ROWS), np.bool_)
    cut = near[np.clip(at, 0, len(starts_s) - 1)]
    return (column(looks, "fresh_code") != UNTOLD) & ~cut


def _near(looks: Table, own: Floats, told: NDArray[np.bool_], starts_s: Floats) -> Floats:
    """Returns (rows,) what looks have, of the two around each row the higher.

    Those that cannot tell have what the nearest has that can.
    """
    if not told.any():
        return np.zeros(len(starts_s))
    looks_s = times_s(looks)
    known_s = looks_s[told]
    # Looks are in order of time; a table of all pairs would outgrow memory over a film.
    after = np.searchsorted(known_s, looks_s).clip(0, len(known_s) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(looks_s - known_s[before] <= known_s[after] - looks_s, before, after)
    calm = settled(own[told][nearest])
    return np.maximum(*(grade_at(looks, calm, starts_s + ahead) for ahead in (0.0, LOOK_S)))
