"""Profiles of one frame: lines averaged with their neighbours, so that grain averages out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.features.lines import Lines

Singles = NDArray[np.float32]

# So many neighbouring lines make one profile, and so many profiles are taken each way.
_LINES, _PROFILES = 8, 40
# Under which name they are kept for other measures of the same lines.
_MEMO = "profiles"


def profiles_of(lines: Lines) -> tuple[Singles, Singles]:
    """Returns profiles of rows and of columns, (profiles, length) 8-bit-equivalent codes, kept."""
    if _MEMO not in lines.memo:
        scale = np.float32(1.0 / (1 << (lines.bit_depth - 8)))
        pixels = lines.luma.pixels
        lines.memo[_MEMO] = (_averaged(pixels) * scale, _averaged(pixels.T) * scale)
    return lines.memo[_MEMO]


def _averaged(pixels: NDArray[Any]) -> Singles:
    """Returns (profiles, length) means of neighbouring rows, evenly spaced over the plane."""
    height = pixels.shape[0]
    count = max(1, min(_PROFILES, height // _LINES))
    first = (2 * np.arange(count) + 1) * max(0, height - _LINES) // (2 * count)
    rows = pixels[first[:, None] + np.arange(min(_LINES, height))]
    return rows.mean(axis=1, dtype=np.float32)
