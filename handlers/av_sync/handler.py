"""Serves `av_sync`: sound that is early or late against the lips."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.detectors.av_sync.clips import placed
from defectscope.detectors.av_sync.crops import mouth_on_grid
from defectscope.detectors.av_sync.decision import decide_sync
from defectscope.detectors.av_sync.faces import Face
from defectscope.detectors.av_sync.fragments import shot_by_shot
from defectscope.detectors.av_sync.offsets import cells
from defectscope.detectors.av_sync.sound import log_mel
from defectscope.detectors.av_sync.warp import cut
from defectscope.engine.contracts import FrameSelection
from defectscope.engine.passes import NetworkPass
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report
from defectscope.serving.rules import ruled_by
from defectscope.temporal.filters import resampled


class AvSyncHandler(DetectorHandler):
    """Finds sound that is early or late against the lips."""

    serves = ("av_sync",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: `tile_luma` and `luma_histogram` of every frame, which tell cuts. As RGB, 25 frames
        a second of at most 720 lines, for faces. Sound: every channel.
        """
        asset = open_asset(request, self.settings, self.serves)
        asset.select(
            features=("luma_histogram", "tile_luma"),
            rgb=FrameSelection(bucket_s=1 / 25, max_height_px=720),
            sound=True,
        )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Faces are found and followed within each shot, four seconds at a time. Of every face the
        mouth, 48 x 64 px at 25 frames a second, and the log-mel spectrum of the sound become
        embeddings of two networks' streams (`SyncNet`); a linear model (`Canonical`) compares the
        opening of the mouth with the sound besides. Kept is how alike both are at every offset.
        """
        return asset.measure(
            NetworkPass("face_detection_full_range.tflite", batch=1, inputs=(cut,)),
            NetworkPass("face_landmark.tflite", batch=1, inputs=(Face.patch, cut)),
            NetworkPass("SyncNet.embed_mouth", batch=1, inputs=(mouth_on_grid, shot_by_shot)),
            NetworkPass(
                "SyncNet.embed_sound",
                batch=1,
                inputs=(placed, resampled, log_mel),
                outputs=(cells,),
            ),
        )

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        The evidence of the windows of all faces is added up by offset. One offset that stands out
        makes the verdict in step or out of step, with `offset_ms` (positive: sound late); where
        none does, the verdict is `inconclusive`.
        """
        ruled_by(measured, decide_sync)
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
