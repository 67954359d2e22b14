"""Which suspects the network looks at: one each half second, all where that shows something."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from defectscope.detectors.block_corruption.analysis import BlockCorruptionAnalysis, Looking
from defectscope.engine.contracts import Chunk, FrameSelection, VideoChunk
from defectscope.features.geometry import tile_samples
from defectscope.media.frames import Rendering, RgbFrame
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.temporal.tables import column

RATE = 10
VIDEO = VideoInfo(64, 64, 32, 32, 8, "yuv420p", Fraction(RATE), Fraction(1, RATE), "h264")
STREAM = StreamInfo("upload", "mp4", 6.0, VIDEO, None)
# Half seconds of five frames; in each, frames 1 and 3 are suspects, and 3 is the more sudden one.
FRAMES = 30
SUSPECTS = [k for k in range(FRAMES) if k % 5 in (1, 3)]


def runtime(rgb: Any, previous: Any):
    """Says what the frame's colour says: its code less 100 is the decision's logit."""
    logit = float(rgb[0, 0, 0]) - 100
    cells = np.full((2, 2, 2), 0.5, np.float32)
    return cells, np.array([logit, -9.0], np.float32)


def heads(rgb: Any, previous: Any, cells: Any, logits: Any):
    """Says what the frame's green says: its code less 100 are the log-odds of a beginning."""
    return cells, np.array([float(rgb[0, 0, 1]) - 100, -9.0], np.float32)


def suspect(pts: Any, logit: Any, begins: Any):
    """A suspect of which the runtime and the head will say so much."""
    colour = np.array([100 + logit, 100 + begins, 0], np.uint8)
    rendering = Rendering.of(np.broadcast_to(colour, (64, 64, 3)))
    return RgbFrame(pts, rendering, rendering)


def looked_at(
    logits: Any, cuts: Any = (), first_looks: Any = 1, flagged: Any = (), begins: Any = frozenset()
):
    """Frames that were looked at, where suspects have these logits; the stream cut into chunks."""
    selection = FrameSelection(bucket_s=0.5, per_bucket=2, with_previous=True)
    seeing: Any = runtime
    knowing: Any = heads
    analysis = BlockCorruptionAnalysis(
        STREAM, seeing, knowing, selection, Looking(0.45, first_looks, 0.0, 2.0, 1.0)
    )
    sizes = tile_samples(64, 64, every=True)
    tiles = np.zeros((FRAMES, *sizes.shape))
    for k in SUSPECTS:
        tiles[k] = (10 if k % 5 == 1 else 20) * sizes
    edges = [0, *cuts, FRAMES]
    for first, stop in pairwise(edges):
        # A half second's suspects come with the frame that ends it, the last ones with the end.
        ended = [k for k in range(first, stop) if k % 5 == 0 and k] + [FRAMES] * (stop == FRAMES)
        suspects = [
            suspect(k, logits.get(k, -5), 3 if k in begins else -5)
            for end in ended
            for k in SUSPECTS
            if end - 5 <= k < end
        ]
        rows = np.arange(first, stop)
        blank = np.zeros(len(rows), bool)
        corrupt = np.isin(rows, flagged)
        analysis.push(
            Chunk(
                VideoChunk(
                    rows, np.ones(len(rows), np.int64), corrupt, blank,
                    {
                        "tile_sad": tiles[first:stop],
                        "tile_luma": np.zeros_like(tiles[first:stop]),
                        "row_max": np.full((len(rows), 64), 200),
                        "column_max": np.full((len(rows), 64), 200),
                    },
                    tuple(suspects),
                )
            )
        )  # fmt: skip
    return column(analysis.close().tables["samples"], "pts").tolist()


def test_where_nothing_shows_the_most_sudden_suspect_is_all_that_is_looked_at():
    assert looked_at({}) == [3, 8, 13, 18, 23, 28]


def test_a_first_look_that_shows_something_wakes_its_half_second_and_the_next():
    assert looked_at({13: 4}) == [3, 8, 11, 13, 16, 18, 23, 28]


def test_a_rise_wakes_where_as_high_a_logit_all_along_does_not():
    # The first half second has nothing before it that it could be held against.
    assert looked_at(dict.fromkeys(SUSPECTS, 4)) == [1, 3, 6, 8, 13, 18, 23, 28]
    assert looked_at({8: -1, 13: 1}) == [3, 8, 11, 13, 16, 18, 23, 28]


def test_a_step_wakes_where_the_decision_stands_high_all_along():
    high = dict.fromkeys(SUSPECTS, 4)
    assert looked_at(high, begins={18}) == [1, 3, 6, 8, 13, 16, 18, 21, 23, 28]
    # What looks whole before and after is looked at once, whatever the head says.
    assert looked_at({}, begins={18}) == [3, 8, 13, 18, 23, 28]


def test_what_only_a_second_look_shows_does_not_spread():
    # Frame 16 is looked at because of 13; were that to wake the next half second, a segment that
    # begins there would have to know all that came before.
    assert looked_at({13: 4, 16: 9}) == [3, 8, 11, 13, 16, 18, 23, 28]


def test_more_first_looks_see_what_is_less_sudden():
    assert looked_at({11: 4}) == [3, 8, 13, 18, 23, 28]
    assert 11 in looked_at({11: 4}, first_looks=2)


@pytest.mark.parametrize("cuts", [(1,), (5,), (6, 14, 15), tuple(range(1, FRAMES))])
def test_chunks_change_nothing(cuts: Any):
    logits = {3: 3, 13: 4, 26: 5}
    assert looked_at(logits, cuts) == looked_at(logits)


@pytest.mark.parametrize("cuts", [(), (14,), tuple(range(1, FRAMES))])
def test_what_the_decoder_flags_is_looked_at_closely(cuts: Any):
    assert looked_at({}, cuts, flagged=(12,)) == [3, 8, 11, 13, 18, 23, 28]
