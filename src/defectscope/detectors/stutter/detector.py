"""Stutter: motion stops for a moment, jumps, is uneven, or loses its cadence.

Repeated frames alone are no defect. Animation is often drawn on twos, and film at 60 frames per
second repeats frames 3:2. Regular repeats are a cadence, and only its breaks are reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stutter.dips import chains, dips
from defectscope.detectors.stutter.drawn import drawn
from defectscope.detectors.stutter.leaps import LeapMeter, Leaps
from defectscope.detectors.stutter.motion import Motion, held_runs, jumps, same_way, standing
from defectscope.detectors.stutter.naming import Event, join_regular, seen
from defectscope.detectors.stutter.params import Params
from defectscope.detectors.stutter.pulldown import Cadence, cadences
from defectscope.detectors.stutter.rhythm import cadence, catching_up
from defectscope.detectors.stutter.timing import jittered, outside, spread
from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Chunk, Needs, Tuned
from defectscope.features.geometry import sampled_rows, tile_samples
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.differences import FEATURES, TONES, Differences, difference
from defectscope.temporal.spans import curve, row_ends, runs
from defectscope.temporal.standing import all_but_free
from defectscope.temporal.tables import TableBuilder, column, saturate, times_s
from defectscope.temporal.verdicts import result_of

_STEPS_PER_MOVED_CODE = 256
_STEPS_PER_WAY = 100
_STEPS_PER_LEAP = 32
# Bands across and down the frame, as many at most.
_ROW_BANDS, _COLUMN_BANDS = 72, 96
_MAX_LISTED = 1000
# No cadence in use shows a frame for longer: animation on threes at 24 frames a second.
_CADENCE_HOLD_S = 0.13


class Stutter:
    """Finds repeated and dropped frames and broken cadences."""

    name: ClassVar[str] = "stutter"
    defects: ClassVar[tuple[str, ...]] = ("stutter",)
    Params = Params

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"tile_luma", "row_luma", "column_luma"}) | FEATURES | TONES,
            context_before_s=0.8,
            context_after_s=0.8,
        )

    def open(self, stream: StreamInfo) -> StutterAnalysis:
        """Returns a fresh analysis."""
        return StutterAnalysis(stream)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns differences into events, and events into disturbances."""
        table = measurements.tables["frames"]
        video = stream.video
        assert video is not None
        starts_s = times_s(table)
        ends_s = row_ends(starts_s, float(1 / video.frame_rate))
        motion = Motion(
            mean=difference(table, "mean"),
            peak=difference(table, "peak"),
            luma=difference(table, "luma"),
            tiles=column(table, "tiles") / _STEPS_PER_MOVED_CODE,
            drift=column(table, "drift") / _STEPS_PER_MOVED_CODE,
            apart=difference(table, "apart"),
            way=column(table, "way") / _STEPS_PER_WAY,
            leap=column(table, "leap") / _STEPS_PER_LEAP,
        )
        rate_fps = float(video.frame_rate)
        still = standing(motion, self.tuned.thresholds)
        # Coding blurs a cadence in the mean and in the tile that changed most, each its way.
        found = cadences(np.sqrt(motion.mean * motion.peak))
        for each in found:
            still[each.first : each.last] = each.repeats
        events = self._events(motion, still, found, rate_fps, starts_s, ends_s)
        groups = join_regular(self._groups(events, starts_s, ends_s), rate_fps)
        findings = [
            self._finding(group, starts_s, ends_s, seen(group, still, rate_fps)) for group in groups
        ]
        score = np.zeros(len(starts_s))
        for first, last, _, strength in events:
            score[first:last] = strength
        return result_of("stutter", findings, curve(starts_s, score))

    def _events(
        self,
        motion: Motion,
        still: NDArray[np.bool_],
        found: list[Cadence],
        rate_fps: float,
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
    ) -> list[Event]:
        thresholds = self.tuned.thresholds
        longest = max(1, round(_CADENCE_HOLD_S * rate_fps))
        rhythm, broken = cadence(still, longest)
        accident = catching_up(still, motion.tiles)
        rhythm, broken = rhythm & ~accident, broken & ~accident
        for each in found:
            rhythm[each.first : each.last], broken[each.first : each.last] = True, False
            broken[list(each.breaks)] = True
        # Where all is drawn, nothing but the times of frames can be out of step.
        made = drawn(motion, still, thresholds)
        broken &= ~made
        rhythm |= made
        events: list[Event] = []
        for first, last in runs(broken):
            events.append((first, last, "cadence", 0.9))
        for first, last in held_runs(motion, still, longest, thresholds):
            if rhythm[first:last].any():
                continue
            # The frame before the run is the one that stands: its own time is no fault.
            if ends_s[last - 1] - starts_s[first] <= self.params.max_hold_s:
                events.append((first, last, "repeat", 0.97))
        told = np.zeros(len(still), bool)
        for first, *_ in events:
            told[first] = True
        low = (dips(motion, thresholds) & ~rhythm) | told
        for chain in chains(low, rate_fps):
            events += [(row, row + 1, "repeat", 0.9) for row in chain if not told[row]]
        jumped = np.where(rhythm, 0.0, jumps(motion, still, rate_fps, thresholds))
        drops: list[Event] = [
            (int(row), int(row) + 1, "drop", float(jumped[row])) for row in np.flatnonzero(jumped)
        ]
        for group in self._groups(drops, starts_s, ends_s):
            clear = self._convincing(group)
            if same_way(clear, motion, thresholds):
                events += clear
        uneven = jittered(starts_s)
        return sorted([*outside(uneven, events), *((*each, "jitter", 0.9) for each in uneven)])

    def _convincing(self, group: list[Event]) -> list[Event]:
        """Returns the drops of a disturbance, none where motion may be like that by nature."""
        thresholds = self.tuned.thresholds
        clearest = max(strength for *_, strength in group)
        # Weak ones between clear ones bear them out; at the ends they tell nothing.
        clear = [
            k for k, event in enumerate(group) if event[3] >= thresholds["end_share"] * clearest
        ]
        group = group[clear[0] : clear[-1] + 1]
        total = sum(strength for *_, strength in group)
        if len(group) == 1:
            return group if total >= thresholds["lone_clear"] else []
        enough = clearest >= thresholds["clearest"] and total >= thresholds["least_clear"]
        return group if enough else []

    def _groups(
        self,
        events: list[Event],
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
    ) -> list[list[Event]]:
        groups: list[list[Event]] = []
        until_s = -np.inf
        for event in events:
            if starts_s[event[0]] - until_s <= self.params.group_gap_s:
                groups[-1].append(event)
            else:
                groups.append([event])
                until_s = -np.inf
            until_s = max(until_s, float(ends_s[event[1] - 1]))
        return groups

    def _finding(
        self,
        group: list[Event],
        starts_s: NDArray[np.float64],
        ends_s: NDArray[np.float64],
        what: Mapping[str, Any],
    ) -> Finding:
        kinds = [kind for _, _, kind, _ in group]
        strengths = [strength for *_, strength in group]
        first, last = group[0][0], max(event[1] for event in group)
        evidence: dict[str, Any] = {
            "kind": max(sorted(set(kinds)), key=kinds.count),
            "events": len(group),
            "events_s": [round(float(starts_s[e[0]]), 4) for e in group[:_MAX_LISTED]],
            "longest_hold_frames": max((e[1] - e[0] for e in group if e[2] == "repeat"), default=0),
            "duration_s": round(float(ends_s[last - 1] - starts_s[first]), 4),
            **what,
        }
        if evidence["kind"] == "jitter":
            evidence |= spread(starts_s, (first, last))
        return Finding(
            detector=self.name,
            defect="stutter",
            start_s=float(starts_s[first]),
            end_s=float(ends_s[last - 1]),
            confidence=round(float(np.clip(max(strengths), 0.5, 0.99)), 4),
            severity=severity_of(self.tuned.severity["stutter"], evidence),
            evidence=evidence,
        )


class StutterAnalysis:
    """Measures how far each frame is from the one before, over all and by tiles."""

    def __init__(self, stream: StreamInfo) -> None:
        video = stream.video
        assert video is not None
        scale = float(1 << (video.bit_depth - 8))
        tiles = np.maximum(tile_samples(video.width, video.height, every=True), 1)
        self._tile_luma = tiles.reshape(-1) * scale
        self._row_samples = video.width * scale
        self._column_samples = max(1, len(sampled_rows(video.width, video.height))) * scale
        self._differences = Differences(video, "mean", "peak", "luma", "apart")
        self._last: NDArray[np.float64] | None = None
        self._table = TableBuilder(
            1 / video.time_base,
            pts=np.int64,
            **self._differences.kinds,
            tiles=np.uint16,
            drift=np.uint16,
            way=np.int8,
            leap=np.int8,
        )
        self._leaps = LeapMeter()
        # Columns of frames whose leaps are not known yet.
        self._waiting: dict[str, NDArray[Any]] = {}

    def push(self, chunk: Chunk) -> None:
        """Takes the next frames."""
        video = chunk.video
        if video is None or not len(video.pts):
            return
        count = len(video.pts)
        tile_luma = video.features["tile_luma"].reshape(count, -1) / self._tile_luma
        rows = bands(video.features["row_luma"], _ROW_BANDS, self._row_samples)
        columns = bands(video.features["column_luma"], _COLUMN_BANDS, self._column_samples)
        before = self._last if self._last is not None else tile_luma[:1]
        steps = np.diff(np.concatenate([before, tile_luma]), axis=0)
        self._last = tile_luma[-1:].copy()
        self._add(
            self._leaps.push([tile_luma, rows, columns]),
            pts=video.pts,
            **self._differences.columns(video.features),
            tiles=saturate(np.abs(steps).mean(axis=1) * _STEPS_PER_MOVED_CODE, np.uint16),
            drift=saturate(all_but_free(np.abs(steps)) * _STEPS_PER_MOVED_CODE, np.uint16),
        )

    def _add(self, leaps: Leaps, **columns: NDArray[Any]) -> None:
        """Adds the frames whose leaps are known, and keeps the others for later."""
        if self._waiting:
            columns = {n: np.concatenate([self._waiting[n], v]) for n, v in columns.items()}
        ready = len(leaps.leap)
        self._table.add(
            **{name: values[:ready] for name, values in columns.items()},
            leap=saturate(leaps.leap * _STEPS_PER_LEAP, np.int8),
            way=saturate(leaps.way * _STEPS_PER_WAY, np.int8),
        )
        self._waiting = {name: values[ready:].copy() for name, values in columns.items()}

    def take(self) -> Measurements:
        """Returns the rows that are final, and forgets them."""
        return Measurements("stutter", {"frames": self._table.take()})

    def close(self) -> Measurements:
        """Returns the differences."""
        if self._waiting:
            # Nothing follows the last frames: of their leaps nothing is known.
            nothing = np.zeros(len(self._waiting["pts"]))
            rest, self._waiting = self._waiting, {}
            self._add(Leaps(nothing, nothing), **rest)
        return Measurements("stutter", {"frames": self._table.table()})


def bands(sums: NDArray[Any], count: int, samples: float) -> NDArray[np.float64]:
    """Returns (frames, bands) mean luma of bands of equal width, codes.

    Args:
        sums: (frames, lines) sums of luma; lines that fill no band are left out.
        count: Bands wanted; fewer where there are not so many lines.
        samples: Samples of a line, times steps of a code.
    """
    width = max(1, sums.shape[1] // count)
    starts = np.arange(0, sums.shape[1] - width + 1, width)
    used = sums[:, : len(starts) * width]
    # 64 bits: a band of a large frame of 12 bits is more than 32 hold.
    summed = np.add.reduceat(used, starts, axis=1, dtype=np.uint64)
    return summed / (width * samples)
