"""How much of a frame the one before does not explain, wherever its parts have moved from.

Texture goes with the picture; noise is new in every frame. Blocks are found again in the frame
before and predicted from there, between its samples as well. What the best predicted quarter of
them keeps is noise, even where texture fills a frame that moves as a whole.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from defectscope.media.frames import Pixels

Floats = NDArray[np.float32]

_BLOCK_PX = 32
# How far a block is looked for; one sample more is needed around it.
_REACH_PX = 24
_REGION_PX = _BLOCK_PX + 2 * _REACH_PX
_GRID = (4, 6)
_LEAST_BLOCKS = 6
_BEST_QUANTILE = 0.25
# Blocks nearer to black or white than this clip noise, 8-bit-equivalent codes.
_CLIPPED_CODES = (24, 228)
# Keeps the prediction of a flat block from following its noise, code² a sample.
_RIDGE = 0.05


def fresh_code(now: Pixels, before: Pixels, bit_depth: int) -> float | None:
    """Returns the standard deviation of what is new, 8-bit-equivalent codes.

    Args:
        now: (height, width) luma.
        before: That of the frame before, of the same shape.
        bit_depth: Significant bits of the samples.

    Returns:
        None where nothing can be told: the frame repeats, is too small, or is black or white.
    """
    height, width = now.shape
    if min(height, width) <= _REGION_PX or now.shape != before.shape:
        return None
    scale = np.float32(1 << (bit_depth - 8))
    tops, lefts = (
        np.linspace(0, side - _REGION_PX, count).astype(int)
        for side, count in zip(now.shape, _GRID, strict=True)
    )
    corners = [(top, left) for top in tops for left in lefts]
    region = (
        np.stack([before[t : t + _REGION_PX, s : s + _REGION_PX] for t, s in corners]) / scale
    ).astype(np.float32)
    inner = slice(_REACH_PX, _REACH_PX + _BLOCK_PX)
    block = (
        np.stack([now[t : t + _REGION_PX, s : s + _REGION_PX][inner, inner] for t, s in corners])
        / scale
    ).astype(np.float32)
    mean = block.mean(axis=(1, 2))
    told = (mean > _CLIPPED_CODES[0]) & (mean < _CLIPPED_CODES[1])
    told &= (block != region[:, inner, inner]).any(axis=(1, 2))
    if told.sum() < _LEAST_BLOCKS:
        return None
    level = mean[told, None, None]
    left = _unexplained(block[told] - level, region[told] - level)
    return float(np.quantile(left, _BEST_QUANTILE))


def _unexplained(block: Floats, region: Floats) -> Floats:
    """Returns (n,) the standard deviation that the best prediction of each block leaves.

    Args:
        block: (n, 32, 32) parts of the frame, about 0.
        region: (n, 80, 80) what lay around them in the frame before.
    """
    rows, columns = _found(block, region)
    view = np.lib.stride_tricks.sliding_window_view(region, (_BLOCK_PX, _BLOCK_PX), axis=(1, 2))
    each = np.arange(len(block))
    around = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    known = np.stack([view[each, rows + d, columns + a] for d, a in around], axis=1)
    known = known.reshape(len(block), len(around), -1)
    known = known - known.mean(axis=2, keepdims=True)
    wanted = block.reshape(len(block), -1)
    wanted = wanted - wanted.mean(axis=1, keepdims=True)
    count = wanted.shape[1]
    square = known @ known.transpose(0, 2, 1) + _RIDGE * count * np.eye(len(around))
    share = known @ wanted[:, :, None]
    weights = np.linalg.solve(square, share)
    rest = wanted - (weights.transpose(0, 2, 1) @ known)[:, 0]
    freedom = count - len(around) - 1
    return np.sqrt((rest**2).sum(axis=1) / freedom)


def _found(block: Floats, region: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns where in its region each block is most alike, not at the region's edge."""
    spectrum = fft.rfft2(region) * np.conj(fft.rfft2(block, s=region.shape[1:]))
    alike = fft.irfft2(spectrum, s=region.shape[1:])
    summed = np.pad(region.astype(np.float64) ** 2, ((0, 0), (1, 0), (1, 0)))
    summed = summed.cumsum(axis=1).cumsum(axis=2)
    size = _BLOCK_PX
    power = (
        summed[:, size:, size:]
        - summed[:, size:, :-size]
        - summed[:, :-size, size:]
        + summed[:, :-size, :-size]
    )
    places = 2 * _REACH_PX + 1
    unlike = (power - 2 * alike[:, :places, :places])[:, 1:-1, 1:-1]
    best = unlike.reshape(len(block), -1).argmin(axis=1)
    return best // (places - 2) + 1, best % (places - 2) + 1
