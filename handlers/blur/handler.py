"""Serves `blur`: frames softer than their raster or their surroundings in the programme."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.engine.contracts import FrameSelection
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class BlurHandler(DetectorHandler):
    """Finds frames softer than their raster or their surroundings in the programme."""

    serves = ("blur",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: energy of fine and coarse detail (`tile_laplacian_squares`,
        `tile_dx1_squares`, `tile_dx4_squares`, `dy_squares`), steps (`row_step`,
        `column_step`) and `tile_luma`. Sound: not decoded.
        Of one frame a second the luma plane as well, for a closer look at its rows and columns.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(
            features=(
                "column_step",
                "dy_squares",
                "row_step",
                "tile_dx1_squares",
                "tile_dx4_squares",
                "tile_laplacian_squares",
                "tile_luma",
            ),
            rgb=FrameSelection(bucket_s=1.0, with_previous=True, luma=True),
        )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps how fine the finest detail of every frame is.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Decides against the programme's own sharpness, joins rows into runs, one finding each.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
