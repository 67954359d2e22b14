"""Series with something before and after them.

`numpy.pad` does the same for any number of axes, and takes 50 to 100 µs to find out that there is
one: more than most measures of a window take.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mirrored(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """Returns a series that goes on backwards on either side, its ends twice; (n + 2 reach,)."""
    if len(values) < reach:
        return np.pad(values, reach, mode="symmetric")
    return np.concatenate((values[:reach][::-1], values, values[len(values) - reach :][::-1]))


def held(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """Returns a series that stays at its ends; (n + 2 reach,), n at least 1."""
    wide = np.empty(len(values) + 2 * reach, values.dtype)
    wide[:reach], wide[reach : reach + len(values)] = values[0], values
    wide[reach + len(values) :] = values[-1]
    return wide


def between(values: NDArray[Any], reach: int, fill: float = 0.0) -> NDArray[Any]:
    """Returns a series between equal values; (n + 2 reach,)."""
    wide = np.full(len(values) + 2 * reach, fill, values.dtype)
    wide[reach : reach + len(values)] = values
    return wide
