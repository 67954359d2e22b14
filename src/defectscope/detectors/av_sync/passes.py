"""The networks of this detector and the rules that follow them, as its handler shows them."""

from __future__ import annotations

from defectscope.detectors.av_sync.clips import placed
from defectscope.detectors.av_sync.crops import mouth_on_grid
from defectscope.detectors.av_sync.decision import decide_sync
from defectscope.detectors.av_sync.faces import Face
from defectscope.detectors.av_sync.fragments import shot_by_shot
from defectscope.detectors.av_sync.offsets import cells
from defectscope.detectors.av_sync.sound import log_mel
from defectscope.detectors.av_sync.warp import cut
from defectscope.engine.passes import NetworkPass
from defectscope.temporal.filters import resampled

PASSES = (
    NetworkPass("face_detection_full_range.tflite", batch=1, inputs=(cut,)),
    NetworkPass("face_landmark.tflite", batch=1, inputs=(Face.patch, cut)),
    # One mouth of a fragment, and the sound around the fragment.
    NetworkPass("SyncNet.embed_mouth", batch=1, inputs=(mouth_on_grid, shot_by_shot)),
    NetworkPass(
        "SyncNet.embed_sound", batch=1, inputs=(placed, resampled, log_mel), outputs=(cells,)
    ),
)
RULES = (decide_sync,)
