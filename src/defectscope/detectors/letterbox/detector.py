"""Letterbox: black bars appear, change or disappear within the programme.

A programme that is letterboxed from beginning to end was made so. Errors in play-out and conversion
show as changes: bars that appear, grow or vanish.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.letterbox.borders import (
    asymmetry_px,
    borders,
    contrasts,
    dim_lines,
    plain_lines,
)
from defectscope.detectors.letterbox.lone import lone_bars
from defectscope.detectors.letterbox.params import Params
from defectscope.detectors.letterbox.shapes import (
    Bars,
    kind_of,
    normal_bars,
    runs,
    same,
    settled,
    veiled,
)
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.catalogue import DARK_CODES
from defectscope.features.geometry import sampled_rows
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.temporal.spans import curve, row_ends
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s

_SIDES = ("top", "bottom", "left", "right")
# How far lines that are dark on average reach in from both ends, down and across.
_DIM = ("dim_rows", "dim_columns")
# Contrasts are kept in 1/2 code, shares in 1/255.
_STEPS_PER_CODE = 2
_STEPS_PER_SHARE = 255


class Letterbox:
    """Finds bars round the frame that come up, change or go away."""

    name: ClassVar[str] = "letterbox"
    defects: ClassVar[tuple[str, ...]] = ("letterbox",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"row_luma", "row_max", "column_luma", "column_max", "dark_counts"}),
        )

    def open(self, stream: StreamInfo) -> LetterboxAnalysis:
        """Returns a fresh analysis."""
        return LetterboxAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns borders into intervals whose shape is not the programme's own."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        sides = np.stack([column(table, f"{s}_px").astype(np.int64) for s in _SIDES], axis=1)
        edges = np.stack([column(table, f"{s}_contrast") for s in _SIDES], axis=1) / _STEPS_PER_CODE
        dark = column(table, "dark_share") / _STEPS_PER_SHARE
        bars = self._bars(sides, edges, dark, video)
        sizes = (video.height, video.height, video.width, video.width)
        share = self.tuned.thresholds["tolerance_share"]
        tolerance = tuple(max(2.0, share * size) for size in sizes)
        found = settled(
            runs(bars, edges, tolerance, self.tuned.thresholds["edge_code"]),
            ends_s,
            starts_s,
            tolerance,
            self.params.min_duration_s,
        )
        normal = normal_bars(found, starts_s, ends_s, tolerance)
        dim = np.stack([column(table, name).astype(np.int64) for name in _DIM], axis=1)
        findings = [
            self._finding(each, normal, starts_s, ends_s, edges, video)
            for each in found
            if self._counts(each, normal, starts_s, ends_s, tolerance, video)
            and not (not any(each.bars_px) and veiled(each, dim, normal, tolerance))
        ]
        plain = np.stack([column(table, f"{s}_plain").astype(np.int64) for s in _SIDES], axis=1)
        lit = dark <= self.tuned.thresholds["dark_inside_share"]
        at = (starts_s, ends_s)
        lone = lone_bars(
            (sides, plain, edges), lit, at, sizes, self.params.min_lone_share, self.tuned.thresholds
        )
        for each in lone:
            # What changes between pairs of bars is told already.
            if any(normal) or bars[each.first : each.last].any():
                continue
            if ends_s[each.last - 1] - starts_s[each.first] >= self.params.min_duration_s:
                findings.append(self._finding(each, normal, starts_s, ends_s, edges, video))
                bars[each.first : each.last] = each.bars_px
        findings.sort(key=lambda f: (f.start_s, f.end_s))
        inactive = 1.0 - _active(bars, video)
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(findings),
            peak_score={
                "letterbox": max((f.confidence for f in findings), default=0.0),
                "bar_asymmetry_px": asymmetry_px(sides, edges, dark, self.tuned.thresholds),
            },
            curves={"letterbox": curve(starts_s, inactive)},
        )

    def _bars(
        self,
        sides: NDArray[np.int64],
        edges: NDArray[np.float64],
        dark: NDArray[np.float64],
        video: VideoInfo,
    ) -> NDArray[np.int64]:
        """Keeps the borders that are bars: in pairs, with an edge, round a frame that is lit.

        Rows without a verdict (all black) take the one of the row before.
        """
        thresholds = self.tuned.thresholds
        lit = dark <= thresholds["dark_inside_share"]
        bars = np.zeros_like(sides)
        for pair, size in ((slice(0, 2), video.height), (slice(2, 4), video.width)):
            lines, contrast = sides[:, pair], edges[:, pair]
            low, high = lines.min(axis=1), lines.max(axis=1)
            credible = (
                lit
                & (low >= max(2.0, self.params.min_bar_share * size))
                & (high <= low * thresholds["asymmetry"] + 2)
                & (contrast.min(axis=1) >= thresholds["weak_edge_code"])
                & (contrast.max(axis=1) >= thresholds["edge_code"])
            )
            bars[:, pair] = np.where(credible[:, None], lines, 0)
        black = sides[:, :2].sum(axis=1) >= video.height
        known = np.where(black, 0, np.arange(len(bars)))
        return bars[np.maximum.accumulate(known)] if len(bars) else bars

    def _counts(
        self,
        each: Bars,
        normal: tuple[int, ...],
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
        tolerance: tuple[float, ...],
        video: VideoInfo,
    ) -> bool:
        if float(ends_s[each.last - 1] - starts_s[each.first]) < self.params.min_duration_s:
            return False
        if any(each.bars_px) and not each.stands:
            return False
        if same(each.bars_px, normal, tolerance):
            return 1 - _active_share(each.bars_px, video) > self.params.max_inactive_share
        return True

    def _finding(
        self,
        each: Bars,
        normal: tuple[int, ...],
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
        edges: NDArray[np.float64],
        video: VideoInfo,
    ) -> Finding:
        top, bottom, left, right = each.bars_px
        shown = each.bars_px if any(each.bars_px) else normal
        contrast = np.median(edges[each.first : each.last], axis=0)
        strongest = float(contrast[[bool(side) for side in shown]].max(initial=0.0))
        evidence = {
            "duration_s": round(float(ends_s[each.last - 1] - starts_s[each.first]), 4),
            "kind": kind_of(shown),
            "change": "vanished" if not any(each.bars_px) else "appeared",
            "active_px": [left, top, video.width - left - right, video.height - top - bottom],
            "usual_active_px": [
                normal[2],
                normal[0],
                video.width - normal[2] - normal[3],
                video.height - normal[0] - normal[1],
            ],
            "inactive_share": round(1 - _active_share(each.bars_px, video), 4),
            "change_share": round(
                abs(_active_share(each.bars_px, video) - _active_share(normal, video)), 4
            ),
            "edge_contrast_code": round(strongest, 2),
        }
        if any(normal) and any(each.bars_px):
            evidence["change"] = "throughout" if each.bars_px == normal else "changed"
        weak = self.tuned.thresholds["edge_code"]
        confidence = 0.99 - 0.3 * weak / (weak + strongest)
        rules = self.tuned.severity["letterbox"]
        return Finding(
            detector=self.name,
            defect="letterbox",
            start_s=float(starts_s[each.first]),
            end_s=float(ends_s[each.last - 1]),
            confidence=round(confidence, 4),
            severity=severity_of(rules, evidence),
            evidence=evidence,
        )


def _active_share(bars_px: tuple[int, ...], video: VideoInfo) -> float:
    return float(_active(np.array([bars_px], np.int64), video)[0])


def _active(bars_px: NDArray[np.int64], video: VideoInfo) -> NDArray[np.float64]:
    rows = video.height - bars_px[:, 0] - bars_px[:, 1]
    columns = video.width - bars_px[:, 2] - bars_px[:, 3]
    return rows * columns / (video.height * video.width)


class LetterboxAnalysis:
    """Measures the dark borders of every frame."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._video = video
        self._scale = float(1 << (video.bit_depth - 8))
        self._black = 0.0 if video.full_range else 16.0
        self._sampled = max(1, len(sampled_rows(video.width, video.height)))
        kinds = {f"{s}_{of}": np.uint16 for of in ("px", "plain") for s in _SIDES}
        kinds |= {f"{s}_contrast": np.uint8 for s in _SIDES} | dict.fromkeys(_DIM, np.uint16)
        self._table = TableBuilder(1 / video.time_base, pts=np.int64, **kinds, dark_share=np.uint8)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        rows = video.features["row_luma"] / (self._video.width * self._scale)
        columns = video.features["column_luma"] / (self._sampled * self._scale)
        row_peaks = video.features["row_max"] / self._scale
        column_peaks = video.features["column_max"] / self._scale
        top, bottom = borders(rows, row_peaks, self._black)
        left, right = borders(columns, column_peaks, self._black)
        borders_px = (top, bottom, left, right)
        lines: dict[str, NDArray[np.intp]] = dict(zip(_SIDES, borders_px, strict=True))
        plain = (
            *plain_lines(row_peaks, self._black),
            *plain_lines(column_peaks, self._black),
        )
        steps = (*contrasts(rows, top, bottom), *contrasts(columns, left, right))
        self._table.add(
            pts=video.pts,
            **{f"{s}_px": saturate(n, np.uint16) for s, n in lines.items()},
            **{
                f"{s}_contrast": saturate(c * _STEPS_PER_CODE, np.uint8)
                for s, c in zip(_SIDES, steps, strict=True)
            },
            **{f"{s}_plain": saturate(n, np.uint16) for s, n in zip(_SIDES, plain, strict=True)},
            dim_rows=saturate(dim_lines(rows, self._black), np.uint16),
            dim_columns=saturate(dim_lines(columns, self._black), np.uint16),
            dark_share=saturate(
                self._dark_inside(video.features["dark_counts"], lines) * _STEPS_PER_SHARE,
                np.uint8,
            ),
        )

    def _dark_inside(
        self, dark_counts: NDArray[np.uint32], lines: dict[str, NDArray[np.intp]]
    ) -> NDArray[np.float64]:
        """How much of what lies between the borders is black too, as round a title."""
        height, width = self._video.height, self._video.width
        rows = np.maximum(height - lines["top"] - lines["bottom"], 0)
        columns = np.maximum(width - lines["left"] - lines["right"], 0)
        active = rows * columns
        inside = dark_counts[:, DARK_CODES.index(20)] - (height * width - active)
        return np.where(active > 0, inside / np.maximum(active, 1), 1.0)

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("letterbox", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns the borders."""
        return Measurements("letterbox", {"frames": self._table.table()})
