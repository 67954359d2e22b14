"""Serves `compression_blockiness`: the grid of coarse compression."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.engine.contracts import FrameSelection
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class CompressionBlockinessHandler(DetectorHandler):
    """Finds the grid of coarse compression."""

    serves = ("compression_blockiness",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: steps between rows and columns (`row_step`, `column_step`) and `tile_luma`.
        Sound: not decoded.
        Of one frame a second the luma plane as well, for a closer look at its rows and columns.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(
            features=("column_step", "row_step", "tile_luma"),
            rgb=FrameSelection(bucket_s=1.0, with_previous=True, luma=True),
        )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps how far steps at the grid stand out of those beside it.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins rows above the bound into runs, with hysteresis, one finding each.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
