"""Medians, quantiles and windows of short arrays, equal to NumPy's to the last bit.

NumPy's own take any axis, type and method, which costs 15 to 50 µs a call, whatever the length. A
live channel asks some two hundred times a second; these take 2 to 5 µs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def median(values: NDArray[Any]) -> float:
    """Returns what `np.median` does of an array of floats or integers, (n,)."""
    count = len(values)
    if not count:
        return math.nan
    ordered = np.sort(values)
    if ordered[-1] != ordered[-1]:
        return math.nan  # NaN is sorted to the end
    if count % 2:
        return float(ordered[count // 2])
    low, high = ordered[count // 2 - 1], ordered[count // 2]
    if ordered.dtype.kind != "f":
        low, high = float(low), float(high)  # the sum of two bytes may be none
    return float((low + high) / 2)


def quantile(values: NDArray[np.float64], share: float) -> float:
    """Returns what `np.quantile` does of an array of doubles, (n,), between two by their distance.

    Args:
        values: At least one.
        share: 0 for the least to 1 for the greatest.
    """
    if values.dtype != np.float64:
        return float(np.quantile(values, share))  # which rounds shares to the array's type
    ordered = np.sort(values)
    last = len(ordered) - 1
    if ordered[-1] != ordered[-1]:
        return math.nan
    place = last * share
    low = min(int(place), last)
    below, above = float(ordered[low]), float(ordered[min(low + 1, last)])
    part, apart = place - low, above - below
    # From the nearer side, as NumPy does: both ends are met exactly.
    return above - apart * (1 - part) if part >= 0.5 else below + apart * part


def windows(values: NDArray[Any], width: int) -> NDArray[Any]:
    """Returns every `width` values in a row, (n - width + 1, width): a view of (n,) values."""
    values = np.ascontiguousarray(values)
    step = values.itemsize
    shape = (len(values) - width + 1, width)
    view: NDArray[Any] = np.ndarray(shape, values.dtype, values, strides=(step, step))
    view.flags.writeable = False
    return view
