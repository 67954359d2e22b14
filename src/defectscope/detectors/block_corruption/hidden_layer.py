"""A network of one hidden layer over what is known of a block: log-odds for each block of a frame.

Source: Rumelhart, Hinton and Williams 1986.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.blocks import Blocks

# Standardised features are kept within so many standard deviations.
_FARTHEST = 4.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HiddenLayer:
    """A hidden layer and the output over it.

    Attributes:
        mean: (FEATURES,) of the features of blocks.
        scale: (FEATURES,) their standard deviations.
        inner: (FEATURES, hidden) weights of the hidden layer.
        inner_offset: (hidden,).
        outer: (hidden,) weights of the output.
        outer_offset: (1,).
    """

    mean: Floats
    scale: Floats
    inner: Floats
    inner_offset: Floats
    outer: Floats
    outer_offset: Floats

    def of_blocks(self, blocks: Blocks) -> Floats:
        """Returns (rows, columns): log-odds of each block."""
        values = standardised(blocks.features, self.mean, self.scale)
        hidden = np.maximum(values @ self.inner + self.inner_offset, 0)
        return hidden @ self.outer + self.outer_offset[0]


LAYER = tuple(field.name for field in fields(HiddenLayer))


def standardised(values: Floats, mean: Floats, scale: Floats) -> Floats:
    """Returns values in standard deviations from the mean, the farthest drawn in."""
    return np.clip((values - mean) / scale, -_FARTHEST, _FARTHEST)
