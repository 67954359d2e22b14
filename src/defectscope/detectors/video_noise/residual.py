"""How much of one frame's calm parts follows no curve: noise of any grain size, on lines.

Filters of a few samples see white noise and miss blobs; what a parabola over 32 samples leaves
holds both. Texture leaves something as well, so the calmest tenth of the frame speaks for it; and
where even that leaves much, the frame before is asked how much of it is new. Blocks of a coarse
coder are new as well, but they stand on a grid, which noise hides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.compression_blockiness.comb import NAMES as COMB_NAMES
from defectscope.detectors.compression_blockiness.comb import comb_measures
from defectscope.detectors.video_noise.fresh import fresh_code
from defectscope.features.lines import Codes, Lines

Floats = NDArray[np.float64]

NAMES = ("residual_code", "fresh_code", "dot_share", "grid_clarity", "grid_share")
_GRID = tuple(COMB_NAMES.index(name) for name in ("step_clarity_min", "step_share"))
# What stands for what is new where the frame before cannot tell.
UNTOLD = -1.0
_WINDOW_PX = 32
_CALM_QUANTILE = 0.1
# Windows nearer to black or white than this clip noise, 8-bit-equivalent codes.
_CLIPPED_CODES = (24, 228)
_LEAST_WINDOWS = 20
# From where it matters what is new, as looking for it costs some 10 ms: what a parabola leaves,
# 8-bit-equivalent codes, or the share of samples that stand alone.
_LEAST_CODE, _LEAST_DOTS = 1.5, 0.001
# Samples farther than this from both neighbours in a line, which are alike, are dots.
_DOT_CODE = 24


def _basis() -> NDArray[np.float32]:
    """Returns (3, 32) the orthonormal polynomials of degree 0 to 2."""
    powers = np.vander(np.linspace(-1, 1, _WINDOW_PX), 3, increasing=True)
    return np.linalg.qr(powers)[0].T.astype(np.float32)


_CURVES = _basis()


def residual_measures(lines: Lines) -> Floats:
    """Returns the measures named in `NAMES`, (5,); codes are 8-bit-equivalent.

    The standard deviation of what a parabola leaves of the calmest tenth of windows of 32 samples,
    0 where too little of the frame is neither black nor white; that of what is new in the frame,
    the same as the first where nothing is suspected, -1 where the frame repeats or is the first;
    the share of samples that stand alone in their row; how clear a block grid is, and which share
    of its lines shows (`comb_measures`).
    """
    grid = comb_measures(lines)[list(_GRID)]
    left = np.concatenate([_residuals(codes) for codes in (lines.across, lines.down)])
    if len(left) < _LEAST_WINDOWS:
        return np.array([0.0, 0.0, 0.0, *grid])
    residual = float(np.quantile(left, _CALM_QUANTILE))
    dots = _dots(lines)
    if residual < _LEAST_CODE and dots < _LEAST_DOTS:
        return np.array([residual, residual, dots, *grid])
    fresh: float | None = None
    if lines.before is not None:
        fresh = fresh_code(lines.luma.pixels, lines.before.pixels, lines.bit_depth)
    return np.array([residual, UNTOLD if fresh is None else fresh, dots, *grid])


def _dots(lines: Lines) -> float:
    """Returns the share of samples that stand alone in their row."""
    codes = lines.across
    middle = codes[:, 1:-1]
    left, right = middle - codes[:, :-2], middle - codes[:, 2:]
    least = np.minimum(np.abs(left), np.abs(right))
    alone = (least > _DOT_CODE) & (2 * np.abs(left - right) < least)
    return float(alone.mean()) if alone.size else 0.0


def _residuals(codes: Codes) -> Floats:
    count = codes.shape[1] // _WINDOW_PX
    if not count:
        return np.empty(0)
    windows = codes[:, : count * _WINDOW_PX].reshape(-1, _WINDOW_PX).astype(np.float32)
    mean = windows.mean(axis=1)
    usable = windows[(mean > _CLIPPED_CODES[0]) & (mean < _CLIPPED_CODES[1])]
    along = usable @ _CURVES.T
    power = np.einsum("ij,ij->i", usable, usable) - np.einsum("ij,ij->i", along, along)
    return np.sqrt(np.maximum(power, 0.0) / (_WINDOW_PX - 3)).astype(np.float64)
