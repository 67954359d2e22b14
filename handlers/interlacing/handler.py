"""Serves `interlacing`: fields of two instants shown as one frame."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class InterlacingHandler(DetectorHandler):
    """Finds fields of two instants shown as one frame."""

    serves = ("interlacing",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: the feature `comb_counts`, combed samples by tile. Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(features=("comb_counts",))
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps how combed every frame is, and in which field order.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins combed frames into runs; a 3:2 cadence that holds is told apart, not reported.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
