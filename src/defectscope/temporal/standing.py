"""How much of a frame moves once a small part of it is left out: a spinner, a clock, a logo."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# So many of the 96 tiles may go on while a frame stands.
FREE_TILES = 15


def all_but_free(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (frames,) the largest value of a frame's tiles once the 15 largest are left out.

    Args:
        tiles: (frames, tiles), 16 or more.
    """
    at = tiles.shape[1] - 1 - FREE_TILES
    return np.asarray(np.partition(tiles, at, axis=1)[:, at])
