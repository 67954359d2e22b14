"""Video noise: grain, sensor noise or impulses in the picture.

Noise is measured in the flattest tiles of each frame, by a filter that cancels edges and slopes.
Moderate grain throughout is a style; strong noise is reported, and noise that appears or disappears
within a shot. Isolated dots hardly change the mean magnitude of the filter's output, but they
change its power. Noise of more than one sample is what a curve leaves of a line; it is told from
texture by being new in every frame, even in the tiles that change least.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from defectscope.detectors.video_noise.flat import FlatTiles
from defectscope.detectors.video_noise.params import Params
from defectscope.detectors.video_noise.residual import NAMES, residual_measures
from defectscope.detectors.video_noise.throughout import (
    dots_throughout,
    grades_throughout,
    on_grid,
    tell,
    typical_change,
)
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import DetectorResult
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.confounders import sides, suppress_confounded
from defectscope.temporal.level_steps import SIGNATURE, Signatures, cuts, stands_out, window_rows
from defectscope.temporal.looks import LOOK_S, SELECTION, Looks, grade_at
from defectscope.temporal.run_lengths import RunRule, decide_runs
from defectscope.temporal.spans import Rows, row_ends
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s

_STEPS_PER_CODE = 256
# Noise of less more than elsewhere is no rise, octaves.
_AS_NOISY = 0.3


class VideoNoise:
    """Finds noisy frames."""

    name: ClassVar[str] = "video_noise"
    defects: ClassVar[tuple[str, ...]] = ("video_noise",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"tile_noise", "tile_laplacian_squares", "tile_luma", "tile_sad"}),
            frames=SELECTION,
            context_before_s=LOOK_S,
        )

    def open(self, stream: StreamInfo) -> VideoNoiseAnalysis:
        """Returns a fresh analysis."""
        return VideoNoiseAnalysis(stream, self.params)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns noise over time into noisy intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        sigma = column(table, "sigma") / _STEPS_PER_CODE
        power = column(table, "power") / _STEPS_PER_CODE
        bounds = self.tuned.thresholds
        begins = cuts(table)
        window = window_rows(float(video.frame_rate), self.params.window_s)
        grain = np.log2(sigma + bounds["look_code"])
        dots = np.log2(power + 2 * bounds["look_code"])
        # Strong noise is one wherever it is; texture has few strong lines, noise is alike all over.
        uniform = power < bounds["peaky_ratio"] * sigma
        fine = np.where(uniform, sigma / bounds["strong_code"], 0.0)
        looks = measurements.tables["looks"]
        codes = self.tuned.artifact["scale"]["residual_code"]
        change = typical_change(column(table, "change") / _STEPS_PER_CODE, window)
        told = tell(looks, starts_s, begins)
        grade = grades_throughout(looks, told, starts_s, change, codes, bounds)
        sown = dots_throughout(looks, told, starts_s, change, power, bounds)
        lasting = np.maximum.reduce([fine, grade / bounds["grade"], sown])
        standing = np.maximum(
            stands_out([grain], [bounds["rise_octaves"]], begins, window),
            stands_out([dots], [bounds["dots_rise_octaves"]], begins, window),
        )
        rule = RunRule(1.0, 0.9, self.params.min_duration_s, self.params.bridge_s)
        busy = column(table, "busy") / _STEPS_PER_CODE
        reach = max(2, round(float(video.frame_rate) * self.params.beside_s))
        baseline = [float(np.median(level)) if len(level) else 0.0 for level in (grain, dots)]

        def near_blur(rows: Rows) -> bool:
            """Whether the interval is as noisy as the programme, and its neighbours lack detail."""
            detail = float(np.median(busy[slice(*rows)]))
            if detail < bounds["detail_ratio"] * min(sides(busy, rows, reach)):
                return False
            return all(
                within - typical < max((within - min(sides(level, rows, reach))) / 2, 0.05)
                for level, typical in zip((grain, dots), baseline, strict=True)
                for within in [float(np.median(level[slice(*rows)]))]
            )

        blocky = grade_at(looks, on_grid(looks, bounds).astype(np.float64), starts_s) > 0

        a_look = round(float(video.frame_rate) * LOOK_S) + 1

        def near_blocks(rows: Rows) -> bool:
            """Whether a coder took the noise beside it, and it is as noisy as all that has none."""
            free = ~blocky
            free[slice(*rows)] = False
            around = blocky[max(0, rows[0] - 1) : rows[1] + a_look]
            if not around.any() or not free.any():
                return False
            return all(
                float(np.median(level[slice(*rows)])) - float(np.median(level[free])) < _AS_NOISY
                for level in (grain, dots)
            )

        light = np.mean([column(table, name) for name in SIGNATURE], axis=0) - 16.0

        def near_fade(rows: Rows) -> bool:
            """Whether the picture goes dark beside it, and its texture with it."""
            return min(sides(light, rows, reach)) < bounds["fade_ratio"] * float(
                np.median(light[slice(*rows)])
            )

        def other_cause(rows: Rows) -> bool:
            return near_fade(rows) or near_blur(rows) or near_blocks(rows)

        measure = np.maximum(suppress_confounded(standing, rule, other_cause), lasting)

        def evidence(rows: Rows) -> dict[str, Any]:
            inside = slice(*rows)
            return {
                "sigma_code": round(float(np.mean(sigma[inside])), 2),
                "power_code": round(float(np.mean(power[inside])), 2),
                "change_code": round(float(np.mean(change[inside])), 2),
                "programme_sigma_code": round(float(np.median(sigma)), 2),
                "grade": round(float(np.mean(grade[inside])), 2),
            }

        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        return decide_runs(self.name, self.tuned, rule, starts_s, ends_s, measure, evidence)


class VideoNoiseAnalysis:
    """Measures the noise of every frame's flat parts, by magnitude and by power."""

    def __init__(self, stream: StreamInfo, params: Params) -> None:
        video = stream.video
        assert video is not None
        self._params = params
        self._flat = FlatTiles(video)
        self._signatures = Signatures(video)
        self._table = TableBuilder(
            1 / video.time_base,
            pts=np.int64,
            sigma=np.uint16,
            power=np.uint16,
            change=np.uint16,
            busy=np.uint16,
            **SIGNATURE,
        )
        self._looks = Looks(video, NAMES, residual_measures)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None:
            return
        self._looks.push(video)
        if not len(video.pts):
            return
        params, flat = self._params, self._flat
        measured = {
            "sigma": flat.sigma_code(video.features, params.flat_quantile),
            "power": flat.power_code(video.features, params.dots_quantile),
            "change": flat.change_code(video.features, params.flat_quantile),
            "busy": flat.sigma_code(video.features, params.busy_quantile),
        }
        self._table.add(
            pts=video.pts,
            **{n: saturate(v * _STEPS_PER_CODE, np.uint16) for n, v in measured.items()},
            **self._signatures.columns(video.features["tile_luma"]),
        )

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements(
            "video_noise", {"frames": self._table.take(), "looks": self._looks.take()}
        )

    def close(self) -> Measurements:
        """Returns noise by frame, and looks."""
        tables = {"frames": self._table.table(), "looks": self._looks.close()}
        return Measurements("video_noise", tables)
