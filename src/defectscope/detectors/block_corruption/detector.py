"""Block corruption: parts of the frame are displaced, repeated or filled with wrong content.

Cheap features select suspect frames. A network maps the damage in each and in the frame before it,
and estimates the probability that each is damaged. The most plausible sequence of clean and damaged
intervals gives the events; they start and end between a clean and a damaged frame.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.analysis import (
    AREA_STEPS,
    LOGIT_STEPS,
    MAP_COLUMNS,
    MAP_ROWS,
    BlockCorruptionAnalysis,
    Looking,
)
from defectscope.detectors.block_corruption.context_features import context_features
from defectscope.detectors.block_corruption.enclosed import enclosed
from defectscope.detectors.block_corruption.events import Event, Known, brief, events, with_brief
from defectscope.detectors.block_corruption.flagged import confirmed, joined
from defectscope.detectors.block_corruption.heads import Heads, load_heads
from defectscope.detectors.block_corruption.mid_grey import greyed
from defectscope.detectors.block_corruption.params import Params
from defectscope.detectors.block_corruption.passes import PASSES, RULES
from defectscope.detectors.block_corruption.posterior import posterior
from defectscope.detectors.block_corruption.runtime import Runtime
from defectscope.detectors.block_corruption.steps import Steps
from defectscope.detectors.weights import verified_weights
from defectscope.engine.artifacts import artifact_folder, severity_of
from defectscope.engine.contracts import FrameSelection, Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements, Table
from defectscope.media.pixels import reduced_size
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve
from defectscope.temporal.tables import column, times_s

_BUCKET_S = 0.5
# What the area rule says counts as beyond doubt, in costs of an end.
_RULED = 3.0


class BlockCorruption:
    """Finds block corruption."""

    name: ClassVar[str] = "block_corruption"
    defects: ClassVar[tuple[str, ...]] = ("block_corruption",)
    Params = Params
    passes = PASSES
    rules = RULES

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        # The most suspicious frames of every half second: where damage begins, and where it ends.
        self._selection = FrameSelection(
            bucket_s=_BUCKET_S,
            suspicion="tile_sad",
            sudden=True,
            per_bucket=round(_BUCKET_S * self.params.frames_per_s),
            with_previous=True,
            max_height_px=self.params.max_height_px,
        )
        self.needs = Needs(
            media=frozenset({"video"}),
            features=frozenset({"column_max", "row_max", "tile_luma", "tile_sad"}),
            frames=self._selection,
            # A whole bucket and the two before it, and the frames before these.
            context_before_s=4 * self._selection.bucket_s,
            context_after_s=2 * self._selection.bucket_s,
        )

    @cached_property
    def runtime(self) -> Runtime:
        """The network, which is loaded when it first looks.

        Raises:
            ArtifactError: The weights are missing or not the released ones.
        """
        folder, artifact = self.tuned.folder or artifact_folder(self.name), self.tuned.artifact

        def network() -> Any:
            from defectscope.detectors.block_corruption.pair import load_network

            return load_network(folder, artifact)

        return Runtime(network, verified_weights(folder, artifact))

    @cached_property
    def heads(self) -> Heads:
        """The small heads that tell where damage lies, and when it begins and ends.

        Raises:
            ArtifactError: It is missing or not the released one.
        """
        folder = self.tuned.folder or artifact_folder(self.name)
        return load_heads(folder, self.tuned.artifact)

    def prepare(self, stream: StreamInfo) -> None:
        """Compiles the network for a stream's frames, or takes it from where it is kept."""
        if stream.video is not None:
            video, limit_px = stream.video, self.params.max_height_px
            self.runtime.prepare(*reduced_size(video.width, video.height, limit_px))

    def open(self, stream: StreamInfo) -> BlockCorruptionAnalysis:
        """Returns a fresh analysis.

        Raises:
            ArtifactError: The weights are missing or not the released ones.
        """
        t = self.tuned.thresholds
        first_looks = round(_BUCKET_S * self.params.glances_per_s)
        looking = Looking(t["cell"], first_looks, t["stir"], t["rise"], t["closer_step"])
        return BlockCorruptionAnalysis(stream, self.runtime, self.heads, self._selection, looking)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns what the network saw into events."""
        video = stream.video
        assert video is not None
        samples = measurements.tables["samples"]
        frames = measurements.tables["frames"]
        if not len(samples) or not len(frames):
            return DetectorResult("pass", peak_score={"block_corruption": 0.0})
        starts_s = times_s(frames)
        ends_s = np.append(starts_s[1:], starts_s[-1] + float(1 / video.frame_rate))
        rows = np.searchsorted(column(frames, "pts"), column(samples, "pts"))
        area = column(samples, "area") / AREA_STEPS
        t = self.tuned.thresholds
        enter, bridge_s = t["decision"], self.params.bridge_s
        if self.params.decision == "area":
            known = _known(measurements, "area", AREA_STEPS)
            most = _RULED * t["change"]
            evidence = np.where(known.scores > t["area"], most, -most)
            flat = Steps.flat(len(known.rows), t["change"])
            found = events(known, evidence, starts_s, ends_s, flat, enter, bridge_s)
        else:
            known, evidence = self.log_odds(measurements)
            most = t["certain"]
            moved = (evidence + t[f"{self.params.sensitivity}_sensitivity"]).clip(-most, most)
            steps, least = self.steps(measurements, known, t["change"]), t["least_step"]
            evidence = posterior(evidence.clip(-most, most), steps) * t["posterior_weight"]
            found = events(known, moved, starts_s, ends_s, steps, enter, bridge_s, least)
            leaps = brief(known, starts_s, ends_s, t["brief"], t["leap"], steps, least)
            found = with_brief(found, leaps)
            found = with_brief(found, enclosed(known, starts_s, steps, t["enclosing_step"]))
        flags = column(frames, "corrupt").astype(bool)
        shares = _known(measurements, "area", AREA_STEPS)
        flagged = confirmed(flags, shares, starts_s, ends_s, t["confirming_area"], t["confirmed"])
        found = joined(found, flagged, self.params.bridge_s)
        found = joined(found, greyed(column(frames, "grey"), starts_s), self.params.bridge_s)
        confidence = 1 / (1 + np.exp(-evidence[np.searchsorted(known.rows, rows)]))
        findings = tuple(
            self._finding(event, samples, measurements.tables["maps"], confidence, area)
            for event in found
        )
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=findings,
            peak_score={"block_corruption": round(float(confidence.max()), 4)},
            curves={"block_corruption": curve(times_s(samples), confidence)},
        )

    def log_odds(self, measurements: Measurements) -> tuple[Known, NDArray[np.float64]]:
        """Returns the frames that were evaluated, and calibrated log-odds of damage in each.

        The network's decision, how far it rises above the usual, and what was said around it.
        """
        known, context = evidence_of(measurements)
        fit = self.tuned.artifact["calibration"]
        return known, fit["offset"] + sum(fit[name] * context[name] for name in context)

    def posterior_odds(self, measurements: Measurements) -> tuple[Known, NDArray[np.float64]]:
        """Returns the frames that were evaluated, and log-odds of damage in each, steps known."""
        known, evidence = self.log_odds(measurements)
        most, change = self.tuned.thresholds["certain"], self.tuned.thresholds["change"]
        return known, posterior(evidence.clip(-most, most), self.steps(measurements, known, change))

    def steps(self, measurements: Measurements, known: Known, change: float) -> Steps:
        """Returns where damage begins or ends between frames that were looked at together.

        Args:
            measurements: Of the programme.
            known: The evaluated frames.
            change: What a beginning or an end costs where nothing tells of it, log-odds.
        """
        samples, frames = measurements.tables["samples"], measurements.tables["frames"]
        begins, ends = (column(samples, name) / LOGIT_STEPS for name in ("begins", "ends"))
        t = self.tuned.thresholds
        return Steps.of(
            known.rows,
            np.searchsorted(column(frames, "pts"), column(samples, "pts")),
            begins,
            ends,
            column(frames, "confounded").astype(bool),
            column(frames, "cut").astype(bool),
            change,
            t["usual_step"],
            t["step_weight"],
        )

    def _finding(
        self,
        event: Event,
        samples: Table,
        maps: Table,
        confidence: NDArray[np.float64],
        area: NDArray[np.float64],
    ) -> Finding:
        at_s = times_s(samples)
        inside = np.flatnonzero((at_s >= event.start_s - 1e-9) & (at_s < event.end_s - 1e-9))
        if len(inside):
            best = int(inside[np.argmax(confidence[inside])])
            widest = float(area[inside].max())
        else:
            # Damage that was only seen as the frame before a sample.
            best = int(np.clip(np.searchsorted(at_s, event.end_s - 1e-9), 0, len(at_s) - 1))
            widest = float(column(samples, "previous_area")[best] / AREA_STEPS)
        evidence: dict[str, Any] = {
            "corrupted_area": round(widest, 4),
            "over_area_rule": bool(widest > self.tuned.thresholds["area"]),
            "peak_time_s": round(float(at_s[best]), 4),
            "peak_x_px": int(column(samples, "peak_x_px")[best]),
            "peak_y_px": int(column(samples, "peak_y_px")[best]),
        }
        drawn = _map(maps, int(column(samples, "pts")[inside[0]]) if len(inside) else None,
                     int(column(samples, "pts")[inside[-1]]) if len(inside) else None)  # fmt: skip
        if drawn is not None:
            evidence["map"] = drawn
        return Finding(
            detector=self.name,
            defect="block_corruption",
            start_s=event.start_s,
            end_s=event.end_s,
            confidence=round(float(np.clip(event.confidence, 0.0, 1.0)), 4),
            severity=severity_of(self.tuned.severity["block_corruption"], evidence),
            evidence=evidence,
        )


def evidence_of(measurements: Measurements) -> tuple[Known, dict[str, NDArray[np.float64]]]:
    """Returns the evaluated frames, with the decision as scores, and their context features."""
    known = _known(measurements, "logit", LOGIT_STEPS)
    shares = _known(measurements, "area", AREA_STEPS)
    starts_s = times_s(measurements.tables["frames"])
    return known, context_features(known.scores, shares.scores, starts_s[known.rows])


def _known(measurements: Measurements, name: str, steps: float) -> Known:
    """What was said of the frames that were looked at, and of those before them."""
    samples, frames = measurements.tables["samples"], measurements.tables["frames"]
    rows = np.searchsorted(column(frames, "pts"), column(samples, "pts"))
    now, before = (
        column(samples, each).astype(np.float64) / steps for each in (name, f"previous_{name}")
    )
    return Known.of(rows, now, before, column(frames, "jump"))


def _map(maps: Table, first: int | None, last: int | None) -> dict[str, Any] | None:
    """The fullest map kept within an event."""
    if first is None or last is None or not len(maps):
        return None
    pts = column(maps, "pts")
    inside = (pts >= first) & (pts <= last)
    if not inside.any():
        return None
    values = column(maps, "probability").astype(np.float64) / 255
    instants = np.unique(pts[inside])
    best = max(instants.tolist(), key=lambda at: float(values[pts == at].sum()))
    grid = np.zeros(MAP_ROWS * MAP_COLUMNS)
    grid[column(maps, "place")[pts == best]] = values[pts == best]
    return {
        "rows": MAP_ROWS,
        "columns": MAP_COLUMNS,
        "probabilities": np.round(grid, 2).tolist(),
    }
