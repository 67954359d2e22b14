"""Measures a block grid over intervals of a fifth of a second on the absolute time grid.

Steps are summed over the frames of an interval as integers, so that chunks do not matter; what a
segment cuts is measured whole by the segment that holds its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.compression_blockiness.grid import grid
from defectscope.engine.contracts import VideoChunk
from defectscope.features.geometry import sampled_columns, sampled_rows
from defectscope.media.stream import VideoInfo

BUCKETS_HZ = 5
# Features that the meter reads.
GRID_FEATURES = frozenset({"column_step", "row_step", "tile_luma"})


@dataclass(frozen=True, slots=True)
class Grids:
    """The strongest grid of some intervals, (n,) each.

    Attributes:
        bucket: Number of the interval on the grid of `BUCKETS_HZ`.
        strength: Height of the comb beside the steps around it, 0 without one.
        clarity: Its lines' amplitude over the spectrum's typical one.
        period_px: Its period.
        height_code: Mean height of its steps, 8-bit-equivalent codes.
        tile_luma: (n, 8, 12) sums of luma, mean over the frames.
    """

    bucket: NDArray[np.int64]
    strength: NDArray[np.float64]
    clarity: NDArray[np.float64]
    period_px: NDArray[np.float64]
    height_code: NDArray[np.float64]
    tile_luma: NDArray[np.float64]


class GridMeter:
    """Sums step profiles and looks for a grid in every interval that is over."""

    def __init__(self, video: VideoInfo) -> None:
        self._ticks = Fraction(1, BUCKETS_HZ) / video.time_base
        # Mean step of a column times mean step of a row, of so many sums of samples, in codes.
        lines = len(sampled_rows(video.width, video.height)) * len(sampled_columns(video.width))
        scale = float(1 << (video.bit_depth - 8))
        self._samples = max(1.0, np.sqrt(video.width * video.height * lines) * scale)
        self._open: _Bucket | None = None

    def push(self, video: VideoChunk) -> Grids | None:
        """Takes the next frames; returns the intervals that are over."""
        buckets = video.pts * self._ticks.denominator // self._ticks.numerator
        edges: list[int] = (np.flatnonzero(np.diff(buckets)) + 1).tolist()
        finished: list[_Bucket] = []
        for first, last in zip([0, *edges], [*edges, len(buckets)], strict=True):
            bucket = int(buckets[first])
            if self._open is None or bucket != self._open.bucket:
                if self._open is not None:
                    finished.append(self._open)
                self._open = _Bucket(bucket)
            inside = slice(first, last)
            self._open.add(
                last - first,
                video.features["tile_luma"][inside],
                video.features["column_step"][inside],
                video.features["row_step"][inside],
            )
        return self._measured(finished)

    def close(self) -> Grids | None:
        """Returns the last interval."""
        last, self._open = self._open, None
        return self._measured([] if last is None else [last])

    def _measured(self, done: list[_Bucket]) -> Grids | None:
        if not done:
            return None
        frames = np.array([each.frames for each in done])
        columns = np.stack([each.columns for each in done]).astype(np.float64)
        rows = np.stack([each.rows for each in done]).astype(np.float64)
        strength, clarity, period = grid(columns, rows)
        sums = columns.sum(axis=1) * rows.sum(axis=1)
        return Grids(
            bucket=np.array([each.bucket for each in done], np.int64),
            strength=strength,
            clarity=clarity,
            period_px=period,
            height_code=strength * np.sqrt(sums) / (self._samples * frames),
            tile_luma=np.stack([each.luma for each in done]) / frames[:, None, None],
        )


class _Bucket:
    """Sums over the frames of an interval."""

    def __init__(self, bucket: int) -> None:
        self.bucket = bucket
        self.frames = 0
        self.luma: NDArray[np.uint64] = np.zeros(1, np.uint64)
        self.columns: NDArray[np.uint64] = np.zeros(1, np.uint64)
        self.rows: NDArray[np.uint64] = np.zeros(1, np.uint64)

    def add(
        self, frames: int, luma: NDArray[Any], columns: NDArray[Any], rows: NDArray[Any]
    ) -> None:
        """Takes (frames, ...) integers of consecutive frames."""
        self.frames += frames
        self.luma = self.luma + luma.sum(axis=0, dtype=np.uint64)
        self.columns = self.columns + columns.sum(axis=0, dtype=np.uint64)
        self.rows = self.rows + rows.sum(axis=0, dtype=np.uint64)
