"""Draws the look of block corruption on decoded planes: displaced, repeated and uniform blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Look = Literal["displaced", "repeated", "uniform"]
LOOKS: tuple[Look, ...] = ("displaced", "repeated", "uniform")

Planes = list[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Patch:
    """One run of damaged blocks, in luma pixels, and how it was filled.

    Attributes:
        row_px: First row.
        column_px: First column.
        height_px: Rows.
        width_px: Columns.
        look: How it is filled.
        shift_px: Displacement (down, right) of what is copied.
        codes: Native luma and chroma codes of a uniform fill.
        stale: Displaced contents come from the frame before instead of this one.
    """

    row_px: int
    column_px: int
    height_px: int
    width_px: int
    look: Look
    shift_px: tuple[int, int]
    codes: tuple[int, int, int]
    stale: bool


def draw_patches(
    rng: np.random.Generator,
    size_px: tuple[int, int],
    block_px: int,
    area: float,
    look: Look,
    bit_depth: int = 8,
) -> list[Patch]:
    """Draws runs of blocks until they cover a share of the frame.

    Runs follow the coding order, left to right, as lost slices do; some are single blocks.

    Args:
        rng: Where chance comes from.
        size_px: Height and width of the frame.
        block_px: Side of a block, even.
        area: Share of the frame to cover, 0 to 1.
        look: How blocks are filled.
        bit_depth: Of the samples.
    """
    height, width = size_px
    rows, columns = max(1, height // block_px), max(1, width // block_px)
    wanted = max(1, round(area * rows * columns))
    scale = 1 << (bit_depth - 8)
    patches: list[Patch] = []
    while wanted > 0:
        longest = min(wanted, columns)
        run = 1 if rng.random() < 0.3 else int(rng.integers(1, longest + 1))
        tall = 1 if rng.random() < 0.6 else int(rng.integers(1, min(4, rows) + 1))
        tall = max(1, min(tall, wanted // run))
        row = int(rng.integers(0, rows - tall + 1))
        column = int(rng.integers(0, columns - run + 1))
        reach = max(2, min(height, width) // 2)
        shift = rng.integers(-reach, reach + 1, 2) // 2 * 2
        grey = rng.random() < 0.4
        codes = np.array([128, 128, 128]) if grey else rng.integers(16, 236, 3)
        patches.append(
            Patch(
                row * block_px,
                column * block_px,
                tall * block_px,
                run * block_px,
                look,
                (int(shift[0]), int(shift[1])),
                (int(codes[0]) * scale, int(codes[1]) * scale, int(codes[2]) * scale),
                bool(rng.random() < 0.4),
            )
        )
        wanted -= run * tall
    return patches


def paint(planes: Planes, before: Planes, patches: list[Patch], block_px: int) -> Planes:
    """Returns the planes with patches drawn on them.

    Args:
        planes: Luma and, where there is colour, two chroma planes, 4:2:0 or 4:2:2.
        before: The planes of an earlier frame, for stale contents.
        patches: What to draw.
        block_px: Side of a block in luma pixels.
    """
    out = [plane.copy() for plane in planes]
    height, width = planes[0].shape
    for patch in patches:
        for index, plane in enumerate(planes):
            down, across = plane.shape[0] / height, plane.shape[1] / width
            top, left = int(patch.row_px * down), int(patch.column_px * across)
            bottom = min(plane.shape[0], int((patch.row_px + patch.height_px) * down))
            right = min(plane.shape[1], int((patch.column_px + patch.width_px) * across))
            if bottom <= top or right <= left:
                continue
            target = out[index][top:bottom, left:right]
            if patch.look == "uniform":
                target[:] = patch.codes[index]
            elif patch.look == "repeated":
                step = max(1, int(block_px * across))
                tile = plane[top:bottom, left : left + step]
                times = -(-(right - left) // max(1, tile.shape[1]))
                target[:] = np.tile(tile, (1, times))[:, : right - left]
                # A block that repeats itself over one block only is the frame itself.
                if right - left <= step:
                    target[:] = target[:1, :]
            else:
                source = before[index] if patch.stale else plane
                rows = np.arange(top, bottom) + int(patch.shift_px[0] * down)
                columns = np.arange(left, right) + int(patch.shift_px[1] * across)
                target[:] = source[rows % source.shape[0]][:, columns % source.shape[1]]
    return out
