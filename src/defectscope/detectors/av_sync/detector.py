"""Lip sync: is the sound early or late relative to the lips?

The similarity of lips and sound is measured over many offsets. Without a clear result the verdict
is "inconclusive".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.analysis import (
    CONTEXT_S,
    AvSyncAnalysis,
    cells_of,
    thumbnails_of,
)
from defectscope.detectors.av_sync.canonical import Canonical, load_canonical
from defectscope.detectors.av_sync.clips import MAX_HEIGHT_PX
from defectscope.detectors.av_sync.crops import RATE_FPS
from defectscope.detectors.av_sync.decision import OutOfSyncInterval, decide_sync, perceptibility
from defectscope.detectors.av_sync.faces import MODULE, PACKAGE, face_models
from defectscope.detectors.av_sync.offsets import MS_PER_FRAME, OFFSETS
from defectscope.detectors.av_sync.params import Params
from defectscope.detectors.av_sync.passes import PASSES, RULES
from defectscope.detectors.av_sync.runtime import Runtime
from defectscope.detectors.av_sync.shots import FEATURES
from defectscope.detectors.av_sync.tracks import Limits
from defectscope.detectors.av_sync.windows import (
    Rules,
    Window,
    as_distances,
    spread_ms,
)
from defectscope.detectors.weights import verified_weights
from defectscope.engine.artifacts import artifact_folder, severity_of
from defectscope.engine.contracts import FrameSelection, Needs, Tuned
from defectscope.findings import DetectorResult, Finding, Verdict
from defectscope.measurements import Measurements
from defectscope.media.stills import encode_jpeg
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve

if TYPE_CHECKING:
    from defectscope.detectors.av_sync.network import SyncNet

# Boxes of faces that a finding shows, at most.
_MOST_TRACKS = 12


class AvSync:
    """Finds sound that is early or late."""

    name: ClassVar[str] = "av_sync"
    defects: ClassVar[tuple[str, ...]] = ("av_sync",)
    packages: ClassVar[dict[str, str]] = {MODULE: f"--no-deps {PACKAGE}"}
    Params = Params
    passes = PASSES
    rules = RULES

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        self._folder = tuned.folder or artifact_folder(self.name)
        self.needs = Needs(
            media=frozenset({"video", "audio"}),
            features=FEATURES,
            frames=FrameSelection(bucket_s=1 / RATE_FPS, max_height_px=MAX_HEIGHT_PX),
            context_before_s=CONTEXT_S,
            context_after_s=CONTEXT_S,
        )

    @cached_property
    def canonical(self) -> Canonical:
        """The linear model, loaded when it is first needed.

        Raises:
            ArtifactError: It is missing or not the released one.
        """
        return load_canonical(self._folder, self.tuned.artifact)

    @cached_property
    def network(self) -> Runtime | None:
        """The network, which is loaded when it first compares; None where the release has none.

        Raises:
            ArtifactError: The weights are missing or not the released ones.
        """
        if "weights" not in self.tuned.artifact:
            return None
        folder, artifact = self._folder, self.tuned.artifact

        def network() -> SyncNet:
            from defectscope.detectors.av_sync.network import load_network

            return load_network(folder, artifact)

        return Runtime(network, verified_weights(folder, artifact))

    def prepare(self, stream: StreamInfo) -> None:
        """Compiles what finds faces, or takes it from where it is kept."""
        face_models().prepare()

    def prepare_rest(self) -> None:
        """Compiles what reads a face: most programmes of a few seconds show none."""
        face_models().prepare_rest()
        if self.network is not None:
            self.network.prepare()

    def open(self, stream: StreamInfo) -> AvSyncAnalysis:
        """Returns a fresh analysis.

        Raises:
            ArtifactError: A model is missing or not the released one.
        """
        p = self.params
        limits = Limits(p.min_face_score, p.min_face_px, p.max_faces)
        return AvSyncAnalysis(
            stream, face_models(), self.canonical, self.network, limits, p.fragments_per_min
        )

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns likeness over offsets into a verdict."""
        rules = Rules.of(self.tuned.thresholds, self.params.tolerance)
        decision = decide_sync(cells_of(measurements), rules, self.params.window_s)
        scores = np.array([_score(w, rules) for w in decision.windows])
        times_s = np.array([w.centre_s for w in decision.windows])
        return DetectorResult(
            verdict=cast("Verdict", decision.verdict),
            findings=tuple(self._finding(p, measurements, stream) for p in decision.intervals),
            peak_score={"av_sync": round(float(scores.max(initial=0.0)), 4)},
            curves={"av_sync": curve(times_s, scores)} if len(scores) else {},
        )

    def _finding(
        self, interval: OutOfSyncInterval, measurements: Measurements, stream: StreamInfo
    ) -> Finding:
        best = interval.best
        video = stream.video
        size = (video.width, video.height) if video is not None else (1, 1)
        offset_ms = float(np.median([w.peak.ms for w in interval.windows]))
        evidence: dict[str, Any] = {
            "offset_ms": round(offset_ms, 1),
            "spread_ms": round(spread_ms(best), 1),
            "perceptibility": round(perceptibility(offset_ms), 2),
            "windows": len(best.votes),
            "windows_agreeing": best.agreeing,
            "offsets_ms": [round(float(o) * MS_PER_FRAME) for o in OFFSETS],
            "distances": as_distances(best.curve),
            "tracks": _tracks(interval, size),
            "thumbnails_jpeg_base64": _thumbnails(interval, thumbnails_of(measurements)),
        }
        return Finding(
            detector=self.name,
            defect="av_sync",
            start_s=interval.start_s,
            end_s=interval.end_s,
            confidence=round(best.probability, 4),
            severity=severity_of(self.tuned.severity["av_sync"], evidence),
            evidence=evidence,
        )


def _score(window: Window, rules: Rules) -> float:
    """From 0 to 1; above a half only where a window is probably out of step."""
    return round(window.probability * min(1.0, rules.excess(window.peak.ms) / 2), 4)


def _tracks(interval: OutOfSyncInterval, size: tuple[int, int]) -> list[dict[str, Any]]:
    """Returns whose lips were read, when and where: left, top, width, height in source pixels."""
    out: list[dict[str, Any]] = []
    cells = {(c.frame, c.track): c for w in interval.windows for c in w.cells}
    seen: list[NDArray[np.float64]] = []
    for key in sorted(cells):
        cell = cells[key]
        start_s, end_s = cell.frame / RATE_FPS, (cell.frame + cell.frames) / RATE_FPS
        # One face that hardly moves is one entry.
        if out and start_s - out[-1]["end_s"] < 0.05 and np.abs(seen[-1] - cell.box).max() < 0.1:
            out[-1]["end_s"] = round(end_s, 3)
            continue
        left, top, right, bottom = cell.box * np.tile(size, 2)
        seen.append(cell.box)
        out.append(
            {
                "label": f"track {len(out) + 1}",
                "start_s": round(start_s, 3),
                "end_s": round(end_s, 3),
                "box_px": [round(float(v)) for v in (left, top, right - left, bottom - top)],
            }
        )
    return out[:_MOST_TRACKS]


def _thumbnails(
    interval: OutOfSyncInterval, kept: Mapping[tuple[int, int], NDArray[np.uint8]]
) -> list[str]:
    """Returns the mouths that were read, as JPEG files in base64, one for every track."""
    read = {(c.frame, c.track) for w in interval.windows for c in w.cells}
    chosen = [kept[key] for key in sorted(read & set(kept))][:_MOST_TRACKS]
    large = [np.kron(luma, np.ones((3, 3), np.uint8)) for luma in chosen]
    return [
        b64encode(encode_jpeg(np.repeat(luma[..., None], 3, axis=2))).decode("ascii")
        for luma in large
    ]
