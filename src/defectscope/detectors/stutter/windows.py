"""Statistics of each frame's neighbourhood, in memory that does not grow with the programme."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from defectscope.temporal.order import windows
from defectscope.temporal.padding import mirrored

Series = NDArray[np.float64]

# Rows whose windows are held at a time: 101 values of 8 bytes each make 3 MB.
_ROWS = 4096


def around(values: Series, reach: int) -> Series:
    """Returns each value with its neighbours, (n, 2 reach + 1), a view; mirrored at the ends."""
    if not len(values):
        return np.empty((0, 2 * reach + 1))
    padded = mirrored(values, reach)
    return windows(padded, 2 * reach + 1)


def window_means(values: Series, reach: int) -> Series:
    """Returns the mean of each value and its neighbours, (n,); mirrored at the ends."""
    if not len(values):
        return np.empty(0)
    sums = np.cumsum(mirrored(values, reach))
    sums = np.concatenate([[0.0], sums])
    return (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)


def window_quantiles(windows: Series, shares: Sequence[float]) -> list[Series]:
    """Returns quantiles of each row of a view of windows, one (n,) array for each share."""
    out = np.empty((len(shares), len(windows)))
    for first in range(0, len(windows), _ROWS):
        block = windows[first : first + _ROWS]
        out[:, first : first + len(block)] = np.quantile(block, shares, axis=1)
    return list(out)
