"""Serves `black_frames`: frames that are black although the programme goes on."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class BlackFramesHandler(DetectorHandler):
    """Finds frames that are black although the programme goes on."""

    serves = ("black_frames",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: the features `luma_sum`, `dark_counts` and `row_max` of every frame.
        Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(features=("dark_counts", "luma_sum", "row_max"))
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps, for every frame, its mean luma, its share of dark samples and how
        high its lit part is.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins frames with at least `dark_share` of dark samples, and no part lit that is
        `lit_share` of the height or more, into runs, one finding each.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
