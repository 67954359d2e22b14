"""What changes a frame as a whole: bars, brightness, a cut, and mid grey for its reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.mid_grey import mid_grey
from defectscope.detectors.block_corruption.steps import (
    bars_moved,
    borders,
    brightness_moved,
    replaced,
)
from defectscope.engine.contracts import VideoChunk
from defectscope.features.geometry import tile_samples
from defectscope.media.stream import VideoInfo

# Rows and columns without a brighter sample are black; bars of so many percent count.
BLACK_CODE = 26
BAR_PERCENT = 2
# Tiles whose mean luma changes by so many 8-bit codes have become lighter or darker.
LIT_CODE = 0.5
# And tiles whose samples differ by so many at the mean show something else.
REPLACED_CODE = 10.0


class WholeFrames:
    """Follows a stream's frames, each held against the one before.

    Args:
        video: The stream.
    """

    def __init__(self, video: VideoInfo) -> None:
        sizes = tile_samples(video.width, video.height, every=True)
        self._tile_samples = np.maximum(sizes, 1) * (1 << (video.bit_depth - 8))
        self._black_code = BLACK_CODE << (video.bit_depth - 8)
        # Black borders of the latest frame, and the mean luma of its tiles, 8-bit codes.
        self._borders: NDArray[np.int64] | None = None
        self._luma: NDArray[np.float64] | None = None

    def differences(self, video: VideoChunk) -> NDArray[np.float64]:
        """Returns (frames, rows, columns) mean absolute differences of tiles, 8-bit codes."""
        return np.asarray(video.features["tile_sad"] / self._tile_samples, np.float64)

    def push(
        self, video: VideoChunk, differences: NDArray[np.float64]
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.uint8]]:
        """Takes the next frames.

        Args:
            video: The frames.
            differences: Of their tiles, from `differences`.

        Returns:
            In which of them bars move or nothing but the light changes, in which everything is
            replaced, as by a cut, and which turn to mid grey or come back, as `mid_grey` has it.
        """
        luma = np.asarray(video.features["tile_luma"] / self._tile_samples, np.float64)
        before = luma[:1] if self._luma is None else self._luma
        self._luma = luma[-1:]
        joined = np.concatenate([before, luma])
        lit = brightness_moved(joined, differences, LIT_CODE)
        cut = replaced(joined, differences, REPLACED_CODE, BLACK_CODE)
        return self._bars(video) | lit, cut, mid_grey(joined)

    def _bars(self, video: VideoChunk) -> NDArray[np.bool_]:
        """Tells in which frames black bars come, go or move."""
        found = borders(
            video.features["row_max"] <= self._black_code,
            video.features["column_max"] <= self._black_code,
        )
        before = found[:1] if self._borders is None else self._borders
        self._borders = found[-1:]
        return bars_moved(np.concatenate([before, found]), BAR_PERCENT)[1:]
