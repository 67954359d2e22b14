"""Serves `audio_artifacts`: hum, hiss, distortion and clicks in the sound."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.detectors.audio_artifacts.decision import features, runs
from defectscope.detectors.audio_artifacts.events import ends
from defectscope.detectors.audio_artifacts.grid import Resampler
from defectscope.detectors.audio_artifacts.spectra import Spectra, measure
from defectscope.engine.passes import NetworkPass
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report
from defectscope.serving.rules import ruled_by


class AudioArtifactsHandler(DetectorHandler):
    """Finds hum, hiss, distortion and clicks in the sound."""

    serves = ("audio_artifacts",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: not decoded. Sound: the mean of all channels but the effects channel, or every
        channel by itself with `each_channel`.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(sound=True)
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        The sound is resampled and cut into windows of one second, two of them every second. Each
        becomes four inputs: a log-mel spectrum, a spectrum with fine lines, a fast envelope, and
        levels. The network (`Network`) turns batches of 16 windows into embeddings, and each
        embedding, among those of the seconds around it, into log-odds of the four defects.
        """
        return asset.measure(
            NetworkPass(
                "Network.embed_windows",
                batch=16,
                inputs=(Resampler.push, measure, Spectra.join, Spectra.window),
            ),
            NetworkPass("Network.forward", batch=16, inputs=()),
        )

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Log-odds are calibrated to probabilities by defect, and the rule of the released artifact
        joins windows into findings; those no further apart than `max_gap_s` are one.
        """
        ruled_by(measured, features, runs, ends)
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
