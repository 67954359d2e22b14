"""Serves `video_noise`: noise of the frame."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.engine.contracts import FrameSelection
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report


class VideoNoiseHandler(DetectorHandler):
    """Finds noise of the frame."""

    serves = ("video_noise",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: noise by tile (`tile_noise`), detail (`tile_laplacian_squares`), `tile_luma` and
        change from frame to frame (`tile_sad`). Sound: not decoded.
        Of one frame a second the luma plane as well, and that of the one before, for a closer look.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(
            features=("tile_laplacian_squares", "tile_luma", "tile_noise", "tile_sad"),
            rgb=FrameSelection(bucket_s=1.0, with_previous=True, luma=True),
        )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Decodes once and keeps the noise of the flattest tiles of every frame.
        """
        return asset.measure()

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        Decides against the programme's own noise, joins rows into runs, one finding each.
        """
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
