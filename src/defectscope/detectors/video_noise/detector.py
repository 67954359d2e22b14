"""Video noise: grain, sensor noise or impulses over the picture.

Noise is measured where nothing else is: in the flattest tiles of each picture, by a filter that
cancels edges and slopes. Moderate grain that lasts is a look, not a defect; what counts is strong
noise, or noise that comes or goes within a shot. Stray dots hardly change the mean magnitude of the
filter's answer, but its power.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.contracts import Chunk, Needs, Tuned
from defectscope.detection.onsets import SIGNATURE, Signatures, cuts, stands_out, window_rows
from defectscope.detection.passages import PassageRule, judge
from defectscope.detection.spans import Rows, row_ends
from defectscope.detection.tables import TableBuilder, column, saturate, times_s
from defectscope.features.geometry import tile_samples
from defectscope.findings import DetectorResult, Measurements
from defectscope.media.stream import StreamInfo

_STEPS_PER_CODE = 256
# Source: J. Immerkaer, "Fast noise variance estimation", 1996: sigma of white noise from the mean
# magnitude of his filter's answer.
_IMMERKAER = math.sqrt(math.pi / 2) / 6
# Power of the Laplacian's answer to white noise of sigma 1: 4 x 1 + 4 x 4.
_LAPLACIAN_POWER = 20
# Tiles nearer to black or white than this clip noise and read as clean, 8-bit-equivalent codes.
_CLIPPED_CODES = (24, 228)


@dataclass(frozen=True, slots=True)
class Params:
    """Physical parameters.

    Attributes:
        flat_quantile: Which tile speaks for the picture's noise, 0 the calmest and 1 the busiest:
            low enough to be flat, high enough not to be one dead tile.
        dots_quantile: Likewise for stray dots, which fall on every tile.
        window_s: Stretch before and after a change of noise that is compared, seconds.
        min_duration_s: Shorter noise is not reported, seconds.
        bridge_s: Noise that pauses for less is one occurrence, seconds.
    """

    flat_quantile: float = 0.1
    dots_quantile: float = 0.2
    window_s: float = 0.3
    min_duration_s: float = 0.2
    bridge_s: float = 0.3


class VideoNoise:
    """Finds noisy pictures."""

    name: ClassVar[str] = "video_noise"
    defects: ClassVar[tuple[str, ...]] = ("video_noise",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"tile_noise", "tile_laplacian_squares", "tile_luma"}),
        )

    def open(self, stream: StreamInfo) -> VideoNoiseAnalysis:
        """Gives a fresh analysis."""
        return VideoNoiseAnalysis(stream, self.params)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns noise over time into noisy passages."""
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
        alike = power < bounds["peaky_ratio"] * sigma
        measure = np.max(
            [
                stands_out([grain], [bounds["rise_octaves"]], begins, window),
                stands_out([dots], [bounds["dots_rise_octaves"]], begins, window),
                np.where(alike, sigma / bounds["strong_code"], 0.0),
            ],
            axis=0,
        )
        rule = PassageRule(1.0, 0.9, self.params.min_duration_s, self.params.bridge_s)

        def evidence(rows: Rows) -> dict[str, Any]:
            inside = slice(*rows)
            return {
                "sigma_code": round(float(np.mean(sigma[inside])), 2),
                "power_code": round(float(np.mean(power[inside])), 2),
                "programme_sigma_code": round(float(np.median(sigma)), 2),
            }

        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        return judge(self.name, self.tuned, rule, starts_s, ends_s, measure, evidence)


class VideoNoiseAnalysis:
    """Measures the noise of every picture's flat parts, by magnitude and by power."""

    def __init__(self, stream: StreamInfo, params: Params) -> None:
        video = stream.video
        assert video is not None
        self._params = params
        # The filters' samples are first shifted down to 10 bits.
        self._noise_scale = float(1 << (min(video.bit_depth, 10) - 8))
        self._luma_scale = float(1 << (video.bit_depth - 8))
        size = (video.width, video.height)
        self._noise_samples = tile_samples(*size, margin=2, above=1, below=1)
        self._luma_samples = np.maximum(tile_samples(*size, every=True), 1)
        self._signatures = Signatures(video)
        self._table = TableBuilder(
            1 / video.time_base, pts=np.int64, sigma=np.uint16, power=np.uint16, **SIGNATURE
        )

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        luma = video.features["tile_luma"]
        samples = np.maximum(self._noise_samples, 1)
        magnitude = video.features["tile_noise"] / samples * _IMMERKAER
        power = np.sqrt(video.features["tile_laplacian_squares"] / samples / _LAPLACIAN_POWER)
        mean = luma / self._luma_samples / self._luma_scale
        low, high = _CLIPPED_CODES
        usable = (mean > low) & (mean < high) & (self._noise_samples > 0)
        params, scale = self._params, _STEPS_PER_CODE / self._noise_scale
        self._table.add(
            pts=video.pts,
            sigma=saturate(lowest(magnitude, usable, params.flat_quantile) * scale, np.uint16),
            power=saturate(lowest(power, usable, params.dots_quantile) * scale, np.uint16),
            **self._signatures.columns(luma),
        )

    def close(self) -> Measurements:
        """Gives noise by frame."""
        return Measurements("video_noise", {"frames": self._table.table()})


def lowest(
    tiles: NDArray[np.float64], usable: NDArray[np.bool_], quantile: float
) -> NDArray[np.float64]:
    """Gives the value of the usable tile at a quantile from below, 0 where there is none."""
    flat = np.sort(np.where(usable, tiles, np.inf).reshape(len(tiles), -1), axis=1)
    count = usable.reshape(len(tiles), -1).sum(axis=1)
    at = np.rint(quantile * np.maximum(count - 1, 0)).astype(np.intp)
    picked = np.take_along_axis(flat, at[:, None], axis=1)[:, 0]
    return np.where(count > 0, picked, 0.0)
