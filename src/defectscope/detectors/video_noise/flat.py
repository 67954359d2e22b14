"""The noise of a frame, measured where nothing else is: in its flattest tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.features.geometry import tile_samples
from defectscope.media.stream import VideoInfo

# Source: J. Immerkaer, "Fast noise variance estimation", 1996: sigma of white noise from the mean
# magnitude of his filter's answer.
_IMMERKAER = math.sqrt(math.pi / 2) / 6
# Sigma of white noise from the mean magnitude of the difference of two frames of it.
_DIFFERENCE = math.sqrt(math.pi) / 2
# Power of the Laplacian's answer to white noise of sigma 1: 4 x 1 + 4 x 4.
_LAPLACIAN_POWER = 20
# Tiles nearer to black or white than this clip noise and read as clean, 8-bit-equivalent codes.
_CLIPPED_CODES = (24, 228)
# Which tile speaks for the frame's noise, 0 the calmest and 1 the busiest: low enough to be flat,
# high enough not to be one dead tile.
FLAT_QUANTILE = 0.1
# Likewise for stray dots, which fall on every tile.
DOTS_QUANTILE = 0.2


class FlatTiles:
    """Turns the sums of tiles into the noise of frames of one geometry."""

    def __init__(self, video: VideoInfo) -> None:
        # The filters' samples are first shifted down to 10 bits.
        self._noise_scale = float(1 << (min(video.bit_depth, 10) - 8))
        self._luma_scale = float(1 << (video.bit_depth - 8))
        size = (video.width, video.height)
        self._samples = tile_samples(*size, margin=2, above=1, below=1)
        self._luma_samples = np.maximum(tile_samples(*size, every=True), 1)

    def sigma_code(
        self, features: Mapping[str, NDArray[Any]], quantile: float = FLAT_QUANTILE
    ) -> NDArray[np.float64]:
        """Returns (frames,) sigma of the noise, from `tile_noise` and `tile_luma`."""
        magnitude = features["tile_noise"] / np.maximum(self._samples, 1) * _IMMERKAER
        return lowest(magnitude, self._usable(features), quantile) / self._noise_scale

    def power_code(
        self, features: Mapping[str, NDArray[Any]], quantile: float = DOTS_QUANTILE
    ) -> NDArray[np.float64]:
        """Returns (frames,) the same by power, from `tile_laplacian_squares` and `tile_luma`."""
        squares = features["tile_laplacian_squares"] / np.maximum(self._samples, 1)
        power = np.sqrt(squares / _LAPLACIAN_POWER)
        return lowest(power, self._usable(features), quantile) / self._noise_scale

    def change_code(
        self, features: Mapping[str, NDArray[Any]], quantile: float = FLAT_QUANTILE
    ) -> NDArray[np.float64]:
        """Returns (frames,) sigma of what is new in each frame, from `tile_sad` and `tile_luma`.

        Noise that is new in every frame reads as its sigma; 0 where a frame repeats the last one or
        has none before it.
        """
        magnitude = features["tile_sad"] / self._luma_samples * _DIFFERENCE
        return lowest(magnitude, self._usable(features), quantile) / self._luma_scale

    def _usable(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        mean = features["tile_luma"] / self._luma_samples / self._luma_scale
        low, high = _CLIPPED_CODES
        return (mean > low) & (mean < high) & (self._samples > 0)


def lowest(
    tiles: NDArray[np.float64], usable: NDArray[np.bool_], quantile: float
) -> NDArray[np.float64]:
    """Returns the value of the usable tile at a quantile from below, 0 where there is none."""
    flat = np.sort(np.where(usable, tiles, np.inf).reshape(len(tiles), -1), axis=1)
    count = usable.reshape(len(tiles), -1).sum(axis=1)
    at = np.rint(quantile * np.maximum(count - 1, 0)).astype(np.intp)
    picked = np.take_along_axis(flat, at[:, None], axis=1)[:, 0]
    return np.where(count > 0, picked, 0.0)
