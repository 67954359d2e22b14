"""Test pattern: bars, a solid colour or a slate instead of the programme.

Bars are recognised by six colours in flat fields next to each other, a solid colour by the absence
of anything else, and a slate by a still, colourless background with a ruled frame or lines of text.
Dark ink on a light background counts within a ruled frame only: without one it may be any slide.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.test_pattern.looks import (
    ground,
    hue_shares,
    level_range,
    ruled_ends,
    text_lines,
)
from defectscope.detectors.test_pattern.params import Params
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.geometry import sampled_columns, sampled_rows
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import bridge, curve, row_ends, runs
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.verdicts import result_of

# Shares are kept in 1/255, differences and deviations in 1/16 of a code.
_STEPS_PER_SHARE = 255
_STEPS_PER_CODE = 16


class TestPattern:
    """Finds bars, solid colours and slates."""

    __test__ = False  # not a test case, whatever its name suggests

    name: ClassVar[str] = "test_pattern"
    defects: ClassVar[tuple[str, ...]] = ("test_pattern",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset(
                {
                    *(
                        "row_luma",
                        "luma_min",
                        "luma_max",
                        "sad",
                        "row_difference",
                        "luma_histogram",
                    ),
                    *("column_luma", "column_difference"),
                    *("chroma_sums", "chroma_squares", "chroma_histogram"),
                }
            ),
            context_before_s=0.5,
        )

    def open(self, stream: StreamInfo) -> TestPatternAnalysis:
        """Returns a fresh analysis."""
        return TestPatternAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns looks into intervals of pattern."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        shortest = {
            "bars": self.params.min_duration_s,
            "solid": self.params.min_duration_s,
            "grey": self.params.min_grey_s,
            "slate": self.params.min_slate_s,
        }
        still = column(table, "difference") / _STEPS_PER_CODE
        findings: list[Finding] = []
        seen = np.zeros(len(table))
        for kind, flags in self._kinds(table, chroma=video.chroma_width > 0).items():
            seen = np.maximum(seen, flags)
            for first, last in bridge(runs(flags), starts_s, ends_s, 2 / float(video.frame_rate)):
                duration_s = float(ends_s[last - 1] - starts_s[first])
                if duration_s < shortest[kind]:
                    continue
                # The first frame differs from the programme before it, whatever it shows.
                moved = float(np.median(still[first + 1 : last])) if last - first > 1 else 0.0
                if moved > self.tuned.thresholds["still_code"]:
                    continue
                evidence: dict[str, Any] = {
                    "duration_s": round(duration_s, 4),
                    "kind": "solid" if kind == "grey" else kind,
                    "mean_luma_code": _mean(table, "mean_luma", first, last),
                    "mean_u_code": _mean(table, "mean_u", first, last),
                    "mean_v_code": _mean(table, "mean_v", first, last),
                    "mean_difference_code": round(moved, 2),
                }
                findings.append(
                    Finding(
                        detector=self.name,
                        defect="test_pattern",
                        start_s=float(starts_s[first]),
                        end_s=float(ends_s[last - 1]),
                        confidence=self.tuned.thresholds[f"{kind}_confidence"],
                        severity=severity_of(self.tuned.severity["test_pattern"], evidence),
                        evidence=evidence,
                    )
                )
        findings.sort(key=lambda f: (f.start_s, f.end_s))
        return result_of("test_pattern", findings, curve(starts_s, seen))

    def _kinds(self, table: Any, *, chroma: bool) -> dict[str, NDArray[np.bool_]]:
        """Tells for every frame which pattern it looks like, if any; at most one."""
        limit = self.tuned.thresholds

        def shares(name: str) -> NDArray[np.float64]:
            return column(table, name) / _STEPS_PER_SHARE

        def codes(name: str) -> NDArray[np.float64]:
            return column(table, name) / _STEPS_PER_CODE

        rough = np.maximum(codes("row_texture"), codes("column_texture"))
        flat = rough <= limit["texture_code"]
        bars = (
            flat
            & (shares("least_hue") >= limit["least_hue_share"])
            & (shares("hues") >= limit["hues_share"])
        )
        # Noise alone spreads the levels by some four of its deviations, which a difference between
        # neighbours shows as 1.13 of them.
        spread = column(table, "luma_range") <= limit["range_code"] + limit["noise_range"] * rough
        plain = flat & ~bars & spread & (codes("chroma_deviation") <= limit["plain_chroma_code"])
        tint = np.maximum(
            np.abs(column(table, "mean_u").astype(np.float64) - 128),
            np.abs(column(table, "mean_v").astype(np.float64) - 128),
        )
        colored = plain & chroma & (tint >= limit["tint_code"])
        grey = plain & ~colored & (column(table, "mean_luma") >= limit["grey_luma_code"])
        ground_code = column(table, "ground").astype(np.float64)
        contrast = column(table, "peak").astype(np.float64) - ground_code
        framed = column(table, "rules") >= limit["slate_rules"]
        written = (column(table, "lines") >= limit["slate_lines"]) & (
            ground_code >= limit["slate_ground_code"]
        )
        bright = (contrast >= limit["slate_contrast_code"]) & (framed | written)
        dark = ground_code - column(table, "lowest") >= limit["slate_contrast_code"]
        dark &= column(table, "dark_rules") >= limit["slate_rules"]
        slate = (
            ~(bars | plain)
            & (shares("ground_share") >= limit["ground_share"])
            & (bright | dark)
            & (codes("chroma_deviation") <= limit["slate_chroma_code"])
            & (tint <= limit["slate_chroma_code"])
        )
        return {"bars": bars, "solid": colored, "grey": grey, "slate": slate}


def _mean(table: Any, name: str, first: int, last: int) -> float:
    return round(float(np.mean(column(table, name)[first:last])), 1)


class TestPatternAnalysis:
    """Measures what every frame is made of."""

    __test__ = False

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._video = video
        self._scale = float(1 << (video.bit_depth - 8))
        self._rows = max(1, len(sampled_rows(video.width, video.height)))
        self._columns = max(1, len(sampled_columns(video.width)))
        chroma_rows = len(sampled_rows(video.chroma_width, video.chroma_height))
        self._chroma_samples = max(1, chroma_rows * video.chroma_width)
        names = (
            *("hues", "least_hue", "luma_range", "mean_luma", "mean_u", "mean_v"),
            *("row_texture", "column_texture", "chroma_deviation", "difference"),
            *("ground", "ground_share", "peak", "lowest", "rules", "dark_rules", "lines"),
        )
        self._table = TableBuilder(
            1 / video.time_base, pts=np.int64, **dict.fromkeys(names, np.uint8)
        )

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        f, scale = video.features, self._scale
        rows = f["row_luma"] / (self._video.width * scale)
        columns = f["column_luma"] / (self._rows * scale)
        level, share = ground(f["luma_histogram"])
        lowest, peak = f["luma_min"] / scale, f["luma_max"] / scale
        measured: dict[str, NDArray[Any]] = {
            "luma_range": level_range(f["luma_histogram"]),
            "mean_luma": rows.mean(axis=1),
            "row_texture": _median(f["row_difference"]) / (self._columns * scale) * _STEPS_PER_CODE,
            "column_texture": _median(f["column_difference"])
            / (self._rows * scale)
            * _STEPS_PER_CODE,
            "difference": f["sad"]
            / (self._video.width * self._video.height * scale)
            * _STEPS_PER_CODE,
            "ground": level,
            "ground_share": share * _STEPS_PER_SHARE,
            "peak": peak,
            "lowest": lowest,
            "rules": ruled_ends(rows, level, peak) + ruled_ends(columns, level, peak),
            # Dark ink is bright ink of the negative.
            "dark_rules": ruled_ends(-rows, -level, -lowest)
            + ruled_ends(-columns, -level, -lowest),
            "lines": text_lines(rows, peak - level),
            **self._colors(f),
        }
        self._table.add(pts=video.pts, **{k: saturate(v, np.uint8) for k, v in measured.items()})

    def _colors(self, features: Any) -> dict[str, NDArray[Any]]:
        if not self._video.chroma_width:
            zero = np.zeros(len(features["luma_max"]))
            names = ("hues", "least_hue", "chroma_deviation")
            return {"mean_u": zero + 128, "mean_v": zero + 128} | dict.fromkeys(names, zero)
        mean = features["chroma_sums"] / (self._chroma_samples * self._scale)
        square = features["chroma_squares"] / (self._chroma_samples * self._scale**2)
        hues = hue_shares(features["chroma_histogram"])
        return {
            "mean_u": mean[:, 0],
            "mean_v": mean[:, 1],
            "chroma_deviation": np.sqrt(np.maximum(square - mean**2, 0).max(axis=1))
            * _STEPS_PER_CODE,
            "hues": hues.sum(axis=1) * _STEPS_PER_SHARE,
            "least_hue": hues.min(axis=1) * _STEPS_PER_SHARE,
        }

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("test_pattern", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns the looks."""
        return Measurements("test_pattern", {"frames": self._table.table()})


def _median(lines: NDArray[Any]) -> NDArray[Any]:
    """The middle of every fourth of each frame's lines; the first has none before it."""
    few = lines[:, 1::4] if lines.shape[1] > 1 else lines
    middle = few.shape[1] // 2
    return np.partition(few, middle, axis=1)[:, middle]
