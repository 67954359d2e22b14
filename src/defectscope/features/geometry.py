"""Sizes of frames, the grid of tiles on them, and the rows that sampled measures look at."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError

TILE_ROWS = 8
TILE_COLUMNS = 12
_BLOCK_PX = 16
_SAMPLED_AREA_PX = 65_536
_SAMPLED_BLOCKS = 20

MAX_SIDE_PX = 65_536
MAX_AREA_PX = 1 << 26
BIT_DEPTHS = (8, 9, 10, 11, 12)


@dataclass(frozen=True)
class PlaneGeometry:
    """The sizes of a frame's planes in samples; a grey frame has chroma sizes of 0.

    Raises:
        InvalidParameterError: The kernel does not measure frames of this size or depth.
    """

    width: int
    height: int
    chroma_width: int
    chroma_height: int
    bit_depth: int

    def __post_init__(self) -> None:
        luma_fits = self.width >= 1 and self.height >= 1 and _fits(self.width, self.height)
        has_chroma = self.chroma_width >= 1 and self.chroma_height >= 1
        is_grey = self.chroma_width == 0 and self.chroma_height == 0
        chroma_fits = is_grey or (has_chroma and _fits(self.chroma_width, self.chroma_height))
        if not luma_fits or not chroma_fits or self.bit_depth not in BIT_DEPTHS:
            raise InvalidParameterError(
                f"cannot measure {self}: sides are at most {MAX_SIDE_PX} px, planes at most "
                f"{MAX_AREA_PX} px, and the bit depth is 8 to 12"
            )

    @property
    def shift(self) -> int:
        """By how many bits a native code is deeper than an 8-bit-equivalent one."""
        return self.bit_depth - 8


def _fits(width: int, height: int) -> bool:
    return max(width, height) <= MAX_SIDE_PX and width * height <= MAX_AREA_PX


def row_step(width: int, height: int) -> int:
    """Returns the distance in rows between the rows that sampled measures look at.

    It is odd, so that both fields and all phases of a block grid are met. The sampled rows hold
    about 65,536 samples, but are 36 at least (where the plane has as many) and 256 at most.
    """
    by_area = -(-width * height // _SAMPLED_AREA_PX) | 1
    by_rows = max(height // 36, 2) - 1 | 1
    at_least = -(-height // 256) | 1
    return max(min(by_area, by_rows), at_least)


def sampled_rows(width: int, height: int, above: int = 0, below: int = 0) -> NDArray[np.intp]:
    """Returns the sampled rows of a plane that have so many rows above and below them."""
    step = row_step(width, height)
    rows = np.arange(step // 2, height, step)
    return rows[(rows >= above) & (rows < height - below)]


def sampled_columns(width: int) -> NDArray[np.intp]:
    """Returns the columns that the row profiles look at: some 20 blocks of 16, or all columns."""
    blocks = -(-width // _BLOCK_PX)
    step = max(blocks // _SAMPLED_BLOCKS, 1)
    columns = np.arange(width)
    return columns[columns // _BLOCK_PX % step == step // 2]


def tile_columns(width: int) -> NDArray[np.intp]:
    """Returns the 13 columns at which the tiles of a plane begin and end."""
    blocks = -(-width // _BLOCK_PX)
    edges = np.arange(TILE_COLUMNS + 1) * blocks // TILE_COLUMNS * _BLOCK_PX
    return np.minimum(edges, width)


def tile_rows(height: int) -> NDArray[np.intp]:
    """Returns the 9 rows at which the tiles of a plane begin and end."""
    return np.arange(TILE_ROWS + 1) * height // TILE_ROWS


def tile_samples(
    width: int, height: int, *, margin: int = 0, above: int = 0, below: int = 0, every: bool = False
) -> NDArray[np.int64]:
    """Returns how many samples each tile's sum is made of, to turn sums into means.

    Args:
        width: Width of the plane in samples.
        height: Height of the plane in samples.
        margin: How many samples shorter than the row the measure is.
        above: Rows that the measure needs above the one it is for.
        below: Rows that the measure needs below it.
        every: Whether the measure looks at every row instead of the sampled ones.
    """
    rows = np.arange(above, height - below) if every else sampled_rows(width, height, above, below)
    down = np.histogram(rows, bins=np.arange(height + 1))[0] if height else np.zeros(0, np.int64)
    edges = tile_rows(height)
    per_row = np.array([down[a:b].sum() for a, b in pairwise(edges)])
    per_column = np.diff(np.minimum(tile_columns(width), max(width - margin, 0)))
    return np.outer(per_row, per_column).astype(np.int64)
