"""Serves `tearing`: parts of two frames shown as one."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class TearingHandler(DetectorHandler):
    """Finds parts of two frames shown as one."""

    serves = ("tearing",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: row profiles (`row_luma`, `row_sad`, `row_step`), differences (`sad`,
        `tile_sad`, `luma_sum`) and tones (`luma_histogram`). Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(
            features=(
                "luma_histogram",
                "luma_sum",
                "row_luma",
                "row_sad",
                "row_step",
                "sad",
                "tile_sad",
            )
        )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps, for every frame, the row at which it changes from one motion to
        another, if there is one.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins torn frames that are close into one finding with the rows of their seams.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
