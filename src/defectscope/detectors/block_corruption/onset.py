"""A small learned head: how likely it is that damage begins, or ends, between two frames.

A network of one hidden layer says of every block whether it is damaged while it was whole in the
other frame. How high the highest say, and how many, both ways, is weighed by a logistic regression
together with the difference of the large network's decisions.

Source: Cox 1958 (logistic regression).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.blocks import Blocks
from defectscope.detectors.block_corruption.hidden_layer import HiddenLayer, standardised

# Blocks count by the mean of so many of the highest, and of so many of a hundred of them.
_HIGHEST = (1, 3, 10)
_PERCENTS = (2, 10)
_ABOVE = (0.0, 2.0)
_GROUPS = 5
# Log-odds of one look are kept within this.
_MOST = 12.0

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Onset:
    """The learned head.

    Attributes:
        layer: Log-odds that damage is new in each block.
        frame_mean: (features of a frame,).
        frame_scale: Likewise.
        frame_weights: Likewise.
        frame_offset: (1,).
    """

    layer: HiddenLayer
    frame_mean: Floats
    frame_scale: Floats
    frame_weights: Floats
    frame_offset: Floats

    def of_frame(self, features: Floats) -> float:
        """Returns the log-odds of what `frame_features` describe."""
        values = standardised(features, self.frame_mean, self.frame_scale)
        found = float(values @ self.frame_weights + self.frame_offset[0])
        return float(np.clip(found, -_MOST, _MOST))

    def __call__(self, ways: tuple[Blocks, Blocks], logits: Floats) -> Floats:
        """Returns (2,) log-odds that damage begins with a frame, and that it ends with it.

        Args:
            ways: The blocks of the frame held against the one before it, and the other way round.
            logits: (2,) the network's decisions about both.
        """
        scores = [self.layer.of_blocks(way) for way in ways]
        return np.array(
            [self.of_frame(frame_features(scores, ways, logits, way)) for way in (0, 1)],
            np.float32,
        )


FRAME = tuple(field.name for field in fields(Onset) if field.name != "layer")


def frame_features(
    scores: list[Floats], ways: tuple[Blocks, Blocks], logits: Floats, way: int
) -> Floats:
    """Returns what tells that damage is new in one of two frames.

    Args:
        scores: Log-odds of the blocks of both, each held against the other.
        ways: The blocks themselves.
        logits: (2,) the network's decisions about both.
        way: Which frame: 0 the later one, 1 the one before it.
    """
    mine, other = float(logits[way]), float(logits[1 - way])
    return np.concatenate(
        [
            _pooled(scores[way]),
            _pooled(scores[1 - way]),
            ways[way].baselines(),
            [mine - other, abs(mine - other), mine, other],
        ]
    ).astype(np.float32)


def _pooled(scores: Floats) -> Floats:
    """Returns how high the highest blocks of a frame are, and groups of 3 x 3, and how many."""
    order = np.sort(scores, axis=None)[::-1]
    counts = [*_HIGHEST, *(max(1, len(order) * share // 100) for share in _PERCENTS)]
    padded = np.pad(scores, 1, mode="edge")
    rows, columns = scores.shape
    parts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    groups = np.sort(np.mean(parts, axis=0), axis=None)[::-1]
    return np.array(
        [
            *(order[:count].mean() for count in counts),
            *((scores > least).mean() for least in _ABOVE),
            groups[0],
            groups[:_GROUPS].mean(),
            np.median(order),
        ],
        np.float32,
    )
