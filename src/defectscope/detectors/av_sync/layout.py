"""What goes into the network and comes out of it, for those who need not import PyTorch."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

# A mouth as the network sees it, and the numbers of a vector.
HEIGHT, WIDTH = 48, 64
EMBEDDING = 128
Floats = NDArray[np.float32]


class Embedder(Protocol):
    """Embeds lips and speech of the same moment as the same vector."""

    def embed_mouth(self, crops: NDArray[np.uint8]) -> Floats:
        """Returns the vectors of one track's mouth frames.

        Args:
            crops: (T, 48, 64) luma at 25 fps.

        Returns:
            (T - 4, 128); vector t belongs to the frames t .. t + 4. Empty under five frames.
        """
        ...

    def embed_sound(self, mel: Floats) -> Floats:
        """Returns the vectors of an interval of sound.

        Args:
            mel: (M, 40) log-mel power.

        Returns:
            ((M - 20) // 4 + 1, 128); vector t belongs to the frames 4t .. 4t + 19. Empty under
            twenty frames.
        """
        ...
