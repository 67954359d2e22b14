"""Freeze: moving video stops on one frame by mistake.

A still slide, a title or a tripod shot is not a freeze. They differ in how the stillness begins: a
slide is still from the first frame after a cut, while a freeze begins in the middle of motion.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.freeze import parts
from defectscope.detectors.freeze.params import Params
from defectscope.detectors.freeze.resting import comes_to_rest, eases, is_drawn
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.temporal.differences import FEATURES, Differences, difference
from defectscope.temporal.order import median, quantile
from defectscope.temporal.spans import Rows, curve, row_ends, runs
from defectscope.temporal.tables import TableBuilder, times_s
from defectscope.temporal.verdicts import result_of

# Where nearly all frames differ much, as noise does, a cut still differs more than they do.
_LEAST_CUT_RATIO, _NEARLY_ALL = 1.5, 0.25
# One difference in ten may be smaller than noise is, or larger than stillness.
_QUIETEST = 0.1
# How sure a freeze is that was told by motion that stopped, not by frames that repeat.
_IN_PART = 0.9
# The first row that has a step before it; only from the next one on a cut before a step is known.
_FIRST_MOVED = 2
# What changes over more of the frame than this leaves is no spinner.
_LEAST_SHARE = 0.75


class Freeze:
    """Finds frozen frames."""

    name: ClassVar[str] = "freeze"
    defects: ClassVar[tuple[str, ...]] = ("freeze",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=FEATURES | {"tile_luma"},
            context_before_s=0.5,
        )

    def open(self, stream: StreamInfo) -> FreezeAnalysis:
        """Returns a fresh analysis."""
        return FreezeAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns differences into frozen intervals."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        nominal_s = float(1 / video.frame_rate)
        peak, mean, luma = (difference(table, name) for name in ("peak", "mean", "luma"))
        drift = parts.drift_of(table)
        limit = self.tuned.thresholds["still_code"]
        still = peak <= limit
        if len(still):
            still[0] = False  # nothing came before it
        ends_s = row_ends(starts_s, nominal_s)
        score = np.where(still, 1.0 - peak / max(2 * limit, 1e-6), 0.0)
        kept: list[tuple[int, int, float, str]] = []
        resting: list[Rows] = []
        reached = 0
        for first, last in runs(still):
            if first <= reached:
                continue  # part of a freeze that has been extended over it
            first, last = self._extended(first, last, starts_s, peak)
            # The frozen frame itself came with movement, so it is the one before the run.
            held = first - 1
            duration_s = float(ends_s[last - 1] - starts_s[held])
            if duration_s < self.params.min_duration_s or last - held < self.params.min_frames:
                continue
            if luma[held] < self.tuned.thresholds["black_luma_code"]:
                continue  # a black frame that stays black is not a frozen one
            # One step after a cut is its coder's, or a drawing's, and tells no motion.
            after_one = held > _FIRST_MOVED and self._cut_into(held - 1, starts_s, mean)
            if after_one or self._cut_into(held, starts_s, mean):
                continue  # a slide
            moved = self._moved_before(held, starts_s, peak)
            if not moved and not self._below_noise(held, last, starts_s, peak):
                continue
            reached = last
            rows = held, last
            meant = moved and (
                comes_to_rest(mean, starts_s, rows, self.tuned.thresholds) or eases(mean, rows)
            )
            if meant or is_drawn(peak, drift, starts_s, rows, self.tuned.thresholds):
                resting.append(rows)
                continue
            kept.append((*rows, float(np.mean(score[first:last])), "all"))
        for one in parts.held_parts(
            table,
            starts_s,
            self.tuned.thresholds,
            self.params.motion_window_s,
            self.params.min_noiseless_s,
        ):
            held, last = one.first - 1, one.last
            taken = [(a, b) for a, b, *_ in kept] + resting
            apart = all(last <= a or held >= b for a, b in taken)
            if apart and luma[held] >= self.tuned.thresholds["black_luma_code"]:
                kept.append((held, last, _IN_PART, "noise" if one.noisy else "part"))
        findings = [
            self._finding(table, (held, last), (starts_s, ends_s), mean, sure, kind, video)
            for held, last, sure, kind in sorted(kept)
        ]
        return result_of("freeze", findings, curve(starts_s, score))

    def _finding(
        self,
        table: Table,
        rows: Rows,
        times_of: tuple[NDArray[np.float64], NDArray[np.float64]],
        mean: NDArray[np.float64],
        sure: float,
        kind: str,
        video: VideoInfo,
    ) -> Finding:
        """Returns the finding of rows [held frame, first that goes on)."""
        held, last = rows
        starts_s, ends_s = times_of
        tiles = None if kind == "all" else parts.going_on(table, (held + 2, last))
        if parts.standing_share(tiles) < _LEAST_SHARE:
            tiles, kind = None, "noise"
        evidence: dict[str, Any] = {
            "duration_s": round(float(ends_s[last - 1] - starts_s[held]), 4),
            "mean_difference_code": round(float(np.mean(mean[held + 1 : last])), 4),
            "frozen_frames": last - held,
            "standing_share": round(parts.standing_share(tiles), 3),
        }
        if kind == "noise":
            evidence["noise_goes_on"] = True
        if tiles is not None:
            evidence["going_on_box_px"] = parts.as_box_px(tiles, video)
        return Finding(
            detector=self.name,
            defect="freeze",
            start_s=float(starts_s[held]),
            end_s=float(ends_s[last - 1]),
            confidence=round(float(np.clip(sure, 0.5, 0.99)), 4),
            severity=severity_of(self.tuned.severity["freeze"], evidence),
            evidence=evidence,
        )

    def _extended(
        self, first: int, last: int, starts_s: NDArray[np.float64], peak: NDArray[np.float64]
    ) -> tuple[int, int]:
        """Carries a run over what an encoder still refines, and over its key frames.

        How much that is depends on the frame; it stays far below the movement that stopped.
        """
        most = self.tuned.thresholds["refinement_code"]
        follows = last < len(peak) and peak[last] <= most
        if not follows and (first <= 1 or peak[first - 1] > most):
            return first, last  # whatever moved before: most runs are noise of a frame or two
        since = int(np.searchsorted(starts_s, starts_s[first] - self.params.motion_window_s))
        before = peak[max(since, 1) : first]
        moved = median(before) if len(before) else 0.0
        thresholds = self.tuned.thresholds
        limit = min(moved / thresholds["motion_ratio"], thresholds["refinement_code"])
        while first > 1 and peak[first - 1] <= limit:
            first -= 1
        while last < len(peak) and peak[last] <= limit:
            last += 1
        return first, last

    def _before(self, held: int, starts_s: NDArray[np.float64]) -> slice:
        """Rows of the interval that leads to a frame, itself included."""
        since = np.searchsorted(starts_s, starts_s[held] - self.params.motion_window_s)
        return slice(max(int(since), 1), held + 1)

    def _cut_into(
        self, held: int, starts_s: NDArray[np.float64], mean: NDArray[np.float64]
    ) -> bool:
        """Tells whether a frame came by a cut; cuts further back do not matter."""
        before = mean[self._before(held, starts_s)]
        if len(before) < 2:
            return True
        thresholds = self.tuned.thresholds
        least = quantile(before[:-1], _NEARLY_ALL)
        scene = max(thresholds["scene_code"], _LEAST_CUT_RATIO * least)
        baseline = thresholds["cut_ratio"] * median(before[:-1])
        bar = min(max(baseline, thresholds["cut_code"]), scene)
        return bool(before[-1] > bar)

    def _moved_before(
        self, held: int, starts_s: NDArray[np.float64], peak: NDArray[np.float64]
    ) -> bool:
        """Tells whether the frame moved up to the frame that then stayed."""
        moving = peak[self._before(held, starts_s)] >= self.tuned.thresholds["motion_code"]
        share = self.tuned.thresholds["moving_share"]
        return bool(moving[-1]) and float(np.mean(moving)) >= share

    def _below_noise(
        self, held: int, last: int, starts_s: NDArray[np.float64], peak: NDArray[np.float64]
    ) -> bool:
        """Tells whether an interval is stiller than its camera ever is, right before and after it.

        In front of a fixed camera nothing may move for long; but a living frame has noise.
        """
        window_s, limits = self.params.noise_window_s, self.tuned.thresholds
        if starts_s[last - 1] - starts_s[held] < self.params.min_noiseless_s:
            return False
        since = int(np.searchsorted(starts_s, starts_s[held] - window_s))
        until = int(np.searchsorted(starts_s, starts_s[last - 1] + window_s))
        # The frame that ends a freeze is further away than noise.
        sides = peak[max(since, 1) : held + 1], peak[last + 1 : until]
        if min(len(side) for side in sides) < self.params.min_frames:
            return False
        noise = min(float(np.quantile(side, _QUIETEST)) for side in sides)
        inside = float(np.quantile(peak[held + 1 : last], 1 - _QUIETEST))
        return noise >= limits["noise_code"] and inside <= limits["noise_share"] * noise


class FreezeAnalysis:
    """Measures how much every frame differs from the one before."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        self._differences = Differences(video, "mean", "peak", "luma")
        self._parts = parts.Parts(video)
        kinds = self._differences.kinds | dict(parts.KINDS)
        self._table = TableBuilder(1 / video.time_base, pts=np.int64, **kinds)

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is not None and len(video.pts):
            columns = self._differences.columns(video.features)
            self._table.add(pts=video.pts, **columns, **self._parts.columns(video.features))

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("freeze", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns the differences."""
        return Measurements("freeze", {"frames": self._table.table()})
