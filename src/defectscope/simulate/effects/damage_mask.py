"""Tells, block by block, what is visibly damaged in a frame, from what should have been seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.media.concealment import YuvFrame

# Labels are given per block of so many pixels; four of them a side make a cell of the network.
LABEL_PX = 8
CLEAN, UNSURE, DAMAGED = 0, 1, 2

# A block is damaged where it differs, by this mean in 8-bit codes and more in rough texture, from
# what should be there, from what is there in the frames around (a copy of another frame is only
# stillness, or a frame shown too late) and from what should be a few pixels away (leaves that
# concealment moved a little are still leaves). All on frames reduced to this many pixels a sample,
# as an eye at some distance sees them.
DAMAGED_CODE = 8.0
UNSURE_CODE = 3.5
# Of the texture's standard deviation in and around a block, so much hides damage.
_MASKED_BY_TEXTURE = 0.35
_SAMPLE_PX = 4
_EARLIER_FRAMES = (1, 2, 3, 4, 6, 8, -1, -2, -3, -4, -6, -8)
EARLIEST_FRAMES = LATEST_FRAMES = 8

Mask = NDArray[np.uint8]


def blocks_of(size_px: tuple[int, ...]) -> tuple[int, int]:
    """Returns rows and columns of the whole blocks in a frame."""
    return size_px[0] // LABEL_PX, size_px[1] // LABEL_PX


Reduced = NDArray[np.float32]


def reduced(frame: YuvFrame) -> Reduced:
    """Returns luma and chroma by samples of _SAMPLE_PX, (3, rows, columns), whole blocks only."""
    rows, columns = (n * LABEL_PX // _SAMPLE_PX for n in blocks_of(frame[0].shape))
    out = np.empty((3, rows, columns), np.float32)
    for k, plane in enumerate(frame):
        step = _SAMPLE_PX if k == 0 else _SAMPLE_PX // 2
        out[k] = _means(plane[: rows * step, : columns * step].astype(np.uint16), step)
    return out


def _means(plane: NDArray[Any], step: int) -> NDArray[np.float32]:
    """Returns means over squares of a side; sums of strided parts are faster than a reduction."""
    rows = sum(plane[..., k::step, :] for k in range(step))
    total = sum(rows[..., k::step] for k in range(step))  # pyright: ignore[reportIndexIssue]
    return np.asarray(total, np.float32) / np.float32(step * step)


def _apart(seen: Reduced, other: Reduced) -> NDArray[np.float32]:
    """How far two frames are apart, per block: the largest mean difference of the planes."""
    step = LABEL_PX // _SAMPLE_PX
    return _means(np.abs(seen - other), step).max(axis=0)


def label(seen: YuvFrame, clean: Sequence[Reduced], index: int) -> Mask:
    """Returns what is damaged in a frame, block by block.

    Args:
        seen: The frame shown.
        clean: The intact clip, or a part of it around the frame, reduced.
        index: Which of its frames should have been shown.
    """
    mine = reduced(seen)
    least = _apart(mine, clean[index])
    out = np.where(least >= UNSURE_CODE, UNSURE, CLEAN).astype(np.uint8)
    bound = DAMAGED_CODE + _MASKED_BY_TEXTURE * _texture(clean[index][0])
    suspect = least >= bound
    if not suspect.any():
        return out
    for back in _EARLIER_FRAMES:
        if 0 <= index - back < len(clean):
            least = np.minimum(least, _apart(mine, clean[index - back]))
    padded = np.pad(clean[index], ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = mine.shape[1:]
    for down in range(3):
        for across in range(3):
            moved = padded[:, down : down + rows, across : across + columns]
            least = np.minimum(least, _apart(mine, moved))
    out[suspect & (least >= bound)] = DAMAGED
    return out


def _texture(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the standard deviation of samples in and around each block."""
    step = LABEL_PX // _SAMPLE_PX
    rows, columns = (n // step for n in luma.shape)
    spread = np.zeros((rows, columns), np.float32)
    for power in (2, 1):
        mean = _means(luma**power, step)
        around = np.pad(mean, 1, mode="edge")
        mean = np.mean(
            [around[r : r + rows, c : c + columns] for r in range(3) for c in range(3)], axis=0
        )
        spread = mean if power == 2 else spread - mean**2
    return np.sqrt(np.maximum(spread, 0)).astype(np.float32)
