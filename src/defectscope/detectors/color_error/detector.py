"""Colour errors: a cast, lost, turned or exchanged colour, colour beside its frame, wrong levels.

Whether a frame is too blue is a matter of taste; that a shot turns blue from one frame to the
next while nothing else changes is not. So what is looked for are abrupt transformations of colour
that the frame's content does not share, and their undoing. A programme that is black and white,
tinted or high in level throughout has none.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.color_error.events import Error, dims_a_stall, find_steps, pair
from defectscope.detectors.color_error.params import Params
from defectscope.detectors.color_error.steps import (
    Steps,
    color_steps,
    luma_steps,
    shift_steps,
    tint_steps,
)
from defectscope.detectors.color_error.tones import tone_steps, tones_of
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.geometry import tile_samples
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.temporal.spans import curve, row_ends, runs
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.verdicts import result_of

# Steps of a unit in which each measure is kept, and as which integer.
_KEPT: dict[str, tuple[int, Any]] = {
    "cast_u": (16, np.int16),
    "cast_v": (16, np.int16),
    "gain": (64, np.int8),
    "gain_back": (64, np.int8),
    "as_is": (64, np.uint16),
    "as_cast": (255, np.uint8),
    "as_gain": (255, np.uint8),
    "as_gain_back": (255, np.uint8),
    "as_swap": (16, np.uint16),
    "turn": (8192, np.int16),
    "turn_gain": (64, np.uint8),
    "as_turn": (255, np.uint8),
    "as_flat": (255, np.uint8),
    "as_flat_back": (255, np.uint8),
    "as_tint": (255, np.uint8),
    "shift_x": (256, np.int8),
    "shift_y": (256, np.int8),
    "shift_left": (255, np.uint8),
    "luma_change": (32, np.uint16),
    "slope": (2048, np.int16),
    "pivot_change": (16, np.int16),
    "lift": (32, np.int16),
    "luma_left": (32, np.uint16),
    "saturation": (2, np.uint8),
    "outside_share": (65535, np.uint16),
    "tone_change": (32, np.uint16),
    "tone_gain": (2048, np.int16),
    "tone_lift": (32, np.int16),
    "tone_left": (32, np.uint16),
}
# Those kept as shares of `as_is`: more than all of it explains nothing.
_SHARES = ("as_cast", "as_gain", "as_gain_back", "as_turn", "as_flat", "as_flat_back", "as_tint")
# What a frame that follows none is like.
_NEUTRAL = {"gain": 1.0, "gain_back": 1.0, "slope": 1.0, "shift_left": 1.0, "tone_gain": 1.0}
# A factor of luma is one kind of error, by whichever measure it is told.
_KINDS = {"tone_gain": "level_gain"}
# Luma outside these codes is out of tolerance. Source: EBU R 103 (8-bit, 5 to 246, and 1 % of the
# frame may lie outside).
_LEGAL_CODES = (5, 246)


class ColorError:
    """Finds colour errors by their onset and their end."""

    name: ClassVar[str] = "color_error"
    defects: ClassVar[tuple[str, ...]] = ("color_error",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"tile_luma", "tile_u", "tile_v", "luma_histogram"}),
            context_before_s=0.5,
        )

    def open(self, stream: StreamInfo) -> ColorErrorAnalysis:
        """Returns a fresh analysis."""
        return ColorErrorAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns steps of colour into runs of error."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        steps = _steps_of(table)
        down, across = known_tiles(video)
        grid = (len(down), len(across))
        errors = pair(find_steps(steps, self.tuned.thresholds), len(table))
        findings = [
            self._finding(error, steps, starts_s, ends_s, grid)
            for error in errors
            if error.last > error.first
            and ends_s[error.last - 1] - starts_s[error.first] >= self.params.min_duration_s
            and not dims_a_stall(error, steps, self.tuned.thresholds)
        ]
        findings += self._out_of_tolerance(steps, starts_s, ends_s)
        findings.sort(key=lambda f: (f.start_s, f.end_s))
        return result_of("color_error", findings, curve(starts_s, steps["as_is"]))

    def _finding(
        self,
        error: Error,
        steps: Steps,
        starts_s: NDArray[Any],
        ends_s: NDArray[Any],
        grid: tuple[int, int],
    ) -> Finding:
        step, row = error.step, error.step.row
        change = float(steps["as_is"][row])
        if step.kind in ("illegal_range", "level_gain"):
            change = float(steps["luma_change"][row])
        elif step.kind == "tone_gain":
            change = float(steps["tone_change"][row])
        evidence: dict[str, Any] = {
            "duration_s": round(float(ends_s[error.last - 1] - starts_s[error.first]), 4),
            "kind": _KINDS.get(step.kind, step.kind),
            "change_code": round(change, 2),
            "undone": error.paired,
            "mean_saturation_code": round(
                float(np.mean(steps["saturation"][error.first : error.last])), 2
            ),
            "outside_share": round(
                float(np.mean(steps["outside_share"][error.first : error.last])), 4
            ),
        }
        if step.kind == "cast":
            sign = 1 if error.first == row else -1
            evidence["cast_u_code"] = round(sign * step.vector[0], 2)
            evidence["cast_v_code"] = round(sign * step.vector[1], 2)
        elif step.kind == "chroma_shift":
            sign = 1 if error.first == row else -1
            evidence["shift_x_share"] = round(sign * step.vector[0] / grid[1], 4)
            evidence["shift_y_share"] = round(sign * step.vector[1] / grid[0], 4)
        elif step.kind == "chroma_turn":
            sign = 1 if error.first == row else -1
            evidence["turn_degrees"] = round(sign * float(np.degrees(steps["turn"][row])), 1)
        elif step.kind in ("level_gain", "tone_gain"):
            slope = float(steps["slope" if step.kind == "level_gain" else "tone_gain"][row])
            evidence["luma_gain"] = round(slope if error.first == row else 1 / slope, 4)
        elif step.kind == "illegal_range":
            evidence["luma_gain"] = round(float(np.exp(abs(step.vector[0]))), 4)
        # A transformation and its undoing are hardly ever meant; one alone may be an effect.
        sure = 0.98 if error.paired else 0.75
        confidence = sure - 0.3 / (1.0 + step.strength)
        return Finding(
            detector=self.name,
            defect="color_error",
            start_s=float(starts_s[error.first]),
            end_s=float(ends_s[error.last - 1]),
            confidence=round(confidence, 4),
            severity=severity_of(self.tuned.severity["color_error"], evidence),
            evidence=evidence,
        )

    def _out_of_tolerance(
        self, steps: Steps, starts_s: NDArray[Any], ends_s: NDArray[Any]
    ) -> list[Finding]:
        """Intervals with levels beyond the requested limit."""
        outside = steps["outside_share"]
        found: list[Finding] = []
        for first, last in runs(outside > self.params.max_outside_share):
            duration_s = float(ends_s[last - 1] - starts_s[first])
            if duration_s < self.params.min_outside_s:
                continue
            share = float(np.mean(outside[first:last]))
            evidence = {
                "duration_s": round(duration_s, 4),
                "kind": "illegal_range",
                "change_code": 0.0,
                "outside_share": round(share, 4),
            }
            found.append(
                Finding(
                    detector=self.name,
                    defect="color_error",
                    start_s=float(starts_s[first]),
                    end_s=float(ends_s[last - 1]),
                    confidence=0.9,
                    severity=severity_of(self.tuned.severity["color_error"], evidence),
                    evidence=evidence,
                )
            )
        return found


def known_tiles(video: VideoInfo) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns the rows and columns of tiles in which there are samples of colour, or of luma."""
    width, height = video.chroma_width or video.width, video.chroma_height or video.height
    there = tile_samples(width, height) > 0
    return np.flatnonzero(there.any(axis=1)), np.flatnonzero(there.any(axis=0))


def _steps_of(table: Table) -> Steps:
    steps = {name: column(table, name) / steps for name, (steps, _) in _KEPT.items()}
    return steps | {name: steps[name] * steps["as_is"] for name in _SHARES}


class ColorErrorAnalysis:
    """Measures how the colour and luma of tiles change from frame to frame."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._scale = float(1 << (video.bit_depth - 8))
        self._full_range = video.full_range
        self._luma = np.maximum(tile_samples(video.width, video.height, every=True), 1)
        self._has_color = video.chroma_width > 0
        # Tiles without a sample, in small frames, say nothing about colour.
        self._kept = np.ix_(*known_tiles(video))
        self._color = np.maximum(tile_samples(video.chroma_width, video.chroma_height), 1)
        self._last: NDArray[np.float64] | None = None
        self._last_tones: NDArray[np.float64] | None = None
        kinds = {name: kind for name, (_, kind) in _KEPT.items()}
        self._table = TableBuilder(1 / video.time_base, pts=np.int64, **kinds)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        count = len(video.pts)
        down, across = self._kept
        planes: list[NDArray[np.float64]] = []
        for name, samples in (("tile_luma", self._luma), ("tile_u", self._color)):
            mean = video.features[name] / (samples * self._scale)
            planes.append(mean[:, down, across])
        planes.append((video.features["tile_v"] / (self._color * self._scale))[:, down, across])
        # Sums are added in the order in which numbers lie, which must not depend on the chunk.
        planes = [np.ascontiguousarray(plane) for plane in planes]
        if not self._has_color:
            planes[1:] = [plane * 0.0 + 128.0 for plane in planes[1:]]
        shape = planes[0].shape[1:]
        now = np.stack(planes).reshape(3, count, -1) - np.array([0.0, 128.0, 128.0])[:, None, None]
        first = self._last is None
        before = now[:, :1] if self._last is None else self._last
        joined = np.concatenate([before, now], axis=1)
        self._last = now[:, -1:].copy()
        tiles = joined.reshape(3, -1, *shape)
        measured = color_steps(joined[1], joined[2]) | luma_steps(joined[0])
        measured |= shift_steps(tiles[1], tiles[2]) | tint_steps(*joined)
        tones = tones_of(video.features["luma_histogram"])
        last_tones = tones[:1] if self._last_tones is None else self._last_tones
        self._last_tones = tones[-1:].copy()
        measured |= tone_steps(np.concatenate([last_tones, tones]))
        whole = np.maximum(measured["as_is"], 1e-9)
        measured |= {name: measured[name] / whole for name in _SHARES}
        if first:
            for name, values in measured.items():
                values[0] = _NEUTRAL.get(name, 0.0)
        measured["saturation"] = np.maximum(np.abs(now[1]), np.abs(now[2])).mean(axis=1)
        measured["outside_share"] = self._outside(video.features["luma_histogram"])
        self._table.add(
            pts=video.pts,
            **{n: saturate(measured[n] * steps, kind) for n, (steps, kind) in _KEPT.items()},
        )

    def _outside(self, histogram: NDArray[Any]) -> NDArray[np.float64]:
        """The share of luma outside tolerance; a full-range stream has no such codes."""
        low, high = _LEGAL_CODES
        total = np.maximum(histogram.sum(axis=1, dtype=np.int64), 1)
        outside = histogram[:, :low].sum(axis=1) + histogram[:, high + 1 :].sum(axis=1)
        return outside / total * (not self._full_range)

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("color_error", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns the steps."""
        return Measurements("color_error", {"frames": self._table.table()})
