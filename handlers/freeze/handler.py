"""Serves `freeze`: a frame that stands still although it should move."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class FreezeHandler(DetectorHandler):
    """Finds a frame that stands still although it should move."""

    serves = ("freeze",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: the features `sad`, `tile_sad`, `tile_luma` and `luma_sum`, every frame against the
        one before.
        Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(features=("luma_sum", "sad", "tile_luma", "tile_sad"))
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps how far every frame is from the one before it, whole and by tile.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins frames that do not change into runs of at least `min_duration_s`, of the whole frame
        or of a part, one finding each.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
