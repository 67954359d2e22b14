"""Hum, hiss, distortion and clicks in the sound, found without a reference.

A network and classical measures give log odds of each defect for every quarter second of sound;
enough evidence over time makes a finding.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.accelerator import has_cuda
from defectscope.detectors.audio_artifacts.analysis import COLUMNS, AudioArtifactsAnalysis
from defectscope.detectors.audio_artifacts.decision import WINDOW_S, Layer
from defectscope.detectors.audio_artifacts.events import CLICKS, ends
from defectscope.detectors.audio_artifacts.layout import CLASSES, WindowScorer
from defectscope.detectors.audio_artifacts.params import Params
from defectscope.detectors.audio_artifacts.passes import PASSES, RULES
from defectscope.detectors.audio_artifacts.ruling import log_odds_of, runs_of
from defectscope.detectors.audio_artifacts.runtime import CompiledScorer
from defectscope.detectors.compiled import is_installed
from defectscope.detectors.weights import verified_weights
from defectscope.engine.artifacts import artifact_folder, severity_of
from defectscope.engine.contracts import Needs, Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.temporal.spans import curve, logistic
from defectscope.temporal.tables import column, times_s

if TYPE_CHECKING:
    from defectscope.detectors.audio_artifacts.network import Network


class AudioArtifacts:
    """Finds hum, hiss, distortion and clicks."""

    name: ClassVar[str] = "audio_artifacts"
    defects: ClassVar[tuple[str, ...]] = CLASSES
    Params = Params
    passes = PASSES
    rules = RULES

    def __init__(self, *, tuned: Tuned, params: Params | None = None) -> None:
        self.params = params or Params()
        self.tuned = tuned
        # The windows on either side and the filters' reach; resampling odd rates starts at whole
        # periods of theirs, which are a second at most.
        self.needs = Needs(media=frozenset({"audio"}), context_before_s=2.3, context_after_s=2.5)
        self.layer = Layer.of(cast("dict[str, Any]", tuned.artifact["decision"]))
        self._rules = cast("dict[str, dict[str, float]]", tuned.artifact["calibration"])
        # An artifact of another version, or with other weights, is refused before anything is open.
        self._widths = tuned.artifact["network"]["widths"]
        folder = tuned.folder or artifact_folder(self.name)
        self._weights_sha256 = verified_weights(folder, tuned.artifact)

    @cached_property
    def scorer(self) -> WindowScorer:
        """The network, which is loaded when it first listens.

        Raises:
            ArtifactError: The weights are missing or not the released ones.
        """
        folder, artifact = self.tuned.folder or artifact_folder(self.name), self.tuned.artifact

        def network() -> Network:
            from defectscope.detectors.audio_artifacts.inference import load_network

            return load_network(folder, artifact)

        if has_cuda() or not is_installed():
            from defectscope.detectors.audio_artifacts.inference import Scorer

            return Scorer(network())
        return CompiledScorer(network, self._weights_sha256)

    def prepare(self, stream: StreamInfo) -> None:
        """Compiles the network, or takes it from where it is kept."""
        if isinstance(self.scorer, CompiledScorer):
            self.scorer.prepare()

    def open(self, stream: StreamInfo) -> AudioArtifactsAnalysis:
        """Returns a fresh analysis.

        Raises:
            ArtifactError: The weights are missing or not the released ones.
        """
        return AudioArtifactsAnalysis(stream, self.scorer, each_channel=self.params.each_channel)

    def decide(self, measurements: Measurements, stream: StreamInfo) -> DetectorResult:
        """Turns what was measured into log odds, and what adds up into findings."""
        table = measurements.tables["windows"]
        starts_s = times_s(table)
        if not len(starts_s):
            return DetectorResult("inconclusive")
        columns = {name: column(table, name) for name in COLUMNS}
        log_odds = log_odds_of(self.layer, columns, starts_s)
        audio_s = stream.audio_duration_s or stream.duration_s
        findings: list[Finding] = []
        peaks: dict[str, float] = {}
        curves: dict[str, Any] = {}
        for place, defect in enumerate(CLASSES):
            probability = logistic(log_odds[:, place])
            findings += self._findings(defect, starts_s, log_odds[:, place], columns, audio_s)
            peaks[defect] = round(float(probability.max()), 4)
            curves[defect] = curve(starts_s + WINDOW_S / 2, probability)
        return DetectorResult(
            verdict="fail" if findings else "pass",
            findings=tuple(sorted(findings, key=lambda f: (f.start_s, f.defect))),
            peak_score=peaks,
            curves=curves,
        )

    def _findings(
        self,
        defect: str,
        starts_s: NDArray[np.float64],
        log_odds: NDArray[np.float64],
        columns: Mapping[str, NDArray[Any]],
        audio_s: float,
    ) -> list[Finding]:
        rules = self._rules[defect]
        out: list[Finding] = []
        found = runs_of(
            defect,
            log_odds,
            columns,
            starts_s,
            max_gap_s=self.params.max_gap_s,
            drift=rules["drift"],
            least=self.tuned.thresholds[f"{defect}_low"],
        )
        for run in found:
            if run.evidence < self.tuned.thresholds[f"{defect}_{self.params.sensitivity}"]:
                continue
            start_s, end_s = ends(defect, starts_s, run, audio_s)
            if defect != CLICKS and end_s - start_s < self.params.min_lasting_s:
                continue
            inside = log_odds[run.first : run.last]
            evidence = {
                "log_odds": round(run.evidence, 2),
                "probability_peak": round(float(logistic(inside.max())), 4),
                "probability_mean": round(float(logistic(inside).mean()), 4),
                "duration_s": round(end_s - start_s, 3),
            }
            confidence = logistic(rules["slope"] * np.log(run.evidence + 0.5) + rules["offset"])
            out.append(
                Finding(
                    detector=self.name,
                    defect=defect,
                    start_s=start_s,
                    end_s=end_s,
                    confidence=round(float(confidence), 4),
                    severity=severity_of(self.tuned.severity[defect], evidence),
                    evidence=evidence,
                )
            )
        return out
