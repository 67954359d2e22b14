"""What patterns look like in the shared measures: hues of bars, flat grounds, ruled frames."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Directions of the six bar colours in the plane of U and V, in degrees: yellow, cyan, green,
# magenta, red, blue. The matrices of standard and high definition differ by up to 6 degrees.
# Source: ITU-R BT.601-7 and BT.709-6, the mean of what either gives.
HUES_DEG = (172.8, 285.7, 230.6, 50.6, 105.7, 352.8)
_HUE_REACH_DEG = 20.0
_MIN_SATURATION_CODE = 24.0
_BIN_CODES = 8

# A ground is what lies within so many codes on either side of the commonest level.
_GROUND_REACH = 5
# Rules of a frame are this thin, as a share of the side, and lie in the outer part of it.
_RULE_SHARE = 0.06
_OUTER_SHARE = 0.35
# A line of text is no higher than this share of the frame.
_LINE_SHARE = 0.25


@cache
def _hue_bins() -> NDArray[np.float64]:
    """(1024, 6): which bins of the chroma histogram belong to which bar colour."""
    centre = np.arange(256 // _BIN_CODES) * _BIN_CODES + _BIN_CODES / 2 - 128
    u, v = np.meshgrid(centre, centre, indexing="ij")
    angle = np.degrees(np.arctan2(v, u))
    strong = np.hypot(u, v) >= _MIN_SATURATION_CODE
    off = [np.abs((angle - hue + 180) % 360 - 180) for hue in HUES_DEG]
    masks = [(strong & (o <= _HUE_REACH_DEG)).ravel() for o in off]
    return np.stack(masks, axis=1).astype(np.float64)


def hue_shares(chroma_histogram: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the share of each frame that has each of the six bar colours.

    Args:
        chroma_histogram: (frames, 32, 32) counts, U by V.

    Returns:
        (frames, 6), 0 to 1.
    """
    counts = chroma_histogram.reshape(len(chroma_histogram), -1).astype(np.float64)
    total = np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return counts @ _hue_bins() / total


def level_range(histogram: NDArray[Any], share: float = 0.01) -> NDArray[np.intp]:
    """Returns how many codes lie between the darkest and the brightest `share` of each frame."""
    running = np.cumsum(histogram.astype(np.float64), axis=1)
    total = running[:, -1:]
    low = np.argmax(running > share * total, axis=1)
    high = np.argmax(running >= (1 - share) * total, axis=1)
    return high - low


def ground(histogram: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Returns the commonest level of each frame, in codes, and the share that lies about it."""
    counts = histogram.astype(np.float64)
    reach = _GROUND_REACH
    running = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    window = running[:, 2 * reach + 1 :] - running[:, : -2 * reach - 1]
    code = np.argmax(window, axis=1)
    share = window[np.arange(len(counts)), code] / np.maximum(running[:, -1], 1)
    return code + reach, share


def ruled_ends(
    mean_code: NDArray[Any], ground_code: NDArray[Any], peak_code: NDArray[Any]
) -> NDArray[np.intp]:
    """Returns at how many ends of an axis, 0 to 2, a thin bright line crosses the frame.

    Args:
        mean_code: (frames, lines) mean luma of each row or column, in codes.
        ground_code: (frames,) level of the ground.
        peak_code: (frames,) highest level.
    """
    bright = mean_code > (ground_code + 0.45 * (peak_code - ground_code))[:, None]
    outer = max(1, round(mean_code.shape[1] * _OUTER_SHARE))
    thin = max(2, round(mean_code.shape[1] * _RULE_SHARE))
    count = np.zeros(len(mean_code), np.intp)
    for part in (bright[:, :outer], bright[:, -outer:]):
        lines = part.sum(axis=1)
        count += (lines >= 1) & (lines <= thin)
    return count


def text_lines(mean_code: NDArray[Any], contrast_code: NDArray[Any]) -> NDArray[np.intp]:
    """Returns how many groups of rows stand out from the rows between them, as lines of text do.

    None, where one group is higher than any line of text: then a thing stands before the ground,
    and what else stands out is a part of it.

    Args:
        mean_code: (frames, rows) mean luma of each row, in codes.
        contrast_code: (frames,) how far the text is from its ground.
    """
    # Every fourth row tells the level between the lines well enough.
    few = mean_code[:, ::4]
    low = np.partition(few, few.shape[1] // 10, axis=1)[:, few.shape[1] // 10]
    stands = mean_code > (low + 0.04 * contrast_code)[:, None]
    lines = np.sum(stands[:, 1:] & ~stands[:, :-1], axis=1) + stands[:, 0]
    # How many rows stand out in a row: all that did so far, less those up to the last that did not.
    so_far = np.cumsum(stands, axis=1)
    highest = so_far - np.maximum.accumulate(np.where(stands, 0, so_far), axis=1)
    return np.where(highest.max(axis=1) <= _LINE_SHARE * stands.shape[1], lines, 0)
