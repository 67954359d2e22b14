"""The small heads over the large network: where a frame is damaged, and what begins or ends.

Both learned from the same looks and see the same numbers of each block of 16 x 16 pixels; the
large network's own map and decisions are among these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.blocks import FEATURES, both_ways
from defectscope.detectors.block_corruption.cell_map import cell_map
from defectscope.detectors.block_corruption.hidden_layer import LAYER, Floats, HiddenLayer
from defectscope.detectors.block_corruption.measures import still
from defectscope.detectors.block_corruption.onset import FRAME, Onset
from defectscope.detectors.weights import read_verified
from defectscope.errors import ArtifactError

# Names of the map's tensors begin with this; those of the onset's layer have the names alone.
_MAP = "map_"


@dataclass(frozen=True, slots=True)
class Heads:
    """Both heads.

    Attributes:
        onset: Says how likely damage begins or ends between two frames.
        map: Says of each block of a frame whether it is damaged.
    """

    onset: Onset
    map: HiddenLayer

    def __call__(
        self,
        rgb: NDArray[np.uint8],
        previous: NDArray[np.uint8],
        cells: Floats,
        logits: Floats,
    ) -> tuple[Floats, Floats]:
        """Returns maps of damage, and what begins or ends.

        Args:
            rgb: (height, width, 3) the frame.
            previous: The frame before it.
            cells: (2, rows, columns) the network's map of both.
            logits: (2,) its decisions about both.

        Returns:
            (2, rows, columns) probabilities of damage in both frames, and (2,) log-odds that
            damage begins with the frame, and that it ends with it.
        """
        ways = both_ways(still(rgb), still(previous), cells)
        maps = [cell_map(self.map.of_blocks(way), cells.shape[1:]) for way in ways]
        return np.stack(maps), self.onset(ways, logits)

    def tensors(self) -> dict[str, Floats]:
        """Returns what a file of weights holds."""
        onset = {name: getattr(self.onset.layer, name) for name in LAYER}
        onset |= {name: getattr(self.onset, name) for name in FRAME}
        named = onset | {_MAP + name: getattr(self.map, name) for name in LAYER}
        return {name: np.asarray(tensor, np.float32) for name, tensor in named.items()}


def load_heads(folder: Path, artifact: Mapping[str, Any]) -> Heads:
    """Returns the heads that detector.json names.

    Args:
        folder: Of the artifact.
        artifact: Its detector.json; `heads` holds `file` and `sha256`.

    Raises:
        ArtifactError: The file is missing, changed, or not of these heads.
    """
    from safetensors.numpy import load

    try:
        path, expected = folder / str(artifact["heads"]["file"]), str(artifact["heads"]["sha256"])
    except (KeyError, TypeError):
        raise ArtifactError(
            f"{folder / 'detector.json'}: names no heads; `defectscope-train heads` learns them"
        ) from None
    data = read_verified(path, expected)
    try:
        named = load(data)
        layers = [
            HiddenLayer(**{name: named.pop(prefix + name) for name in LAYER})
            for prefix in ("", _MAP)
        ]
        found = Heads(Onset(layers[0], **named), layers[1])
    except Exception as error:  # whatever safetensors makes of foreign contents
        raise ArtifactError(f"{path}: does not fit this detector: {error}") from None
    for layer in layers:
        if layer.mean.shape != (FEATURES,) or layer.inner.shape[:1] != (FEATURES,):
            raise ArtifactError(f"{path}: is of other features than this detector's {FEATURES}")
    return found
