"""Weaves the fields of two frames into one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.simulate.effects.frames import to_codes, to_native


def weave(
    plane: NDArray[Any], late: NDArray[Any], parity: int, strength: float, bit_depth: int
) -> NDArray[Any]:
    """Returns a plane whose rows of one parity (0 for the top field) come from another frame."""
    out = plane.copy()
    if strength >= 1:
        out[parity::2] = late[parity::2]
        return out
    own = to_codes(plane[parity::2], bit_depth)
    other = to_codes(late[parity::2], bit_depth)
    out[parity::2] = to_native(own + np.float32(strength) * (other - own), bit_depth)
    return out
