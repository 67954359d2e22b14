"""How far each frame is from the one before: the columns that detectors of motion share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.features.geometry import tile_samples
from defectscope.measurements import Table
from defectscope.media.stream import VideoInfo
from defectscope.temporal.tables import column, saturate

# What `Differences` reads, and what `apart` needs beside it.
FEATURES = frozenset({"sad", "tile_sad", "luma_sum"})
TONES = frozenset({"luma_histogram"})
# Steps of an 8-bit-equivalent code in which each measure is kept, all as uint16. Differences are
# finer than one changed code in a tile of 2,000 samples, and reach 1,023 codes.
STEPS_PER_CODE = {"mean": 64, "peak": 64, "luma": 128}
_STEPS_PER_APART = 160
# Frames on either side that a cut stands out from.
_CUT_REACH = 3


class Differences:
    """Measures frames against the ones before them.

    `mean` is the mean absolute difference of luma; `peak` that of the tile that changed most;
    `luma` the mean luma of the frame itself; all in 8-bit-equivalent codes. `apart` is `mean` as
    a share of how far two samples of the frame's own tones are apart on average: about 1 where
    two frames have nothing in common, however much or little contrast they have.

    Args:
        video: The stream's frame.
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
        return {name: np.uint8 if name == "apart" else np.uint16 for name in self._names}

    def columns(self, features: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Returns the columns of some frames from their features."""
        tiles = features["tile_sad"].reshape(len(features["tile_sad"]), -1) / self._tile_samples
        measures: dict[str, Callable[[], NDArray[Any]]] = {
            "mean": lambda: features["sad"] / self._samples,
            "peak": lambda: tiles.max(axis=1),
            "luma": lambda: features["luma_sum"] / self._samples,
        }
        made = {
            name: saturate(measures[name]() / self._scale * steps, np.uint16)
            for name, steps in STEPS_PER_CODE.items()
            if name in self._names
        }
        if "apart" in self._names:
            mean = features["sad"] / (self._samples * self._scale)
            strange = np.maximum(_strangeness(features["luma_histogram"]), 1.0)
            made["apart"] = saturate(mean / strange * _STEPS_PER_APART, np.uint8)
        return made


def difference(table: Table, name: str) -> NDArray[np.float64]:
    """Returns a column that `Differences` made, in codes; `apart` as a share."""
    steps = _STEPS_PER_APART if name == "apart" else STEPS_PER_CODE[name]
    return column(table, name) / float(steps)


def alone(
    values: NDArray[np.float64], noise: float, reach: int = _CUT_REACH
) -> NDArray[np.float64]:
    """Returns how much each value exceeds the largest of `reach` on either side.

    Args:
        values: (n,) not negative.
        noise: Added to the largest, so that nothing stands out from stillness by chance.
        reach: Values looked at on either side; ends repeat.
    """
    if not len(values):
        return values
    padded = np.pad(values, reach, mode="edge")
    windows = np.array(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1))
    windows[:, reach] = 0.0
    return values / (windows.max(axis=1) + noise)


def _strangeness(histograms: NDArray[Any]) -> NDArray[np.float64]:
    """How far two samples of each frame are apart on average, codes: Gini's mean difference."""
    tones = histograms.astype(np.float64)
    shares = np.cumsum(tones, axis=1) / np.maximum(tones.sum(axis=1, keepdims=True), 1.0)
    return 2.0 * np.sum(shares * (1.0 - shares), axis=1)
