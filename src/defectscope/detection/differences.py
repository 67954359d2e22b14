"""How far each picture is from the one before: the columns that detectors of motion share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.tables import column, saturate
from defectscope.features.geometry import tile_samples
from defectscope.findings import Table
from defectscope.media.stream import VideoInfo

# What `Differences` reads.
FEATURES = frozenset({"sad", "tile_sad", "luma_sum"})
# Steps of an 8-bit-equivalent code in which each measure is kept, all as uint16. Differences are
# finer than one changed code in a tile of 2,000 samples, and reach 1,023 codes.
STEPS_PER_CODE = {"mean": 64, "peak": 64, "low": 64, "luma": 128}


class Differences:
    """Measures pictures against the ones before them.

    `mean` is the mean absolute difference of luma; `peak` that of the tile that changed most; `low`
    the lower quartile of the tiles', large only where the whole picture moved; `luma` the mean luma
    of the picture itself. All in 8-bit-equivalent codes.

    Args:
        video: The stream's picture.
        names: Which of the measures are wanted.
    """

    def __init__(self, video: VideoInfo, *names: str) -> None:
        self._names = names
        self._scale = float(1 << (video.bit_depth - 8))
        self._samples = video.width * video.height
        tiles = np.maximum(tile_samples(video.width, video.height, every=True), 1)
        self._tile_samples = tiles.reshape(-1)

    @property
    def kinds(self) -> dict[str, Any]:
        """Name and element type of each column, as a table builder takes them."""
        return dict.fromkeys(self._names, np.uint16)

    def columns(self, features: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Gives the columns of some pictures from their features."""
        tiles = features["tile_sad"].reshape(len(features["tile_sad"]), -1) / self._tile_samples
        measures: dict[str, Callable[[], NDArray[Any]]] = {
            "mean": lambda: features["sad"] / self._samples,
            "peak": lambda: tiles.max(axis=1),
            "low": lambda: np.partition(tiles, tiles.shape[1] // 4, axis=1)[:, tiles.shape[1] // 4],
            "luma": lambda: features["luma_sum"] / self._samples,
        }
        return {
            name: saturate(measures[name]() / self._scale * STEPS_PER_CODE[name], np.uint16)
            for name in self._names
        }


def difference(table: Table, name: str) -> NDArray[np.float64]:
    """Gives a column that `Differences` made, in codes."""
    return column(table, name) / float(STEPS_PER_CODE[name])
