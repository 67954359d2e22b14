"""Serves `block_corruption`: blocks of the frame that were damaged on the way."""

from __future__ import annotations

from typing import Any

from defectscope.analysis import MeasuredAsset, decide
from defectscope.detectors.block_corruption.analysis import coarse_map, covered, pair_of
from defectscope.detectors.block_corruption.context_features import context_features
from defectscope.detectors.block_corruption.enclosed import enclosed
from defectscope.detectors.block_corruption.events import brief, events, with_brief
from defectscope.detectors.block_corruption.flagged import confirmed, joined
from defectscope.detectors.block_corruption.mid_grey import greyed
from defectscope.engine.contracts import FrameSelection
from defectscope.engine.passes import NetworkPass
from defectscope.serving.assets import OpenAsset, open_asset
from defectscope.serving.base import DetectorHandler
from defectscope.serving.codec import AnalysisRequest, encode_report
from defectscope.serving.rules import ruled_by


class BlockCorruptionHandler(DetectorHandler):
    """Finds blocks of the frame that were damaged on the way."""

    serves = ("block_corruption",)

    def preprocess(self, request: AnalysisRequest) -> OpenAsset:
        """Opens the media and selects what is measured.

        Frames: the features `tile_sad`, `tile_luma`, `row_max` and `column_max` of every frame; the
        second tells light that changes and a missing reference, the last two black bars. As RGB, of
        every half second the `frames_per_s` / 2 frames whose tiles changed most suddenly, each with
        the frame before it, scaled down to `max_height_px` lines where they are taller.
        Sound: not decoded.
        """
        asset = open_asset(request, self.settings, self.serves)
        for detector in asset.detectors:
            asset.select(
                features=("column_max", "row_max", "tile_luma", "tile_sad"),
                rgb=FrameSelection(
                    bucket_s=0.5,
                    suspicion="tile_sad",
                    sudden=True,
                    per_bucket=round(0.5 * detector.params.frames_per_s),
                    with_previous=True,
                    max_height_px=detector.params.max_height_px,
                ),
            )
        return asset

    def inference(self, asset: OpenAsset) -> MeasuredAsset:
        """Returns the measurements of the asset, or those of its segments, joined.

        Of every half second the network (`BlockNet`) looks at the `glances_per_s` / 2 most
        sudden frames, and at the others where one of these shows something new (thresholds
        `stir`, `rise` and `closer_step`). A frame and the one before it are one batch, filled up to
        whole cells of 32 x 32 px; out come, for both, a probability for every cell and the log-odds
        that the frame is damaged. A small head then says how likely damage begins, and ends,
        between the two. Kept are the share of cells above `cell`, the log-odds and a coarse map.
        """
        return asset.measure(
            NetworkPass(
                "BlockNet.forward", batch=1, inputs=(pair_of,), outputs=(covered, coarse_map)
            )
        )

    def postprocess(self, measured: MeasuredAsset, request: AnalysisRequest) -> dict[str, Any]:
        """Returns the report of what was measured, led by the caller's `id`.

        With `decision` = `learned`, calibrated log-odds are added up along the frames and the most
        plausible sequence of clean and damaged runs is taken (costs `change`, `certain`, and
        `brief` for short ones). Where a run begins, goes on or ends, the head's log-odds that
        damage is new must reach `least_step` between the two frames of a look; bars that come or go
        do not count. What lies between a beginning and an end of `enclosing_step` each is a run
        whatever the frames in it show, and so is what turns to mid grey until it is back. With
        `area`, a frame counts that has more than `area` of its cells damaged: the published rule.
        Runs no further apart than `bridge_s` are one finding.
        """
        ruled_by(
            measured,
            context_features,
            events,
            brief,
            with_brief,
            enclosed,
            confirmed,
            greyed,
            joined,
        )
        report = decide(measured, keep_measurements=request.measurements)
        return encode_report(report, request.id)
