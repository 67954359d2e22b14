"""The network of this detector and the rules that follow it, as its handler shows them."""

from __future__ import annotations

from defectscope.detectors.block_corruption.analysis import coarse_map, covered, pair_of
from defectscope.detectors.block_corruption.context_features import context_features
from defectscope.detectors.block_corruption.enclosed import enclosed
from defectscope.detectors.block_corruption.events import brief, events, with_brief
from defectscope.detectors.block_corruption.flagged import confirmed, joined
from defectscope.detectors.block_corruption.mid_grey import greyed
from defectscope.engine.passes import NetworkPass

# Both frames of a pair go through at once; one pair a run, so that no grouping can change a bit.
PASSES = (
    NetworkPass("BlockNet.forward", batch=1, inputs=(pair_of,), outputs=(covered, coarse_map)),
)
RULES = (context_features, events, brief, with_brief, enclosed, confirmed, greyed, joined)
