"""Serves every detector at once: one decode, all the verdicts."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, all_detectors, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class AllDetectorsHandler(DetectorHandler):
    """Runs all detectors, or those that a request names, over one decode of the media."""

    serves = all_detectors()
    # Each network is loaded when a request first needs it: a caller who asks for loudness alone
    # does not wait for the others, nor pay their memory.
    eager = False

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media, with its side-car captions where the request names some.

        Selects what the chosen detectors ask for together: the union of their features, the RGB
        frames of each network, and the sound where one of them listens.
        """
        return open_asset(request, self.settings, self.serves)

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of every detector over one decode, or of segments, joined."""
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report in which every detector decides, led by the caller's `id`."""
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
