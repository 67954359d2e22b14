"""Serves `color_error`: colours that are illegal, cast, shifted, swapped or lost."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class ColorErrorHandler(DetectorHandler):
    """Finds colours that are illegal, cast, shifted, swapped or lost."""

    serves = ("color_error",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: mean luma and chroma of every tile (`tile_luma`, `tile_u`, `tile_v`) and
        `luma_histogram`. Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(features=("luma_histogram", "tile_luma", "tile_u", "tile_v"))
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps the balance and the range of the colours, frame by frame.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Tells by the evidence which error it is, joins rows into runs, one finding each.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
