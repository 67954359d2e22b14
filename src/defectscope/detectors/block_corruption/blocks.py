"""What tells that a block of one frame is damaged that was whole in the other, block by block.

Every number is of the two frames, hardly of what they show: what is left of one when the other is
moved onto it, the seams in that, and how far a block stands out of its frame and of its
surroundings. The network's own map is the one input that knows content.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.layout import CELL_PX
from defectscope.detectors.block_corruption.measures import (
    AGAINST,
    ALONE,
    POOL_PX,
    Still,
    against,
    alone,
)

# Pixels a side of a block, in frames as the network takes them.
BLOCK_PX = 16
# Cells a side of a block.
_SIDE = BLOCK_PX // POOL_PX
# Measures whose strongest cell counts as well, and those whose surroundings do.
_STRONGEST = ("excess", "strongest excess", "residual seams across", "residual seams down")
_AROUND = ("residual", "excess", "residual seams across", "residual seams down")
# What is usual in the frame: medians of these, and so many percent of the last two.
_BASELINES = (
    "change",
    "residual",
    "excess",
    "colour residual",
    "residual seams across",
    "residual seams down",
)
_HIGH, _HIGH_PERCENT = ("residual", "excess"), 90
# Probabilities of the map are kept this far from 0 and 1.
_LEAST = 1e-3
NAMES = (
    *AGAINST,
    *(f"strongest {name}" for name in _STRONGEST),
    *(f"{name}, other way" for name in AGAINST[1:]),
    *ALONE,
    *(f"{name}, more" for name in ALONE),
    *(f"{name}, over the frame's" for name in AGAINST),
    *(f"{name}, over its surroundings'" for name in AGAINST),
    *(f"{name}, around" for name in _AROUND),
    *(f"{name}, usual" for name in _BASELINES),
    *(f"{name}, high" for name in _HIGH),
    "map",
    "other map",
    "map, more",
)
FEATURES = len(NAMES)

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Features of the blocks of a frame, held against another frame.

    Attributes:
        features: (rows, columns, FEATURES), in the order of NAMES.
    """

    features: Maps

    def baselines(self) -> Maps:
        """Returns what is usual in the frame: change, residual, excess, and high residual."""
        names = ("change, usual", "residual, usual", "excess, usual", "residual, high")
        return self.features[0, 0, [NAMES.index(name) for name in names]]


def both_ways(now: Still, before: Still, cells: Maps) -> tuple[Blocks, Blocks]:
    """Returns the blocks of a frame against the one before it, and of that one against it.

    Damage that begins stands out the one way, damage that ends the other.

    Args:
        now: The frame.
        before: The frame before it.
        cells: (2, rows, columns) the network's map of both, in cells of CELL_PX.
    """
    forth, back = against(now, before), against(before, now)
    mine, other = alone(now), alone(before)
    return _blocks(forth, back, mine, other, cells), _blocks(back, forth, other, mine, cells[::-1])


def _blocks(forth: Maps, back: Maps, mine: Maps, other: Maps, cells: Maps) -> Blocks:
    means, own = _means(forth), _means(mine)
    around = _averaged(means)
    near = [AGAINST.index(name) for name in _AROUND]
    baselines = np.median(means[[AGAINST.index(name) for name in _BASELINES]], axis=(1, 2))
    high = np.percentile(means[[AGAINST.index(name) for name in _HIGH]], _HIGH_PERCENT, (1, 2))
    whole = np.concatenate([baselines, high]).astype(np.float32)[:, None, None]
    rows, columns = means.shape[1:]
    seen, other_seen = _logits(cells, rows, columns)
    planes = (
        means,
        _highest(forth[[AGAINST.index(name) for name in _STRONGEST]]),
        _means(back[1:]),
        own,
        own - _means(other),
        means - np.median(means, axis=(1, 2), keepdims=True),
        means - around,
        around[near],
        np.broadcast_to(whole, (len(whole), rows, columns)),
        np.stack([seen, other_seen, seen - other_seen]),
    )
    return Blocks(np.ascontiguousarray(np.concatenate(planes).transpose(1, 2, 0)))


def _logits(cells: Maps, rows: int, columns: int) -> Maps:
    """Returns the map's logits at the middle of each block."""
    down, across = (
        np.minimum((np.arange(count) * BLOCK_PX + BLOCK_PX // 2) // CELL_PX, most - 1)
        for count, most in ((rows, cells.shape[1]), (columns, cells.shape[2]))
    )
    at = cells[:, down][:, :, across]
    return np.log((at + _LEAST) / (1 - at + _LEAST)).astype(np.float32)


def _filled(planes: Maps) -> Maps:
    """Returns planes of whole blocks, the last ones filled up by the border."""
    _, rows, columns = planes.shape
    return np.pad(planes, ((0, 0), (0, -rows % _SIDE), (0, -columns % _SIDE)), mode="edge")


def _means(planes: Maps) -> Maps:
    """Returns means over blocks."""
    whole = _filled(planes)
    tall = sum((whole[:, k::_SIDE] for k in range(1, _SIDE)), start=whole[:, ::_SIDE])
    wide = sum((tall[:, :, k::_SIDE] for k in range(1, _SIDE)), start=tall[:, :, ::_SIDE])
    return np.asarray(wide / _SIDE**2, np.float32)


def _highest(planes: Maps) -> Maps:
    """Returns maxima over blocks."""
    whole = _filled(planes)
    tall = whole[:, ::_SIDE]
    for k in range(1, _SIDE):
        tall = np.maximum(tall, whole[:, k::_SIDE])
    wide = tall[:, :, ::_SIDE]
    for k in range(1, _SIDE):
        wide = np.maximum(wide, tall[:, :, k::_SIDE])
    return wide


def _averaged(planes: Maps) -> Maps:
    """Returns means over 3 x 3 blocks."""
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    tall = padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]
    sums = tall[:, :, :-2] + tall[:, :, 1:-1] + tall[:, :, 2:]
    return np.asarray(sums / 9, np.float32)
