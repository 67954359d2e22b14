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

# Side of a block, and how far it is looked for: in frames of some size, and in small ones.
_LARGE_PX, _SMALL_PX = (32, 24), (16, 12)
_SMALL_BELOW_PX = 144
_GRID = (4, 6)
_LEAST_BLOCKS = 6
_BEST_QUANTILE = 0.25
# Blocks nearer to black or white than this clip noise, 8-bit-equivalent codes.
_CLIPPED_CODES = (24, 228)
# Blocks of more contrast tell nothing where a prediction leaves less than this part of it.
_CONTRAST_CODE, _EXPLAINED = 24, 3
# Keeps the prediction of a flat block from following its noise, code² a sample.
_RIDGE = 0.05


def fresh_code(now: Pixels, before: Pixels, bit_depth: int) -> float | None:
    """Returns the standard deviation of what is new, 8-bit-equivalent codes.

    Args:
        now: (height, width) luma.
        before: That of the frame before, of the same shape.
        bit_depth: Significant bits of the samples.

    Returns:
        None where the frame repeats; 0 where it is tiny, or nearly all of it black or white.
    """
    size, reach = _SMALL_PX if min(now.shape) < _SMALL_BELOW_PX else _LARGE_PX
    around = size + 2 * reach
    if min(now.shape) <= around or now.shape != before.shape:
        return 0.0
    scale = np.float32(1 << (bit_depth - 8))
    tops, lefts = (
        np.linspace(0, side - around, count).astype(int)
        for side, count in zip(now.shape, _GRID, strict=True)
    )
    corners = [(top, left) for top in tops for left in lefts]
    regions, blocks = (
        np.stack([frame[t : t + around, s : s + around] for t, s in corners]).astype(np.float32)
        for frame in (before, now)
    )
    inner = slice(reach, reach + size)
    region, block = regions / scale, blocks[:, inner, inner] / scale
    mean = block.mean(axis=(1, 2))
    told = (mean > _CLIPPED_CODES[0]) & (mean < _CLIPPED_CODES[1])
    if told.sum() < _LEAST_BLOCKS:
        return 0.0
    told &= (block != region[:, inner, inner]).any(axis=(1, 2))
    if told.sum() < _LEAST_BLOCKS:
        return None
    level = mean[told, None, None]
    own = (block[told] - level).std(axis=(1, 2))
    left = _unexplained(block[told] - level, region[told] - level)
    # Writing that moves between samples leaves its edges: too much for what is left to be noise.
    left = left[(own < _CONTRAST_CODE) | (left > own / _EXPLAINED)]
    return float(np.quantile(left, _BEST_QUANTILE)) if len(left) >= _LEAST_BLOCKS else 0.0


def _unexplained(block: Floats, region: Floats) -> Floats:
    """Returns (n,) the standard deviation that the best prediction of each block leaves.

    Args:
        block: (n, size, size) parts of the frame, about 0.
        region: (n, size + 2 reach, size + 2 reach) what lay around them in the frame before.
    """
    rows, columns = _found(block, region)
    view = np.lib.stride_tricks.sliding_window_view(region, block.shape[1:], axis=(1, 2))
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
    """Returns where in its region each block is most similar, not at the region's edge."""
    wide = region.shape[1:]
    theirs, mine = (np.asarray(fft.rfft2(part, s=wide)) for part in (region, block))
    products = np.asarray(fft.irfft2(theirs * np.conj(mine), s=wide))
    summed = np.pad(region.astype(np.float64) ** 2, ((0, 0), (1, 0), (1, 0)))
    summed = summed.cumsum(axis=1).cumsum(axis=2)
    size = block.shape[1]
    power = (
        summed[:, size:, size:]
        - summed[:, size:, :-size]
        - summed[:, :-size, size:]
        + summed[:, :-size, :-size]
    )
    places = region.shape[1] - size + 1
    unlike = (power - 2 * products[:, :places, :places])[:, 1:-1, 1:-1]
    best = unlike.reshape(len(block), -1).argmin(axis=1)
    return best // (places - 2) + 1, best % (places - 2) + 1
