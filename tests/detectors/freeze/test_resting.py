"""Freeze: what comes to rest, and what is drawn, stands because it is meant to."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope import analyze
from defectscope.detectors.freeze.resting import comes_to_rest, eases, is_drawn
from defectscope.engine.artifacts import tuned

LIMITS = tuned("freeze").thresholds
SECONDS = np.arange(120) / 25


@pytest.mark.parametrize(
    ("last_steps", "leap", "rests"),
    [
        ([4.0] * 7, 4.0, False),
        ([4.0, 3.6, 3.2, 2.8, 2.4, 2.0, 1.6], 0.4, True),
        ([4.0, 3.6, 3.2, 2.8, 2.4, 2.0, 1.6], 1.6, False),
        ([4.0, 3.6, 3.2, 2.8, 2.4, 2.0, 1.6], 12.0, False),
        ([4.0, 3.6, 3.2, 2.8, 2.4, 2.0, 1.6], 90.0, True),
        ([4.0, 5.0, 4.0, 5.0, 4.0, 5.0, 0.5], 0.5, True),
        ([4.0, 5.0, 4.0, 5.0, 4.0, 5.0, 0.5], 4.0, False),
    ],
    ids=[
        "stops",
        "slows",
        "slows and goes on",
        "slows and leaps",
        "slows up to a cut",
        "hardly moves at last",
        "hardly moves at last and goes on",
    ],
)
def test_what_slows_down_comes_to_rest(last_steps: list[float], leap: float, rests: bool) -> None:
    mean = np.full(120, 4.0)
    mean[54:61] = last_steps
    mean[61:90] = 0.0
    mean[90] = leap
    assert comes_to_rest(mean, SECONDS, (60, 90), LIMITS) is rests


# Every other step is longer, as a codec of two kinds of frames makes them.
SLOWING = [2.0, 4.0, 1.8, 3.0, 1.0, 1.6, 0.5]


@pytest.mark.parametrize(
    ("led", "followed", "meant"),
    [
        (SLOWING, [0.4, 0.8, 1.2, 1.7, 2.3, 2.9, 3.6], True),
        (SLOWING, [3.0, 3.2, 3.4, 3.6, 3.8, 4.0, 4.2], False),
        (SLOWING, [0.4, 0.8, 1.2, 0.9, 2.3, 2.9, 3.6], False),
        ([2.0, 4.0, 2.0, 4.0, 2.0, 4.0, 2.0], [0.4, 0.8, 1.2, 1.7, 2.3, 2.9, 3.6], False),
        (SLOWING, [0.4, 0.8, 1.2], False),
    ],
    ids=["eases out and in", "sets off fast", "goes on by fits", "stops", "ends"],
)
def test_what_eases_out_and_in_stands_because_it_is_meant_to(
    led: list[float], followed: list[float], meant: bool
) -> None:
    mean = np.concatenate([np.full(30, 4.0), led, np.zeros(20), followed])
    assert eases(mean, (36, 57)) is meant


@pytest.mark.parametrize(
    ("quiet_share", "drift", "drawn"), [(0.5, 0.01, True), (0.5, 1.0, False), (0.0, 0.01, False)]
)
def test_a_screen_waits_on_a_ground_that_stands(
    quiet_share: float, drift: float, drawn: bool
) -> None:
    rng = np.random.default_rng(1)
    peak = np.where(rng.random(120) < quiet_share, 0.0, 20.0)
    peak[61:90] = 0.0
    assert is_drawn(peak, np.full(120, drift), SECONDS, (60, 90), LIMITS) is drawn


@pytest.mark.parametrize("top", [120, 255])
def test_noise_that_stops_is_a_freeze_however_strong_it_is(top: int) -> None:
    frames = np.random.default_rng(1).integers(0, top, (75, 180, 320), np.uint8)
    frames[40:] = frames[39]
    report = analyze(frames, frame_rate=25, detectors=["freeze"])
    assert [(f.start_frame, f.end_frame) for f in report.findings] == [(39, 75)]


def test_a_programme_that_stalls_again_and_again_is_not_drawn() -> None:
    peak = np.full(150, 20.0)
    for second in (1, 3, 5):
        peak[25 * second + 1 : 25 * second + 26] = 0.0
    starts_s = np.arange(150) / 25
    assert not is_drawn(peak, np.full(150, 0.01), starts_s, (75, 101), LIMITS)
