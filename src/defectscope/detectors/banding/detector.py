"""Banding: smooth gradients break into visible steps.

A step is the edge of a band if the frame is flat on both sides of it. Steps of one or two codes are
normal for 8-bit video; larger ones are visible. Banding means edges of bands with flat areas
between them, or fewer faint contours, where there were gradients and grain before. Flat blocks of a
coarse codec have such edges too, but on a regular grid.

Source: P. Tandon et al., "CAMBI: Contrast-aware Multiscale Banding Index", 2021, which counts steps
by their contrast to flat surroundings; here the kernel does so in one pass, at full size.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.banding import stairs, tones
from defectscope.detectors.banding.params import Params
from defectscope.detectors.banding.steps import LOOK_NAMES, look_measures
from defectscope.detectors.compression_blockiness.meter import GRID_FEATURES
from defectscope.detectors.compression_blockiness.track import (
    TRACK_CONTEXT_S,
    GridTrack,
    grid_rose,
    strength_at,
)
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.geometry import tile_samples
from defectscope.features.lines import Lines
from defectscope.findings import DetectorResult
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.confounders import suppress_confounded
from defectscope.temporal.level_steps import SIGNATURE, Signatures, cuts, stands_out, window_rows
from defectscope.temporal.looks import (
    LOOK_S,
    SELECTION,
    Looks,
    grade_at,
    lasting,
    settled,
    single_grades,
)
from defectscope.temporal.run_lengths import RunRule, decide_runs
from defectscope.temporal.spans import Rows, row_ends
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.trees import TreeSum

# Steps over 3 codes: smaller ones lie below the threshold of vision on usual screens.
_VISIBLE = 3
# Steps of more than nothing: the contours of a gradient in eight bits.
_FAINT = 0
_STEPS_PER_MILLE = 500
_FLATS_STEPS = 20
_FAINT_STEPS = 100
# What has no contours is graded so far below the operating point.
_FAINT_SHARE = 0.9
# What a closer look measures: the trees read the first, stairs and tones have grades of their own.
CLOSER_NAMES = (*LOOK_NAMES, *stairs.NAMES, *tones.NAMES)


def closer_measures(lines: Lines) -> NDArray[np.float64]:
    """Returns the measures named in `CLOSER_NAMES`."""
    return np.concatenate(
        [look_measures(lines), stairs.stair_measures(lines), tones.tone_measures(lines)]
    )


class Banding:
    """Finds banded gradients."""

    name: ClassVar[str] = "banding"
    defects: ClassVar[tuple[str, ...]] = ("banding",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self._scale = TreeSum(tuned.artifact["scale"], LOOK_NAMES)
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"band_counts", "tile_flats", "tile_luma"}) | GRID_FEATURES,
            frames=SELECTION,
            context_before_s=max(TRACK_CONTEXT_S, LOOK_S),
            context_after_s=TRACK_CONTEXT_S,
        )

    def open(self, stream: StreamInfo) -> BandingAnalysis:
        """Returns a fresh analysis."""
        return BandingAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns edges of bands and flats over time into banded intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        edges = column(table, "edges") / _STEPS_PER_MILLE
        flats = column(table, "flats") / _FLATS_STEPS
        faint = column(table, "faint") / _FAINT_STEPS
        bounds = self.tuned.thresholds
        begins = cuts(table)
        rate_hz = float(video.frame_rate)
        window = window_rows(rate_hz, self.params.window_s)
        seen = np.log2(edges + bounds["edges_permille"])
        flatter = np.log2(flats + bounds["flats_permille"])
        fewer = -np.log2(faint + bounds["faint_permille"])
        measure = np.maximum(
            *(
                stands_out(
                    [seen, other], [bounds["edges_rise_octaves"], bounds[least]], begins, window
                )
                for other, least in ((flatter, "flats_rise_octaves"), (fewer, "faint_fall_octaves"))
            )
        )
        rule = RunRule(1.0, 1.0, self.params.min_duration_s, self.params.bridge_s)
        baseline = float(np.median(edges)) if len(edges) else 0.0

        looks = measurements.tables["looks"]
        looks_s, single = times_s(looks), single_grades(looks, self._scale, LOOK_NAMES)
        stair = stairs.stair_grades(looks, bounds)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        blocks = strength_at(measurements.tables["grids"], starts_s + 0.5 / rate_hz)
        reach = round(rate_hz * self.params.beside_s)

        def other_cause(rows: Rows) -> bool:
            """Whether blocks explain the edges, or a neighbour lost them, or none is there."""
            if grid_rose(blocks, rows, reach):
                return True
            inside = (looks_s >= starts_s[rows[0]]) & (looks_s < ends_s[rows[1] - 1])
            shown = np.maximum(single, stair)
            closer, others = shown[inside], shown[~inside]
            # By so much they are above what the programme's other looks show.
            outside = max(0.0, float(np.median(others))) if len(others) else 0.0
            if len(closer) and closer.max() - outside < bounds["no_bands_grade"]:
                return True
            within = float(np.median(edges[slice(*rows)]))
            faintly = bounds["usual_ratio"] * baseline + bounds["edges_permille"]
            return within <= min(faintly, bounds["usual_permille"])

        graded = settled(single)
        # Contours go on from line to line; where hardly any does, it is texture in the dark.
        faint = column(looks, "coherent_share") < bounds["least_coherent_share"]
        below = np.minimum(graded, _FAINT_SHARE * bounds["plain_grade"])
        stepped, least = np.where(faint, below, graded), bounds["plain_grade"]
        graded = np.maximum(stepped, settled(stair))
        counts = lasting(graded, bounds["lone_grade"])
        # Whether there is banding is the steps' to say; how strong it is, the tones' as well.
        strong = np.maximum(tones.told(looks, stepped, least), settled(stair))
        told = np.maximum(lasting(strong, bounds["lone_grade"]), least)
        counts = grade_at(looks, np.where(counts >= least, told, counts), starts_s)
        grade = grade_at(looks, strong, starts_s)
        measure = np.maximum(suppress_confounded(measure, rule, other_cause), counts / least)

        def evidence(rows: Rows) -> dict[str, Any]:
            return {
                "band_edges_permille": round(float(np.mean(edges[slice(*rows)])), 3),
                "flats_permille": round(float(np.mean(flats[slice(*rows)])), 1),
                "programme_permille": round(baseline, 3),
                "grade": round(float(np.mean(grade[slice(*rows)])), 2),
            }

        return decide_runs(self.name, self.tuned, rule, starts_s, ends_s, measure, evidence)


class BandingAnalysis:
    """Measures how many visible band edges every frame has, and how flat it is."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._samples = max(1, int(tile_samples(video.width, video.height).sum()))
        self._signatures = Signatures(video)
        self._table = TableBuilder(
            1 / video.time_base,
            pts=np.int64,
            edges=np.uint16,
            flats=np.uint16,
            faint=np.uint16,
            **SIGNATURE,
        )
        self._grids = GridTrack(video)
        self._looks = Looks(video, CLOSER_NAMES, closer_measures)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None:
            return
        self._looks.push(video)
        if not len(video.pts):
            return
        permille = 1000 / self._samples
        counts = video.features["band_counts"]
        edges = band_edges(counts, _VISIBLE) * permille
        flats = video.features["tile_flats"].sum(axis=(1, 2), dtype=np.float64) * permille
        self._table.add(
            pts=video.pts,
            edges=saturate(edges * _STEPS_PER_MILLE, np.uint16),
            flats=saturate(flats * _FLATS_STEPS, np.uint16),
            faint=saturate(band_edges(counts, _FAINT) * permille * _FAINT_STEPS, np.uint16),
            **self._signatures.columns(video.features["tile_luma"]),
        )

        self._grids.push(video)

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        tables = {
            "frames": self._table.take(),
            "grids": self._grids.take(),
            "looks": self._looks.take(),
        }
        return Measurements("banding", tables)

    def close(self) -> Measurements:
        """Returns edges of bands and flats by frame, the block grid by 0.2 s, looks."""
        tables = {
            "frames": self._table.table(),
            "grids": self._grids.close(),
            "looks": self._looks.close(),
        }
        return Measurements("banding", tables)


def band_edges(counts: NDArray[Any], over: int) -> NDArray[np.float64]:
    """Returns (frames,) flat-flanked steps over a threshold, both directions.

    Args:
        counts: (frames, 2, 6) by direction and threshold.
        over: Which of `BAND_STEP_CODES`.
    """
    return np.asarray(counts[:, :, over].sum(axis=1, dtype=np.float64))
