"""Compression blockiness: the block grid of the codec is visible.

Luma steps between columns and between rows are summed over a fifth of a second. A block grid gives
regular peaks in both sums, at any phase. Straight lines in the picture give steps in one direction
only, or at irregular distances. Compressed video always has a faint grid, and drawings may have a
strong one, so the detector reports a grid that appears or disappears within a shot.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.compression_blockiness.cells import NAMES as CELL_NAMES
from defectscope.detectors.compression_blockiness.cells import cell_measures
from defectscope.detectors.compression_blockiness.comb import NAMES as COMB_NAMES
from defectscope.detectors.compression_blockiness.comb import comb_measures
from defectscope.detectors.compression_blockiness.meter import (
    BUCKETS_HZ,
    GRID_FEATURES,
    GridMeter,
    Grids,
)
from defectscope.detectors.compression_blockiness.params import Params
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.lines import Lines
from defectscope.findings import DetectorResult
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import StreamInfo
from defectscope.temporal.level_steps import SIGNATURE, Signatures, cuts, stands_out, window_rows
from defectscope.temporal.looks import (
    LOOK_S,
    SELECTION,
    Looks,
    grade_at,
    grades,
    lasting,
    single_grades,
)
from defectscope.temporal.run_lengths import RunRule, decide_runs
from defectscope.temporal.spans import Rows
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.trees import TreeSum

_STEPS = 256
# Thresholds of clarity hold from frames of 800 x 450 on; smaller ones show a grid less clearly,
# and below a fifth of that side nothing is clear.
_FULL_PX = 600.0
_LEAST_SIZE = 0.2
# Between these shares of a plainly visible step its height matters.
_LEAST_HEIGHT, _MOST_HEIGHT = 0.65, 2.0
# What a closer look measures.
LOOK_NAMES = (*COMB_NAMES, *CELL_NAMES)


def look_measures(lines: Lines) -> NDArray[np.float64]:
    """Returns the measures named in `LOOK_NAMES`."""
    return np.concatenate([comb_measures(lines), cell_measures(lines)])


class CompressionBlockiness:
    """Finds visible block grids."""

    name: ClassVar[str] = "compression_blockiness"
    defects: ClassVar[tuple[str, ...]] = ("compression_blockiness",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self._scale = TreeSum(tuned.artifact["scale"], LOOK_NAMES)
        # A bucket that a segment cuts is measured whole by the one that holds its start.
        self.needs = Needs(
            media=frozenset({"video"}),
            features=GRID_FEATURES,
            frames=SELECTION,
            context_before_s=LOOK_S,
            context_after_s=0.25,
        )

    def open(self, stream: StreamInfo) -> CompressionBlockinessAnalysis:
        """Returns a fresh analysis."""
        return CompressionBlockinessAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns the strength of the grid over time into blocky intervals."""
        table = measurements.tables["buckets"]
        starts_s = times_s(table)
        ends_s = starts_s + 1 / BUCKETS_HZ
        if stream.video_duration_s is not None:
            ends_s = np.minimum(ends_s, max(stream.video_duration_s, 0.0))
        strength = column(table, "strength") / _STEPS
        clarity = column(table, "clarity") / _STEPS
        period = column(table, "period") / _STEPS
        bounds = self.tuned.thresholds
        video = stream.video
        height = column(table, "height") / _STEPS
        # A comb that hardly stands out of the frame's own steps is none, and the lower its steps
        # are, the clearer it must be to be seen.
        seen = clarity * np.sqrt(
            np.clip(height / bounds["plain_code"], _LEAST_HEIGHT, _MOST_HEIGHT)
        )
        # Lines stand out of the spectrum by the root of how many samples they are made of.
        size_px = float(np.sqrt(video.width * video.height)) if video is not None else _FULL_PX
        part = float(np.sqrt(np.clip(size_px / _FULL_PX, _LEAST_SIZE, 1.0)))
        low, high = bounds["faint_clarity"] * part, bounds["clear_clarity"] * part
        shown = strength * np.clip((seen - low) / (high - low), 0.0, 1.0)
        level = np.log2(shown + bounds["faint_strength"])
        # Within a shot a rise tells; from cut to cut, only what no other shot comes near.
        measure = np.maximum(
            stands_out(
                [level],
                [bounds["rise_octaves"]],
                cuts(table),
                window_rows(BUCKETS_HZ, self.params.window_s),
            ),
            (level - np.median(level) if len(level) else level) / bounds["programme_octaves"],
        )
        looks = measurements.tables["looks"]
        middles_s = starts_s + 0.5 / BUCKETS_HZ
        # What is drawn in blocks has hardly an edge anywhere else.
        drawn = column(looks, "edges_on_grid") > bounds["drawn_share"]
        # No coder's block is as wide, even scaled up: such a period is that of things.
        drawn |= column(looks, "block_px") > bounds["widest_px"]
        single = np.where(drawn, 0.0, single_grades(looks, self._scale, LOOK_NAMES))
        graded = np.where(drawn, 0.0, grades(looks, self._scale, LOOK_NAMES))
        grade = grade_at(looks, graded, middles_s)
        # A grid whose steps are low can stand out of a clean programme and not be seen.
        plain = height >= bounds["plain_code"]
        if len(looks):
            plain |= _either_side(looks, single, middles_s) >= bounds["least_grade"]
            measure = np.where(plain, measure, 0.0)
        counts = grade_at(looks, lasting(graded, bounds["lone_grade"]), middles_s)
        measure = np.maximum(measure, counts / bounds["plain_grade"])
        rule = RunRule(1.0, 1.0, self.params.min_duration_s, self.params.bridge_s, settle_rows=3)

        def evidence(rows: Rows) -> dict[str, Any]:
            inside = slice(*rows)
            return {
                "grid_strength": round(float(np.mean(shown[inside])), 3),
                "grid_clarity": round(float(np.mean(clarity[inside])), 2),
                "step_code": round(float(np.mean(height[inside])), 2),
                "block_px": round(float(np.median(period[inside])), 2),
                "programme_grid_strength": round(float(np.median(shown)), 3),
                "grade": round(float(np.mean(grade[inside])), 2),
            }

        return decide_runs(self.name, self.tuned, rule, starts_s, ends_s, measure, evidence)


def _either_side(
    looks: Table, grade: NDArray[np.float64], instants_s: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns (n,) the higher grade of the look before each instant and the one after it."""
    next_one = np.append(grade[1:], 0.0)
    return grade_at(looks, np.maximum(grade, next_one), instants_s)


class CompressionBlockinessAnalysis:
    """Keeps the strongest grid of every interval."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._signatures = Signatures(video)
        self._meter = GridMeter(video)
        self._looks = Looks(video, LOOK_NAMES, look_measures)
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
        if chunk.video is None:
            return
        self._looks.push(chunk.video)
        if len(chunk.video.pts):
            self._keep(self._meter.push(chunk.video))

    def _keep(self, grids: Grids | None) -> None:
        if grids is None:
            return
        kept = {
            "strength": grids.strength,
            "clarity": grids.clarity,
            "period": grids.period_px,
            "height": grids.height_code,
        }
        self._table.add(
            bucket=grids.bucket,
            **{name: saturate(values * _STEPS, np.uint16) for name, values in kept.items()},
            **self._signatures.columns(grids.tile_luma),
        )

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        tables = {"buckets": self._table.take(), "looks": self._looks.take()}
        return Measurements("compression_blockiness", tables)

    def close(self) -> Measurements:
        """Returns the grid by bucket, and looks."""
        self._keep(self._meter.close())
        tables = {"buckets": self._table.table(), "looks": self._looks.close()}
        return Measurements("compression_blockiness", tables)
