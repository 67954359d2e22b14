"""Compression blockiness: the grid of the codec's blocks shows.

Luma steps between columns and between rows are summed over a fifth of a second; a block grid puts
a comb into both profiles, whatever its phase. Straight lines in the picture make steps in one
direction only, or at no regular distance. What was compressed before has a faint grid throughout,
and drawings may have a strong one: what counts is a grid that comes or goes within a shot.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.contracts import Chunk, Needs, Tuned
from defectscope.detection.onsets import SIGNATURE, Signatures, cuts, stands_out, window_rows
from defectscope.detection.passages import PassageRule, judge
from defectscope.detection.spans import Rows
from defectscope.detection.tables import TableBuilder, column, saturate, times_s
from defectscope.detectors.compression_blockiness.grid import grid
from defectscope.features.geometry import (
    TILE_COLUMNS,
    TILE_ROWS,
    sampled_columns,
    sampled_rows,
)
from defectscope.findings import DetectorResult, Measurements
from defectscope.media.stream import StreamInfo

BUCKETS_HZ = 5
_STEPS = 256
# Between these shares of a plainly visible step its height matters.
_LEAST_HEIGHT, _MOST_HEIGHT = 0.65, 2.0


@dataclass(frozen=True, slots=True)
class Params:
    """Physical parameters.

    Attributes:
        window_s: Stretch before and after a change that is compared, seconds.
        min_duration_s: Shorter blockiness is not reported, seconds.
        bridge_s: Blockiness that pauses for less is one occurrence, seconds.
    """

    window_s: float = 0.8
    min_duration_s: float = 0.6
    bridge_s: float = 0.8


class CompressionBlockiness:
    """Finds visible block grids."""

    name: ClassVar[str] = "compression_blockiness"
    defects: ClassVar[tuple[str, ...]] = ("compression_blockiness",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        # A bucket that a segment cuts is measured whole by the one that holds its start.
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"column_step", "row_step", "tile_luma"}),
            context_before_s=0.25,
            context_after_s=0.25,
        )

    def open(self, stream: StreamInfo) -> CompressionBlockinessAnalysis:
        """Gives a fresh analysis."""
        return CompressionBlockinessAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns the strength of the grid over time into blocky passages."""
        table = measurements.tables["buckets"]
        starts_s = times_s(table)
        ends_s = starts_s + 1 / BUCKETS_HZ
        if stream.video_duration_s is not None:
            ends_s = np.minimum(ends_s, max(stream.video_duration_s, 0.0))
        strength = column(table, "strength") / _STEPS
        clarity = column(table, "clarity") / _STEPS
        period = column(table, "period") / _STEPS
        bounds = self.tuned.thresholds
        height = column(table, "height") / _STEPS
        # A comb that hardly stands out of the picture's own steps is none, and the lower its steps
        # are, the clearer it must be to be seen.
        seen = clarity * np.sqrt(
            np.clip(height / bounds["plain_code"], _LEAST_HEIGHT, _MOST_HEIGHT)
        )
        low, high = bounds["faint_clarity"], bounds["clear_clarity"]
        shown = strength * np.clip((seen - low) / (high - low), 0.0, 1.0)
        measure = stands_out(
            [np.log2(shown + bounds["faint_strength"])],
            [bounds["rise_octaves"]],
            cuts(table),
            window_rows(BUCKETS_HZ, self.params.window_s),
        )
        rule = PassageRule(
            1.0, 1.0, self.params.min_duration_s, self.params.bridge_s, settle_rows=3
        )

        def evidence(rows: Rows) -> dict[str, Any]:
            inside = slice(*rows)
            return {
                "grid_strength": round(float(np.mean(shown[inside])), 3),
                "grid_clarity": round(float(np.mean(clarity[inside])), 2),
                "step_code": round(float(np.mean(height[inside])), 2),
                "block_px": round(float(np.median(period[inside])), 2),
                "programme_grid_strength": round(float(np.median(shown)), 3),
            }

        return judge(self.name, self.tuned, rule, starts_s, ends_s, measure, evidence)


class CompressionBlockinessAnalysis:
    """Sums step profiles over buckets of the absolute grid, and looks for a grid in each."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._time_base = video.time_base
        self._signatures = Signatures(video)
        # Mean step of a column times mean step of a row, of so many sums of samples, in codes.
        lines = len(sampled_rows(video.width, video.height)) * len(sampled_columns(video.width))
        scale = float(1 << (video.bit_depth - 8))
        self._samples = max(1.0, np.sqrt(video.width * video.height * lines) * scale)
        self._bucket: int | None = None
        self._pictures = 0
        self._luma = np.zeros((TILE_ROWS, TILE_COLUMNS))
        self._columns = np.zeros(video.width)
        self._rows = np.zeros(video.height)
        self._table = TableBuilder(
            Fraction(BUCKETS_HZ),
            bucket=np.int64,
            strength=np.uint16,
            clarity=np.uint16,
            period=np.uint16,
            height=np.uint16,
            **SIGNATURE,
        )

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        ticks = Fraction(1, BUCKETS_HZ) / self._time_base
        buckets = video.pts * ticks.denominator // ticks.numerator
        for bucket in np.unique(buckets).tolist():
            if bucket != self._bucket:
                self._finish()
                self._bucket = bucket
            inside = buckets == bucket
            self._pictures += int(np.count_nonzero(inside))
            self._luma += _sum(video.features["tile_luma"][inside])
            self._columns += _sum(video.features["column_step"][inside])
            self._rows += _sum(video.features["row_step"][inside])

    def _finish(self) -> None:
        if self._bucket is not None:
            found = grid(self._columns, self._rows)
            steps = np.sqrt(self._columns.sum() * self._rows.sum()) / self._samples / self._pictures
            quantities = np.array([*found, found[0] * steps]) * _STEPS
            strength, clarity, period, height = saturate(quantities, np.uint16)
            self._table.add(
                bucket=[self._bucket],
                strength=[strength],
                clarity=[clarity],
                period=[period],
                height=[height],
                **self._signatures.columns(self._luma[None], self._pictures),
            )
        self._pictures = 0
        for sums in (self._luma, self._columns, self._rows):
            sums[:] = 0

    def close(self) -> Measurements:
        """Gives the grid by bucket."""
        self._finish()
        return Measurements("compression_blockiness", {"buckets": self._table.table()})


def _sum(profiles: NDArray[Any]) -> NDArray[np.float64]:
    """Integers summed exactly, so that chunks do not matter."""
    return profiles.sum(axis=0, dtype=np.uint64).astype(np.float64)
