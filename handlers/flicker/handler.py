"""Serves `flicker`: brightness that swings, and flashes that can trigger seizures."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class FlickerHandler(DetectorHandler):
    """Finds brightness that swings, and flashes that can trigger seizures."""

    serves = ("flicker",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: mean luma and chroma of every tile (`tile_luma`, `tile_u`, `tile_v`).
        Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(features=("tile_luma", "tile_u", "tile_v"))
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps how the luminance of the tiles swings, after ITU-R BT.1702.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Counts opposing swings within a second; more than the guideline allows are a finding.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
