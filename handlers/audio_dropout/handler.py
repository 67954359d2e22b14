"""Serves `audio_dropout`: sound that drops out, per channel."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class AudioDropoutHandler(DetectorHandler):
    """Finds sound that drops out, per channel."""

    serves = ("audio_dropout",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: not decoded. Sound: every channel, at the file's own rate.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(sound=True)
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps each channel's level in short blocks.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins silent blocks between sound into runs, one finding for each channel group.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
