"""Freeze: found with its true ends; slides, tripod shots and rhythms stay silent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from defectscope.analysis import analyze
from defectscope.findings import Interval
from defectscope.serving.sample import sample_avi
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
def test_a_freeze_is_found_with_its_ends(analyze_frames, length_s, severity):
    clean = list(Footage(seed=3, width=WIDTH, height=HEIGHT, frames=FRAMES))
    assert not analyze_frames("freeze", clean, STREAM).findings
    frames, (truth,) = impair_frames(
        SIMULATORS[0], clean, STREAM, span=Interval(1.0, 1.0 + length_s), seed=3, severity=4
    )
    (found,) = analyze_frames("freeze", frames, STREAM).findings
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
def test_hard_negatives_stay_silent(analyze_frames, name, rate):
    frames = list(hard_negative(name).frames(5))[:150]
    stream = video_stream(WIDTH, HEIGHT, len(frames), Fraction(rate))
    assert not analyze_frames("freeze", frames, stream).findings


def test_a_short_hold_is_not_a_freeze(analyze_frames):
    clean = list(Footage(seed=4, width=WIDTH, height=HEIGHT, frames=FRAMES))
    frames, _ = impair_frames(
        SIMULATORS[0], clean, STREAM, span=Interval(1.0, 1.2), seed=3, severity=4
    )
    assert not analyze_frames("freeze", frames, STREAM).findings


@pytest.mark.parametrize(("steps", "found"), [(0, 0), (1, 0), (3, 1)])
def test_one_step_after_a_cut_tells_no_motion(steps: int, found: int, analyze_frames) -> None:
    before = list(Footage(seed=4, width=WIDTH, height=HEIGHT, frames=40))
    drawing = list(Footage(seed=9, width=WIDTH, height=HEIGHT, frames=50))
    frames = [*before, *drawing[: steps + 1], *[drawing[steps]] * 10, *drawing[steps + 1 :]]
    stream = video_stream(WIDTH, HEIGHT, len(frames))
    shown = frames_from([planes_of(frame) for frame in frames])
    assert len(analyze_frames("freeze", shown, stream).findings) == found


def filmed(sigmas_code):
    """A still scene with as much fresh noise in each frame; 0 repeats the last frame."""
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


def test_before_a_fixed_camera_a_freeze_is_stiller_than_the_noise(analyze_frames):
    frames, stream = filmed([1.0] * 50 + [0.0] * 25 + [1.0] * 50)
    (found,) = analyze_frames("freeze", frames, stream).findings
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
def test_stillness_without_noise_on_both_sides_tells_nothing(analyze_frames, sigmas_code):
    frames, stream = filmed(sigmas_code)
    assert not analyze_frames("freeze", frames, stream).findings


def lumas_of(frames):
    """Luma of every frame as integers that may be changed, and the chroma of the first."""
    planes = [planes_of(frame) for frame in frames]
    return [p[0].astype(np.int16) for p in planes], planes[0][1:]


def decided(analyze_frames, lumas, chroma):
    """What the detector says of these lumas."""
    bounded = [np.clip(np.rint(y), 16, 235).astype(np.uint8) for y in lumas]
    stream = video_stream(WIDTH, HEIGHT, len(bounded))
    return analyze_frames("freeze", frames_from([(y, *chroma) for y in bounded]), stream).findings


def paused(first, count, seed=6):
    """Footage that stands from frame `first` on for `count` frames and then goes on."""
    lumas, chroma = lumas_of(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=FRAMES))
    return [*lumas[:first], *[lumas[first - 1]] * count, *lumas[first:]], chroma


def test_a_stall_under_a_spinner_is_a_freeze_and_the_spinner_is_named(analyze_frames):
    lumas, chroma = paused(40, 50)
    for k in range(40, 90):
        lumas[k] = lumas[k].copy()
        x, y = 160 + round(12 * np.cos(k)), 90 + round(12 * np.sin(k))
        lumas[k][y - 4 : y + 4, x - 4 : x + 4] = 220
    (found,) = decided(analyze_frames, lumas, chroma)
    assert found.start_s == pytest.approx(39 / 25, abs=0.081)
    assert found.end_s == pytest.approx(90 / 25, abs=0.081)
    assert 0.85 < found.evidence["standing_share"] < 1.0
    x, y, width, height = found.evidence["going_on_box_px"]
    assert x <= 148
    assert x + width >= 172
    assert y <= 78
    assert y + height >= 102


def test_a_pause_with_noise_going_on_is_a_freeze(analyze_frames):
    lumas, chroma = paused(40, 38)
    rng = np.random.default_rng(2)
    noisy = [y + rng.normal(0, 2.5, y.shape) for y in lumas]
    (found,) = decided(analyze_frames, noisy, chroma)
    assert found.start_s == pytest.approx(39 / 25, abs=0.041)
    assert found.end_s == pytest.approx(78 / 25, abs=0.041)
    assert found.evidence["noise_goes_on"]


def test_a_camera_that_comes_to_rest_and_moves_on_is_none(analyze_frames):
    lumas, chroma = lumas_of(Footage(seed=6, width=WIDTH, height=HEIGHT, frames=1))
    # A pan that slows down over a second, rests for two, and speeds up over a second.
    speed = np.concatenate([np.full(30, 3.0), np.linspace(3, 0, 25), np.zeros(50)])
    at = np.cumsum(np.concatenate([speed, np.linspace(0, 3, 25), np.full(20, 3.0)]))
    rng = np.random.default_rng(3)
    panned = [
        (1 - x % 1) * np.roll(lumas[0], -int(x), axis=1)
        + x % 1 * np.roll(lumas[0], -int(x) - 1, axis=1)
        + rng.normal(0, 1.5, (HEIGHT, WIDTH))
        for x in at
    ]
    assert not decided(analyze_frames, panned, chroma)


def test_small_motion_before_a_tripod_is_none(analyze_frames):
    lumas, chroma = lumas_of(Footage(seed=6, width=WIDTH, height=HEIGHT, frames=1))
    rng = np.random.default_rng(4)
    filmed = [lumas[0] + rng.normal(0, 1.5, (HEIGHT, WIDTH)) for _ in range(FRAMES)]
    for k in [*range(40), *range(80, FRAMES)]:  # somebody waves, rests, waves again
        filmed[k][60:90, 100 + 2 * (k % 20) : 130 + 2 * (k % 20)] += 60
    assert not decided(analyze_frames, filmed, chroma)


def test_what_moves_between_two_stills_has_a_pace() -> None:
    """The built-in sample stands still but for moments: a median of nothing is no divisor."""
    assert set(analyze(sample_avi(), detectors=("freeze",)).verdicts) == {"freeze"}
