"""Where the dark borders of a frame end: pure functions over profiles of rows and columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A line belongs to a bar while it stays this close to black, in codes. Bars are drawn at black;
# what lifts them is a wrong set-up level (2 codes or so), noise, and ringing next to the frame.
BAR_MEAN_CODES = 10.0
BAR_PEAK_CODES = 24.0
# A bar alone is flat as well: night and stages have something in them. Its noise in codes.
PLAIN_PEAK_CODES = 9.0
# Lines inside the edge whose mean is the frame's, as a share of the side: wide enough to see
# past the coder's ringing, narrow enough to be about the edge.
_INSIDE_SHARE = 1 / 60


def leading(flags: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Returns how many flags of each row are true before the first false one."""
    return np.where(flags.all(axis=1), flags.shape[1], np.argmin(flags, axis=1))


def borders(
    mean_code: NDArray[Any], peak_code: NDArray[Any], black_code: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns how many dark lines each frame has at the start and at the end of an axis.

    Args:
        mean_code: (frames, lines) mean luma of each row or column, in codes.
        peak_code: (frames, lines) highest luma of each, in codes.
        black_code: What black is, 16 or 0.

    Returns:
        Lines at the start and at the end; both the whole axis where all lines are dark.
    """
    dark = (mean_code <= black_code + BAR_MEAN_CODES) & (peak_code <= black_code + BAR_PEAK_CODES)
    return leading(dark), leading(dark[:, ::-1])


def plain_lines(
    peak_code: NDArray[Any], black_code: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns how many lines each frame has at both ends of an axis in which nothing is drawn.

    Args:
        peak_code: (frames, lines) highest luma of each row or column, in codes.
        black_code: What black is, 16 or 0.
    """
    plain = peak_code <= black_code + PLAIN_PEAK_CODES
    return leading(plain), leading(plain[:, ::-1])


def dim_lines(mean_code: NDArray[Any], black_code: float) -> NDArray[np.intp]:
    """Returns over how many lines, at either end, each frame is dark on average.

    Noise and smear lift the highest luma of a bar, and hardly its mean.

    Args:
        mean_code: (frames, lines) mean luma of each row or column, in codes.
        black_code: What black is, 16 or 0.
    """
    dark = mean_code <= black_code + BAR_MEAN_CODES
    return np.minimum(leading(dark), leading(dark[:, ::-1]))


def contrasts(
    mean_code: NDArray[Any], start: NDArray[np.intp], end: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns how much brighter the frame next to each border is than the border, in codes.

    0 where there is no border, or nothing but border.
    """
    lines = mean_code.shape[1]
    reach = np.arange(max(2, round(lines * _INSIDE_SHARE)))

    def step(edge: NDArray[np.intp], inward: int) -> NDArray[np.float64]:
        """The mean of the lines from the edge inward less that of the lines outward."""
        inside = np.clip(edge[:, None] + inward * reach, 0, lines - 1)
        outside = np.clip(edge[:, None] - inward * (reach + 1), 0, lines - 1)
        picked = np.arange(len(edge))[:, None]
        return mean_code[picked, inside].mean(axis=1) - mean_code[picked, outside].mean(axis=1)

    found = start + end < lines
    return (
        np.where(found & (start > 0), step(start, 1), 0.0),
        np.where(found & (end > 0), step(lines - 1 - end, -1), 0.0),
    )


def asymmetry_px(
    sides: NDArray[np.int64],
    edges: NDArray[np.float64],
    dark: NDArray[np.float64],
    thresholds: Mapping[str, float],
) -> float:
    """Returns how much thicker one bar is than the one opposite, over lit frames.

    Bars that differ are no pair and no letterbox to the detector: this takes single ones too.
    """
    lit = dark <= thresholds["dark_inside_share"]
    if not lit.any():
        return 0.0
    bars = np.where(edges >= thresholds["edge_code"], sides, 0)[lit]
    middle = np.median(bars, axis=0)
    return float(max(abs(middle[0] - middle[1]), abs(middle[2] - middle[3])))
