"""Serves `stutter`: dropped and repeated frames, and a cadence that breaks."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class StutterHandler(DetectorHandler):
    """Finds dropped and repeated frames, and a cadence that breaks."""

    serves = ("stutter",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: differences between frames (`sad`, `tile_sad`, `luma_sum`), tones
        (`luma_histogram`) and profiles that follow motion (`row_luma`, `column_luma`,
        `tile_luma`). Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(
            features=(
                "column_luma",
                "luma_histogram",
                "luma_sum",
                "row_luma",
                "sad",
                "tile_luma",
                "tile_sad",
            )
        )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps, for every frame, its step from the one before and its motion.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Finds repeats, leaps of the motion and breaks of the cadence, and groups those that are
        close into one finding.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
