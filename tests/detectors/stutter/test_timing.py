"""Frames that come at uneven times are a capture out of step, and no drops."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.detectors.stutter.timing import jittered, outside
from defectscope.findings import DetectorResult
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.simulate.effects.arrays import video_stream
from defectscope.simulate.synthetic.material import Footage

WIDTH, HEIGHT, COUNT = 320, 180, 150
TICKS_HZ = 90_000
AnalyzeFrames = Callable[[str, Iterable[Frame], StreamInfo], DetectorResult]


def uneven_starts_s(count: int, spread_s: float = 0.012) -> NDArray[np.float64]:
    """Times of a phone: each frame comes up to `spread_s` early or late."""
    rng = np.random.default_rng(3)
    return np.arange(count) / 25 + rng.uniform(-spread_s, spread_s, count)


def test_uneven_times_are_a_capture_out_of_step_and_no_drop(analyze_frames: AnalyzeFrames) -> None:
    stream = video_stream(WIDTH, HEIGHT, COUNT)
    assert stream.video is not None
    ticks = replace(stream.video, time_base=Fraction(1, TICKS_HZ))
    # What moves evenly is taken at uneven times: each frame shows the motion of its own moment.
    starts_s = uneven_starts_s(COUNT)
    fine = list(Footage(seed=4, width=WIDTH, height=HEIGHT, frames=1500, rate=Fraction(250)))
    places = np.clip(np.rint(starts_s * 250).astype(int), 0, 1499).tolist()
    taken = [
        replace(fine[place], pts=round(start_s * TICKS_HZ))
        for place, start_s in zip(places, (starts_s - starts_s[0]).tolist(), strict=True)
    ]
    (found,) = analyze_frames("stutter", taken, replace(stream, video=ticks)).findings
    assert found.evidence["kind"] == "jitter"
    assert found.evidence["pattern"] == "capture_jitter"
    assert found.severity == "minor"
    assert found.evidence["shortest_shown_ms"] < 32 < 48 < found.evidence["longest_shown_ms"]


@pytest.mark.parametrize(
    "lengths_s",
    [
        [0.04],
        [0.033, 0.033, 0.034],  # a container that knows milliseconds
        [2 / 60, 3 / 60],  # 24 a second in ticks of a sixtieth
        [0.04] * 9 + [0.08],  # frames that never came
        [0.04] * 24 + [1.53],  # a screen at rest
    ],
)
def test_rhythms_gaps_and_rounding_are_no_jitter(lengths_s: Sequence[float]) -> None:
    starts_s = np.concatenate([[0.0], np.cumsum(np.tile(np.array(lengths_s), 200))])
    assert jittered(starts_s) == []


def test_jitter_has_ends_and_leaves_what_it_does_not_explain() -> None:
    starts_s = np.arange(300) / 25.0
    starts_s[100:200] = uneven_starts_s(300, spread_s=0.014)[100:200]
    ((first, last),) = jittered(starts_s)
    assert first == pytest.approx(100, abs=6)
    assert last == pytest.approx(200, abs=6)
    told = [(50, 51, "drop", 1.0), (150, 151, "drop", 1.0), (160, 166, "repeat", 0.97)]
    assert outside([(first, last)], told) == [told[0], told[2]]
    assert jittered(np.arange(3) / 25.0) == []
