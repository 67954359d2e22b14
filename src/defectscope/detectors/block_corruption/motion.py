"""Predicts a frame from another one: block matching from coarse to fine, in integers.

What moves on, moves as its surroundings do and is found again in the frame before and in the frame
after. Damage is found in neither. The search is exhaustive where the frame is reduced by 8, and
refined by one step where it is reduced by 4 and by 2; `features/motion.rs` does it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.features.motion_kernel import motion_kernel

Plane = NDArray[np.int16]
# Codes are counted in eighths: nine differences of them fit 16 bits.
CODE_STEPS = 8


@dataclass(frozen=True, slots=True)
class Motion:
    """Where each sample of a frame reduced by 2 was found in the other frame.

    Attributes:
        index: (rows, columns) int32, the place of the match, row by row.
        down: (rows / 4, columns / 4) int16, motion where the frame is reduced by 8.
        across: Likewise.
    """

    index: NDArray[np.int32]
    down: Plane
    across: Plane

    def moved(self, plane: Plane) -> Plane:
        """Returns a plane of the other frame, reduced by 2, moved onto this frame."""
        return plane.reshape(-1).take(self.index)


def halved(plane: NDArray[np.int16]) -> Plane:
    """Returns means over squares of 2 x 2 of a plane with even sides."""
    rows = plane[::2] + plane[1::2]
    return (rows[:, ::2] + rows[:, 1::2] + 2) >> 2


def search(now: tuple[Plane, Plane, Plane], other: tuple[Plane, Plane, Plane]) -> Motion:
    """Finds each part of a frame in another one.

    Args:
        now: Luma in 1 / CODE_STEPS codes, reduced by 2, by 4 and by 8.
        other: Likewise, of the frame before or after.
    """
    return Motion(*motion_kernel(*now[0].shape).search(now, other))
