"""What of a change of the frame can be seen: truth must not name what nobody could notice."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.simulate.effects.frames import to_codes

# Means of small blocks are deaf to grain, which differs between any two frames.
BLOCK_PX = 4
VISIBLE_CODE = 8.0


def visible_share(one: NDArray[Any], other: NDArray[Any], bit_depth: int) -> float:
    """Returns the share of blocks of 4 x 4 samples whose means differ by eight codes or more.

    Args:
        one: (height, width) native samples.
        other: As many of another frame; rows and columns that fill no block are left out.
        bit_depth: Bits of a sample.
    """
    height, width = (size // BLOCK_PX * BLOCK_PX for size in one.shape)
    if not height or not width:
        return 0.0
    off = to_codes(one[:height, :width], bit_depth) - to_codes(other[:height, :width], bit_depth)
    blocks = off.reshape(height // BLOCK_PX, BLOCK_PX, -1, BLOCK_PX).mean(axis=(1, 3))
    return float(np.mean(np.abs(blocks) >= VISIBLE_CODE))
