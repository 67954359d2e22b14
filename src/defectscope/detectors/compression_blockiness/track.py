"""The strength of the block grid along a programme, for detectors that blocks could mislead."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.compression_blockiness.meter import BUCKETS_HZ, GridMeter, Grids
from defectscope.engine.contracts import VideoChunk
from defectscope.measurements import Table
from defectscope.media.stream import VideoInfo
from defectscope.temporal.confounders import sides
from defectscope.temporal.spans import Rows
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s

# What a detector that keeps a track must ask for before and after its segment, seconds.
TRACK_CONTEXT_S = 0.25
_STEPS = 256
# A grid has risen where it is so many times as strong as beside an interval, and by so much more.
# Source: docs/results/picture.md.
_RISEN_RATIO = 1.5
_RISEN_BY = 0.5


class GridTrack:
    """Keeps the strength of the strongest grid, by fifths of a second."""

    def __init__(self, video: VideoInfo) -> None:
        self._meter = GridMeter(video)
        self._table = TableBuilder(Fraction(BUCKETS_HZ), bucket=np.int64, strength=np.uint16)

    def push(self, video: VideoChunk) -> None:
        """Takes the next frames."""
        self._keep(self._meter.push(video))

    def take(self) -> Table:
        """Returns the rows that are final, and forgets them."""
        return self._table.take()

    def close(self) -> Table:
        """Returns the track."""
        self._keep(self._meter.close())
        return self._table.table()

    def _keep(self, grids: Grids | None) -> None:
        if grids is not None:
            strength = saturate(grids.strength * _STEPS, np.uint16)
            self._table.add(bucket=grids.bucket, strength=strength)


def strength_at(track: Table, instants_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns (n,) the strength of the grid at some instants, 0 where nothing was measured."""
    strength = column(track, "strength") / _STEPS
    if not len(strength):
        return np.zeros(len(instants_s))
    at = np.searchsorted(times_s(track), instants_s, side="right") - 1
    return np.asarray(strength[np.clip(at, 0, len(strength) - 1)], np.float64)


def grid_rose(strength: NDArray[np.float64], rows: Rows, window: int) -> bool:
    """Tells whether an interval has a block grid that one of its neighbours has not.

    Args:
        strength: (rows,) of the grid.
        rows: The interval.
        window: How many rows on either side are its neighbours.
    """
    without = min(sides(strength, rows, window))
    return bool(np.median(strength[slice(*rows)]) > _RISEN_RATIO * without + _RISEN_BY)
