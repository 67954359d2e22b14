"""A small learned head: how likely it is that damage begins, or ends, between two frames.

A network of one hidden layer says of every block whether it is damaged while it was whole in the
other frame. How high the highest say, and how many, both ways, is weighed by a logistic regression
together with the difference of the large network's decisions.

Source: Rumelhart, Hinton and Williams 1986 (the hidden layer); Cox 1958 (logistic regression).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.blocks import FEATURES, Blocks, both_ways
from defectscope.detectors.block_corruption.measures import still
from defectscope.detectors.weights import read_verified
from defectscope.errors import ArtifactError

# Standardised features are kept within so many standard deviations.
_FARTHEST = 4.0
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
        mean: (FEATURES,) of the features of blocks.
        scale: (FEATURES,) their standard deviations.
        inner: (FEATURES, hidden) weights of the hidden layer.
        inner_offset: (hidden,).
        outer: (hidden,) weights of the output.
        outer_offset: (1,).
        frame_mean: (features of a frame,).
        frame_scale: Likewise.
        frame_weights: Likewise.
        frame_offset: (1,).
    """

    mean: Floats
    scale: Floats
    inner: Floats
    inner_offset: Floats
    outer: Floats
    outer_offset: Floats
    frame_mean: Floats
    frame_scale: Floats
    frame_weights: Floats
    frame_offset: Floats

    def of_blocks(self, blocks: Blocks) -> Floats:
        """Returns (rows, columns): log-odds that damage is new in each block."""
        values = standardised(blocks.features, self.mean, self.scale)
        hidden = np.maximum(values @ self.inner + self.inner_offset, 0)
        return hidden @ self.outer + self.outer_offset[0]

    def of_frame(self, features: Floats) -> float:
        """Returns the log-odds of what `frame_features` describe."""
        values = standardised(features, self.frame_mean, self.frame_scale)
        found = float(values @ self.frame_weights + self.frame_offset[0])
        return float(np.clip(found, -_MOST, _MOST))

    def __call__(
        self,
        rgb: NDArray[np.uint8],
        previous: NDArray[np.uint8],
        cells: Floats,
        logits: Floats,
    ) -> Floats:
        """Returns (2,) log-odds that damage begins with a frame, and that it ends with it.

        Args:
            rgb: (height, width, 3) the frame.
            previous: The frame before it.
            cells: (2, rows, columns) the network's map of both.
            logits: (2,) its decisions about both.
        """
        ways = both_ways(still(rgb), still(previous), cells)
        scores = [self.of_blocks(way) for way in ways]
        return np.array(
            [self.of_frame(frame_features(scores, ways, logits, way)) for way in (0, 1)],
            np.float32,
        )

    def tensors(self) -> dict[str, Floats]:
        """Returns what a file of weights holds."""
        return {f.name: np.asarray(getattr(self, f.name), np.float32) for f in fields(self)}


def standardised(values: Floats, mean: Floats, scale: Floats) -> Floats:
    """Returns values in standard deviations from the mean, the farthest drawn in."""
    return np.clip((values - mean) / scale, -_FARTHEST, _FARTHEST)


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


def load_onset(folder: Path, artifact: Mapping[str, Any]) -> Onset:
    """Returns the head that detector.json names.

    Args:
        folder: Of the artifact.
        artifact: Its detector.json; `onset` holds `file` and `sha256`.

    Raises:
        ArtifactError: The file is missing, changed, or not of this head.
    """
    from safetensors.numpy import load

    try:
        path, expected = folder / str(artifact["onset"]["file"]), str(artifact["onset"]["sha256"])
    except (KeyError, TypeError):
        raise ArtifactError(f"{folder / 'detector.json'}: names no onset") from None
    data = read_verified(path, expected)
    try:
        found = Onset(**load(data))
    except Exception as error:  # whatever safetensors makes of foreign contents
        raise ArtifactError(f"{path}: does not fit this detector: {error}") from None
    if found.mean.shape != (FEATURES,) or found.inner.shape[:1] != (FEATURES,):
        raise ArtifactError(f"{path}: is of other features than this detector's {FEATURES}")
    return found
