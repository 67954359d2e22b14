"""Serves `caption_quality`: captions that are missing, late, unreadable or malformed."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class CaptionQualityHandler(DetectorHandler):
    """Finds captions that are missing, late, unreadable or malformed."""

    serves = ("caption_quality",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Captions: the side-car file, or the embedded track. Sound: where the asset has some, its
        speech. Frames: only what tells how long the asset is.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select()
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Reads the cues and keeps them beside the speech activity of the sound.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Holds the cues against speech, speed, length and overlap rules, one finding a fault.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
