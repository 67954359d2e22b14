"""Serves `letterbox`: black borders, and borders that change."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class LetterboxHandler(DetectorHandler):
    """Finds black borders, and borders that change."""

    serves = ("letterbox",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: profiles (`row_luma`, `row_max`, `column_luma`, `column_max`) and `dark_counts`.
        Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(features=("column_luma", "column_max", "dark_counts", "row_luma", "row_max"))
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps the rows and columns that stay black on every side.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins frames of equal borders, and says where the shape of the frame changes.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
