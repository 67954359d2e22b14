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
from defectscope.features.geometry import sampled_columns, sampled_rows
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
        self._open: _Bucket | None = None
        self._finished: list[_Bucket] = []
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
        edges: list[int] = (np.flatnonzero(np.diff(buckets)) + 1).tolist()
        for first, last in zip([0, *edges], [*edges, len(buckets)], strict=True):
            bucket = int(buckets[first])
            if self._open is None or bucket != self._open.bucket:
                self._finish()
                self._open = _Bucket(bucket)
            inside = slice(first, last)
            self._open.add(
                last - first,
                video.features["tile_luma"][inside],
                video.features["column_step"][inside],
                video.features["row_step"][inside],
            )
        self._measure()

    def _finish(self) -> None:
        if self._open is not None:
            self._finished.append(self._open)
            self._open = None

    def _measure(self) -> None:
        """Looks for a grid in all buckets that are finished."""
        done, self._finished = self._finished, []
        if not done:
            return
        pictures = np.array([each.pictures for each in done])
        columns = np.stack([each.columns for each in done]).astype(np.float64)
        rows = np.stack([each.rows for each in done]).astype(np.float64)
        strength, clarity, period = grid(columns, rows)
        sums = columns.sum(axis=1) * rows.sum(axis=1)
        height = strength * np.sqrt(sums) / (self._samples * pictures)
        kept = {"strength": strength, "clarity": clarity, "period": period, "height": height}
        self._table.add(
            bucket=[each.bucket for each in done],
            **{name: saturate(values * _STEPS, np.uint16) for name, values in kept.items()},
            **self._signatures.columns(
                np.stack([each.luma for each in done]) / pictures[:, None, None]
            ),
        )

    def close(self) -> Measurements:
        """Gives the grid by bucket."""
        self._finish()
        self._measure()
        return Measurements("compression_blockiness", {"buckets": self._table.table()})


class _Bucket:
    """Sums over the pictures of a bucket: integers, so that chunks do not matter."""

    def __init__(self, bucket: int) -> None:
        self.bucket = bucket
        self.pictures = 0
        self.luma: NDArray[np.uint64] = np.zeros(1, np.uint64)
        self.columns: NDArray[np.uint64] = np.zeros(1, np.uint64)
        self.rows: NDArray[np.uint64] = np.zeros(1, np.uint64)

    def add(
        self, pictures: int, luma: NDArray[Any], columns: NDArray[Any], rows: NDArray[Any]
    ) -> None:
        """Takes (pictures, ...) integers of consecutive pictures."""
        self.pictures += pictures
        self.luma = self.luma + luma.sum(axis=0, dtype=np.uint64)
        self.columns = self.columns + columns.sum(axis=0, dtype=np.uint64)
        self.rows = self.rows + rows.sum(axis=0, dtype=np.uint64)
