"""Resizing and shifting of single planes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Codes = NDArray[np.float32]


def resize(plane: NDArray[Any], height: int, width: int) -> Codes:
    """Returns a plane at another size; triangular weights, widened where it shrinks.

    Args:
        plane: (rows, columns) samples.
        height: Rows wanted.
        width: Columns wanted.

    Returns:
        (height, width) float32.
    """
    values = plane.astype(np.float32)
    if plane.shape[0] != height:
        values = _weights(plane.shape[0], height) @ values
    if plane.shape[1] != width:
        values = (_weights(plane.shape[1], width) @ values.T).T
    return np.ascontiguousarray(values, dtype=np.float32)


@lru_cache(maxsize=64)
def _weights(size_from: int, size_to: int) -> Any:
    """The (size_to, size_from) sparse matrix that resizes one axis."""
    ratio = size_from / size_to
    # Where it shrinks, the triangle covers all that falls into one new sample.
    reach = max(1.0, ratio)
    centres = (np.arange(size_to) + 0.5) * ratio - 0.5
    offsets = np.arange(-int(np.ceil(reach)), int(np.ceil(reach)) + 1)
    at = np.rint(centres).astype(int)[:, None] + offsets
    share = np.clip(1 - np.abs(at - centres[:, None]) / reach, 0, None)
    share[(at < 0) | (at >= size_from)] = 0
    share /= share.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(size_to), len(offsets))
    columns = np.clip(at, 0, size_from - 1).ravel()
    entries = (share.ravel().astype(np.float32), (rows, columns))
    return sparse.csr_array(entries, shape=(size_to, size_from))


def shift(plane: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Returns a plane moved down and right by whole samples; edges are repeated."""
    at_y = np.clip(np.arange(plane.shape[0]) - rows, 0, plane.shape[0] - 1)
    at_x = np.clip(np.arange(plane.shape[1]) - columns, 0, plane.shape[1] - 1)
    return plane[at_y][:, at_x]
