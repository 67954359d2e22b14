"""What the measures of a table say for seams, once cuts, lamps and held frames are left out."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.tearing.analysis import KEPT
from defectscope.measurements import Table
from defectscope.temporal.differences import alone, difference
from defectscope.temporal.tables import column

Signs = dict[str, NDArray[np.float64]]

# Frames on either side of a cut that tell nothing.
_CUT_REACH = 2
_APART_NOISE = 0.01
# Frames on either side that say how far apart two usually are, and from where on that is known.
_STAND_REACH, _STAND_APART = 4, 0.02
# Rows that most encoders code together.
_BLOCK_ROWS = 16.0
# Which row each measure is at.
_ROW_OF = {
    "step": "step_row",
    "back": "back_row",
    "on": "on_row",
    "off": "off_row",
    "lagging": "lag_row",
    "ridge": "ridge_row",
    "second": "second_row",
}


def signs_of(table: Table, thresholds: Mapping[str, float], height_px: int) -> Signs:
    """Returns each measure by name, 0 where a frame is no evidence; and `scene`, a number.

    Args:
        table: As the analysis gives it.
        thresholds: Those of the artifact.
        height_px: Rows of a frame.
    """
    signs = {name: column(table, name) / float(steps) for name, (steps, _) in KEPT.items()}
    # A lamp behind a straight edge comes and goes like a late part: next to a change of light there
    # is nothing to be told.
    signs["light"] = ndimage.maximum_filter1d(signs["light"], 3, mode="nearest")
    apart = difference(table, "apart")
    cut = (apart >= thresholds["cut_apart"]) & (
        alone(apart, _APART_NOISE) >= thresholds["cut_alone"]
    )
    # Another scene changes steps, and what is near to what, as a seam does.
    near = ndimage.maximum_filter1d(cut, 2 * _CUT_REACH + 1, mode="constant")
    for name in ("step", "back", "on", "off", "lagging", "ridge", "second"):
        signs[name] = np.where(near, 0.0, signs[name])
    # What a frame that stands takes along, and the leap that ends it, come from no seam.
    baseline = ndimage.percentile_filter(apart, 75, 2 * _STAND_REACH + 1, mode="nearest")
    held = (baseline >= _STAND_APART) & (apart <= thresholds["still_share"] * baseline)
    neighbours = ndimage.maximum_filter1d(held, 3, mode="constant")
    for name in ("on", "off"):
        signs[name] = np.where(neighbours, 0.0, signs[name])
    # Two instants differ on both sides of a seam: the edge of a margin or of a caption is none.
    top, bottom = signs["top_row"], signs["bottom_row"]
    within = thresholds["edge_share"] * height_px
    # The edge of what moves lies anywhere in the last block that is coded anew with it.
    above = np.where(top > 0, max(within, _BLOCK_ROWS), within)
    below = np.where(bottom < height_px, max(within, _BLOCK_ROWS), within)
    for name, row in _ROW_OF.items():
        outside = (signs[row] < top + above) | (signs[row] > bottom - below)
        signs[name] = np.where(outside, 0.0, signs[name])
    signs["apart"] = apart
    signs["scene"] = np.cumsum(cut, dtype=np.float64)
    return signs
