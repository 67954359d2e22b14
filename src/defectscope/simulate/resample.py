"""Resizing and shifting of single planes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.float32]


def resize(plane: NDArray[Any], height: int, width: int) -> Codes:
    """Gives a plane at another size; triangular weights, widened where it shrinks.

    Args:
        plane: (rows, columns) samples.
        height: Rows wanted.
        width: Columns wanted.

    Returns:
        (height, width) float32.
    """
    values = plane.astype(np.float32)
    if plane.shape[0] != height:
        values = weights(plane.shape[0], height) @ values
    if plane.shape[1] != width:
        values = values @ weights(plane.shape[1], width).T
    return values


def weights(size_from: int, size_to: int) -> Codes:
    """Gives the (size_to, size_from) matrix that resizes one axis."""
    ratio = size_from / size_to
    # Where it shrinks, the triangle covers all that falls into one new sample.
    reach = max(1.0, ratio)
    centres = (np.arange(size_to) + 0.5) * ratio - 0.5
    distance = np.abs(np.arange(size_from)[None, :] - centres[:, None]) / reach
    triangle = np.clip(1 - distance, 0, None)
    return (triangle / triangle.sum(axis=1, keepdims=True)).astype(np.float32)


def shift(plane: NDArray[Any], rows: int, columns: int) -> NDArray[Any]:
    """Gives a plane moved down and right by whole samples; edges are repeated."""
    at_y = np.clip(np.arange(plane.shape[0]) - rows, 0, plane.shape[0] - 1)
    at_x = np.clip(np.arange(plane.shape[1]) - columns, 0, plane.shape[1] - 1)
    return plane[at_y][:, at_x]
