"""The map of damage: what is said of blocks, by cells of 32 x 32 pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.blocks import BLOCK_PX
from defectscope.detectors.block_corruption.layout import CELL_PX

# Blocks along a side of a cell.
SIDE = CELL_PX // BLOCK_PX

Floats = NDArray[np.float32]


def cell_map(log_odds: Floats, shape: tuple[int, ...]) -> Floats:
    """Returns the mean probability of the blocks of each cell.

    Args:
        log_odds: (rows, columns) by block.
        shape: Rows and columns of the map.
    """
    return by_cell(np.asarray(1 / (1 + np.exp(-log_odds)), np.float32), shape)


def by_cell(values: Floats, shape: tuple[int, ...]) -> Floats:
    """Returns means over the blocks of each cell; the last blocks fill up cells at the border."""
    pads = [(0, max(0, SIDE * n - have)) for n, have in zip(shape, values.shape, strict=True)]
    whole = np.pad(values, pads, mode="edge")[: SIDE * shape[0], : SIDE * shape[1]]
    means = whole.reshape(shape[0], SIDE, shape[1], SIDE).mean(axis=(1, 3))
    return np.asarray(means, np.float32)
