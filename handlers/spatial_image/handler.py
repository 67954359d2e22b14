"""Serves `spatial_image`: width, depth and centre of the stereo image, and faults of all of it."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class SpatialImageHandler(DetectorHandler):
    """Finds late channels, narrowing and lean of the image, and measures it."""

    serves = ("spatial_image",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: not decoded. Sound: every channel, at the file's own rate.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(sound=True)
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps, every 200 ms, levels, coherence and delay of the front pair.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins blocks in which one channel is late or the image narrower; a lean is one of all.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
