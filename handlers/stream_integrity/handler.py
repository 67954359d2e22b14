"""Serves `stream_integrity`: decoder errors, and clocks and lengths that do not fit."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class StreamIntegrityHandler(DetectorHandler):
    """Finds decoder errors, and clocks and lengths that do not fit."""

    serves = ("stream_integrity",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames and sound: whatever the asset has, for its time stamps and what decoders say.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select()
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps time stamps, their gaps, and frames that the decoder flagged.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins errors that are close, and compares where video and sound begin and end.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
