"""Tells, block by block, what is visibly damaged in a picture, from what should have been seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from defectscope.media.concealment import YuvPicture

# Labels are given per block of so many pixels; four of them a side make a cell of the network.
LABEL_PX = 8
CLEAN, UNSURE, DAMAGED = 0, 1, 2

# A block is damaged where it differs, by this mean in 8-bit codes, from what should be there, from
# what was there in the pictures just before (a copy of an earlier picture is only stillness) and
# from what should be a few pixels away (leaves that concealment moved a little are still leaves).
# All on pictures reduced to this many pixels a sample, as an eye at some distance sees them.
DAMAGED_CODE = 8.0
UNSURE_CODE = 3.5
_SAMPLE_PX = 4
_EARLIER_FRAMES = (1, 2, 3, 4, 6)
EARLIEST_FRAMES = max(_EARLIER_FRAMES)

Mask = NDArray[np.uint8]


def blocks_of(size_px: tuple[int, ...]) -> tuple[int, int]:
    """Gives rows and columns of the whole blocks in a picture."""
    return size_px[0] // LABEL_PX, size_px[1] // LABEL_PX


Reduced = NDArray[np.float32]


def reduced(picture: YuvPicture) -> Reduced:
    """Gives luma and chroma by samples of _SAMPLE_PX, (3, rows, columns), whole blocks only."""
    rows, columns = (n * LABEL_PX // _SAMPLE_PX for n in blocks_of(picture[0].shape))
    out = np.empty((3, rows, columns), np.float32)
    for k, plane in enumerate(picture):
        step = _SAMPLE_PX if k == 0 else _SAMPLE_PX // 2
        cut = plane[: rows * step, : columns * step].reshape(rows, step, columns, step)
        out[k] = cut.mean(axis=(1, 3), dtype=np.float32)
    return out


def _apart(seen: Reduced, other: Reduced) -> NDArray[np.float32]:
    """How far two pictures are apart, per block: the largest mean difference of the planes."""
    step = LABEL_PX // _SAMPLE_PX
    gap = np.abs(seen - other)
    gap = gap.reshape(3, gap.shape[1] // step, step, gap.shape[2] // step, step)
    return gap.mean(axis=(2, 4)).max(axis=0)


def label(seen: YuvPicture, clean: Sequence[Reduced], index: int) -> Mask:
    """Gives what is damaged in a picture, block by block.

    Args:
        seen: The picture shown.
        clean: The intact clip, reduced.
        index: Which of its pictures should have been shown.
    """
    mine = reduced(seen)
    least = _apart(mine, clean[index])
    out = np.where(least >= UNSURE_CODE, UNSURE, CLEAN).astype(np.uint8)
    suspect = least >= DAMAGED_CODE
    if not suspect.any():
        return out
    for back in _EARLIER_FRAMES:
        if index >= back:
            least = np.minimum(least, _apart(mine, clean[index - back]))
    padded = np.pad(clean[index], ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = mine.shape[1:]
    for down in range(3):
        for across in range(3):
            moved = padded[:, down : down + rows, across : across + columns]
            least = np.minimum(least, _apart(mine, moved))
    out[suspect & (least >= DAMAGED_CODE)] = DAMAGED
    return out
