"""Serves `test_pattern`: bars, solid colours and slates."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class TestPatternHandler(DetectorHandler):
    """Finds bars, solid colours and slates."""

    serves = ("test_pattern",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: profiles (`row_luma`, `column_luma`, `row_difference`, `column_difference`),
        tones (`luma_histogram`, `luma_min`, `luma_max`), colours (`chroma_histogram`,
        `chroma_sums`, `chroma_squares`) and change (`sad`). Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(
            features=(
                "chroma_histogram",
                "chroma_squares",
                "chroma_sums",
                "column_difference",
                "column_luma",
                "luma_histogram",
                "luma_max",
                "luma_min",
                "row_difference",
                "row_luma",
                "sad",
            )
        )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps what every frame looks like: bars, one colour, a slate, or none.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Joins frames of one look into runs of at least `min_duration_s`, one finding each.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
