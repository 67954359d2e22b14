"""Blur: programmes that are soft for their raster, and intervals softer than their context.

The sharpest textured part of a frame counts: with a shallow depth of field something is always in
focus, but in a blurred frame nothing is. An interval as soft as most of the programme is not
reported when it merely lacks the noise of its neighbours. Loss of detail together with a block grid
is blockiness.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.blur import acuteness, fineness
from defectscope.detectors.blur.params import Params
from defectscope.detectors.compression_blockiness.meter import GRID_FEATURES
from defectscope.detectors.compression_blockiness.track import (
    TRACK_CONTEXT_S,
    GridTrack,
    grid_rose,
    strength_at,
)
from defectscope.detectors.video_noise.flat import FlatTiles
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.geometry import tile_samples
from defectscope.features.lines import Lines
from defectscope.findings import DetectorResult
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.confounders import sides, suppress_confounded
from defectscope.temporal.level_steps import SIGNATURE, Signatures, cuts, stands_out, window_rows
from defectscope.temporal.looks import (
    LOOK_S,
    SELECTION,
    Looks,
    grade_at,
    lasting,
    settled,
    single_grades,
    throughout,
)
from defectscope.temporal.run_lengths import RunRule, decide_runs
from defectscope.temporal.spans import Rows, row_ends
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.trees import TreeSum

# The ratio of squared differences at 1 px and at 4 px is 1/16 for a straight slope, the softest
# there is, and about 1 for texture of single pixels.
_SOFTEST = 1 / 16
_LEAST_SHARPNESS = 1 / 256
_ROUNDING_SQUARES = 1 / 6  # of the difference of two samples, each off by 1/12
_LEAST_DETAIL = 1 / 16  # squared codes: what coding leaves of a flat frame
_STEPS = 1000  # per octave
_NOISE_STEPS = 16  # per code
# What a closer look measures.
LOOK_NAMES = (*acuteness.NAMES, *fineness.NAMES)


def look_measures(lines: Lines) -> NDArray[np.float64]:
    """Returns the measures named in `LOOK_NAMES`."""
    both = acuteness.acuteness_measures(lines), fineness.fineness_measures(lines)
    return np.concatenate(both)


class Blur:
    """Finds soft frames."""

    name: ClassVar[str] = "blur"
    defects: ClassVar[tuple[str, ...]] = ("blur",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self._scale = TreeSum(tuned.artifact["scale"], LOOK_NAMES)
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset(
                {
                    *("tile_dx1_squares", "tile_dx4_squares", "dy_squares"),
                    *("tile_luma", "tile_laplacian_squares"),
                }
            )
            | GRID_FEATURES,
            frames=SELECTION,
            context_before_s=max(TRACK_CONTEXT_S, LOOK_S),
            context_after_s=TRACK_CONTEXT_S,
        )

    def open(self, stream: StreamInfo) -> BlurAnalysis:
        """Returns a fresh analysis."""
        return BlurAnalysis(stream, self.params)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns softness over time into soft intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        octaves = column(table, "softness") / _STEPS
        # Counts without a sign: divided first, for their negative would wrap.
        across = -(column(table, "across") / _STEPS)
        down = -(column(table, "down") / _STEPS)
        bounds = self.tuned.thresholds
        # Blurring takes fine detail in both directions; a pan or a new object does not.
        softer = stands_out(
            [octaves, across, down],
            [bounds["rise_octaves"], bounds["fall_octaves"], bounds["fall_octaves"]],
            cuts(table),
            window_rows(float(video.frame_rate), self.params.window_s),
        )
        measure = np.maximum(octaves / bounds["soft_octaves"], softer)
        looks = measurements.tables["looks"]
        single = single_grades(looks, self._scale, LOOK_NAMES)
        graded = settled(single)
        grade = grade_at(looks, graded, starts_s)
        counts = grade_at(looks, lasting(graded, bounds["lone_grade"]), starts_s)
        # Soft from end to end: less than what a passage needs is enough.
        whole = throughout(single) / bounds["whole_grade"]
        rule = RunRule(1.0, 0.95, self.params.min_duration_s, self.params.bridge_s)
        baseline = float(np.median(octaves)) if len(octaves) else 0.0

        noise = column(table, "noise") / _NOISE_STEPS
        rate_hz = float(video.frame_rate)
        reach = max(2, round(rate_hz * self.params.beside_s))
        blocks = strength_at(measurements.tables["grids"], starts_s + 0.5 / rate_hz)

        def other_cause(rows: Rows) -> bool:
            """Whether coarse coding took the detail, or it is as always and a neighbour noisy."""
            if grid_rose(blocks, rows, round(rate_hz)):
                return True
            calm, loud = float(np.median(noise[slice(*rows)])), max(sides(noise, rows, reach))
            if loud < bounds["noise_ratio"] * calm + bounds["noise_code"]:
                return False
            soft, sharp = float(np.median(octaves[slice(*rows)])), min(sides(octaves, rows, reach))
            return soft - baseline < (soft - sharp) / 2

        measure = np.maximum(
            suppress_confounded(measure, rule, other_cause),
            np.maximum(counts / bounds["plain_grade"], whole),
        )

        def evidence(rows: Rows) -> dict[str, Any]:
            return {
                "softness_octaves": round(float(np.mean(octaves[slice(*rows)])), 3),
                "programme_softness_octaves": round(baseline, 3),
                "grade": round(float(np.mean(grade[slice(*rows)])), 2),
            }

        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        return decide_runs(self.name, self.tuned, rule, starts_s, ends_s, measure, evidence)


class BlurAnalysis:
    """Measures how soft the sharpest textured tiles of every frame are."""

    def __init__(self, stream: StreamInfo, params: Params) -> None:
        video = stream.video
        assert video is not None
        self._power = float(1 << (video.bit_depth - 8)) ** 2
        self._samples = tile_samples(video.width, video.height, margin=4, below=4)
        self._least = params.min_texture_code**2 * self._power * self._samples
        self._quantile = params.sharp_quantile
        self._signatures = Signatures(video)
        self._table = TableBuilder(
            1 / video.time_base,
            pts=np.int64,
            softness=np.uint16,
            across=np.uint16,
            down=np.uint16,
            noise=np.uint8,
            **SIGNATURE,
        )
        self._flat = FlatTiles(video)
        self._grids = GridTrack(video)
        self._looks = Looks(video, LOOK_NAMES, look_measures)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None:
            return
        self._looks.push(video)
        if not len(video.pts):
            return
        # Rounding to whole codes is white noise, which would look like detail in a soft tile.
        rounding = _ROUNDING_SQUARES * self._samples
        near = np.maximum(video.features["tile_dx1_squares"] - rounding, 0.0)
        far = video.features["tile_dx4_squares"].astype(np.float64)
        octaves = softness(near, far, (far >= self._least) & (self._least > 0), self._quantile)
        self._table.add(
            pts=video.pts,
            softness=saturate(octaves * _STEPS, np.uint16),
            across=self._detail(near.sum(axis=(1, 2))),
            down=self._detail(video.features["dy_squares"][:, 0].astype(np.float64)),
            noise=saturate(self._flat.power_code(video.features) * _NOISE_STEPS, np.uint8),
            **self._signatures.columns(video.features["tile_luma"]),
        )
        self._grids.push(video)

    def _detail(self, squares: NDArray[np.float64]) -> NDArray[Any]:
        mean = squares / max(1, int(self._samples.sum())) / self._power
        return saturate(
            (np.log2(mean + _LEAST_DETAIL) - np.log2(_LEAST_DETAIL)) * _STEPS, np.uint16
        )

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        tables = {
            "frames": self._table.take(),
            "grids": self._grids.take(),
            "looks": self._looks.take(),
        }
        return Measurements("blur", tables)

    def close(self) -> Measurements:
        """Returns sharpness by frame, the block grid by fifths of a second, and looks."""
        tables = {
            "frames": self._table.table(),
            "grids": self._grids.close(),
            "looks": self._looks.close(),
        }
        return Measurements("blur", tables)


def softness(
    near: NDArray[np.float64],
    far: NDArray[np.float64],
    textured: NDArray[np.bool_],
    quantile: float,
) -> NDArray[np.float64]:
    """Returns (frames,) octaves below pixel sharpness of the tile at a quantile of sharpness.

    Args:
        near: (frames, 8, 12) squared differences at 1 px.
        far: The same at 4 px.
        textured: Tiles with texture; a frame with fewer than four is not analyzed and gets 0.
        quantile: 1 is the sharpest tile.
    """
    ratio = np.where(textured, near / np.maximum(far, 1.0), np.inf).reshape(len(near), -1)
    count = textured.reshape(len(near), -1).sum(axis=1)
    at = np.rint(quantile * np.maximum(count - 1, 0)).astype(np.intp)
    sharp = np.take_along_axis(np.sort(ratio, axis=1), at[:, None], axis=1)[:, 0]
    share = np.clip((sharp - _SOFTEST) / (1 - _SOFTEST), _LEAST_SHARPNESS, 1.0)
    # A tile or two may be a caption.
    return np.where(count >= 4, -np.log2(share), 0.0)
