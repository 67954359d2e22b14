"""Freeze: found with its true ends; slides, tripod shots and rhythms stay silent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from defectscope.findings import Interval
from defectscope.simulate.defects.freeze import SIMULATORS
from defectscope.simulate.effects.arrays import frames_from, impair_frames, video_stream
from defectscope.simulate.effects.frames import planes_of
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage

WIDTH, HEIGHT, FRAMES = 320, 180, 110
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)


@pytest.mark.parametrize(
    ("length_s", "severity"), [(0.32, "minor"), (0.8, "major"), (2.4, "critical")]
)
def test_a_freeze_is_found_with_its_ends(judge_frames, length_s, severity):
    clean = list(Footage(seed=3, width=WIDTH, height=HEIGHT, frames=FRAMES))
    assert not judge_frames("freeze", clean, STREAM).findings
    frames, (truth,) = impair_frames(
        SIMULATORS[0], clean, STREAM, span=Interval(1.0, 1.0 + length_s), seed=3, severity=4
    )
    (found,) = judge_frames("freeze", frames, STREAM).findings
    assert found.start_s == pytest.approx(truth.start_s, abs=0.001)
    assert found.end_s == pytest.approx(truth.end_s, abs=0.001)
    assert found.severity == severity


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("still_slide", 25),
        ("tripod_shot", 25),
        ("animation_on_twos", 24),
        ("film_24_in_60", 60),
        ("quick_cuts", 25),
    ],
)
def test_look_alikes_stay_silent(judge_frames, name, rate):
    frames = list(hard_negative(name).frames(5))[:150]
    stream = video_stream(WIDTH, HEIGHT, len(frames), Fraction(rate))
    assert not judge_frames("freeze", frames, stream).findings


def test_a_short_hold_is_not_a_freeze(judge_frames):
    clean = list(Footage(seed=4, width=WIDTH, height=HEIGHT, frames=FRAMES))
    frames, _ = impair_frames(
        SIMULATORS[0], clean, STREAM, span=Interval(1.0, 1.2), seed=3, severity=4
    )
    assert not judge_frames("freeze", frames, STREAM).findings


def filmed(sigmas_code):
    """A still scene with as much fresh noise in each picture; 0 repeats the last picture."""
    rng = np.random.default_rng(7)
    scene = planes_of(next(iter(Footage(seed=5, width=WIDTH, height=HEIGHT, frames=1))))
    frames, luma = [], scene[0]
    for sigma in sigmas_code:
        if sigma:
            noisy = scene[0] + rng.normal(0, sigma, scene[0].shape)
            luma = np.clip(np.rint(noisy), 16, 235).astype(np.uint8)
        frames.append(luma)
    planes = [(luma, *scene[1:]) for luma in frames]
    return frames_from(planes), video_stream(WIDTH, HEIGHT, len(planes))


def test_before_a_fixed_camera_a_freeze_is_stiller_than_the_noise(judge_frames):
    frames, stream = filmed([1.0] * 50 + [0.0] * 25 + [1.0] * 50)
    (found,) = judge_frames("freeze", frames, stream).findings
    assert found.start_s == pytest.approx(49 / 25, abs=0.001)
    assert found.end_s == pytest.approx(75 / 25, abs=0.001)


@pytest.mark.parametrize(
    "sigmas_code",
    [
        [0.05] * 50 + [0.0] * 25 + [0.05] * 50,  # hardly any noise anywhere
        [1.0] * 50 + [0.0] * 75,  # a programme that ends in a still
        [0.0] * 75 + [1.0] * 50,
        [1.0] * 50 + [0.0] * 10 + [1.0] * 50,  # too short to tell
    ],
)
def test_stillness_without_noise_on_both_sides_tells_nothing(judge_frames, sigmas_code):
    frames, stream = filmed(sigmas_code)
    assert not judge_frames("freeze", frames, stream).findings
