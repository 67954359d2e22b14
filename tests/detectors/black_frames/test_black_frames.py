"""Black frames: found to the frame, in any range; nights and fades stay silent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from defectscope.findings import Interval
from defectscope.simulate.defects.black_frames import SIMULATORS
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.lettering import write_text
from defectscope.simulate.synthetic.material import Footage, frame_of

WIDTH, HEIGHT, FRAMES = 320, 180, 100
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)


def footage():
    return list(Footage(seed=6, width=WIDTH, height=HEIGHT, frames=FRAMES))


@pytest.mark.parametrize(
    ("length_s", "severity"), [(0.04, "minor"), (0.4, "major"), (2.2, "critical")]
)
def test_black_is_found_to_the_frame(analyze_frames, length_s, severity):
    assert not analyze_frames("black_frames", footage(), STREAM).findings
    frames, (truth,) = impair_frames(
        SIMULATORS[0], footage(), STREAM, span=Interval(1.0, 1.0 + length_s), seed=2, severity=5
    )
    (found,) = analyze_frames("black_frames", frames, STREAM).findings
    assert found.start_s == pytest.approx(truth.start_s, abs=0.001)
    assert found.end_s == pytest.approx(truth.end_s, abs=0.001)
    assert found.severity == severity


@pytest.mark.parametrize("severity", [3, 4])
def test_black_with_residue_is_found(analyze_frames, severity):
    frames, (truth,) = impair_frames(
        SIMULATORS[0], footage(), STREAM, span=Interval(1.0, 1.6), seed=2, severity=severity
    )
    (found,) = analyze_frames("black_frames", frames, STREAM).findings
    assert found.interval.iou(truth.interval) > 0.9


def test_full_range_black_is_found(analyze_frames):
    assert STREAM.video is not None
    stream = replace(STREAM, video=replace(STREAM.video, full_range=True))
    planes = [np.zeros((HEIGHT, WIDTH)), *2 * [np.full((HEIGHT // 2, WIDTH // 2), 128.0)]]
    frames = [frame_of(planes, f.pts) if 25 <= f.pts < 40 else f for f in footage()]
    (found,) = analyze_frames("black_frames", frames, stream).findings
    assert (found.start_s, found.end_s) == pytest.approx((1.0, 1.6))


def black(height=HEIGHT, width=WIDTH):
    return [np.full((height, width), 16.0), *2 * [np.full((height // 2, width // 2), 128.0)]]


def with_black(analyze_frames, changed):
    """Decides over footage that is black from 1.0 to 1.6 s, but for what is changed in it."""
    frames = []
    for frame in footage():
        if 25 <= frame.pts < 40:
            planes = black()
            changed(planes[0], frame.pts)
            frame = frame_of(planes, frame.pts)
        frames.append(frame)
    return analyze_frames("black_frames", frames, STREAM).findings


def small_logo(luma, _index):
    luma[160:172, 290:302] = 90.0


def one_letter(luma, _index):
    write_text(luma, "E", top=80, left=150, scale=1, code=60.0)


def credits_that_roll(luma, index):
    write_text(luma, "THE END", top=190 - 3 * (index - 25), left=140, scale=1, code=180.0)
    write_text(luma, "GRIP", top=100, left=140, scale=1, code=180.0)


@pytest.mark.parametrize("lit", [small_logo, one_letter, credits_that_roll])
def test_what_is_lit_on_black_is_not_black(analyze_frames, lit):
    assert with_black(analyze_frames, lit) == ()


def noise_of_an_old_tape(luma, index):
    luma += np.random.default_rng(index).normal(0.0, 1.6, luma.shape)


def hot_pixels(luma, index):
    places = np.random.default_rng(7).integers(0, (HEIGHT, WIDTH), (5, 2))
    luma[places[:, 0], places[:, 1]] = 235.0


def captions_of_line_21(luma, _index):
    luma[0, ::3] = 150.0


@pytest.mark.parametrize("dirt", [noise_of_an_old_tape, hot_pixels, captions_of_line_21])
def test_black_that_is_not_clean_is_found(analyze_frames, dirt):
    (found,) = with_black(analyze_frames, dirt)
    assert (found.start_s, found.end_s) == pytest.approx((1.0, 1.6))


@pytest.mark.parametrize(
    "name",
    ["night_scene", "fade_to_near_black", "credits_roll", "title_on_black", "spinner_on_black"],
)
def test_hard_negatives_stay_silent(analyze_frames, name):
    frames = list(hard_negative(name).frames(5))[:150]
    height, width = frames[0].planes[0].pixels.shape
    stream = video_stream(width, height, len(frames))
    assert not analyze_frames("black_frames", frames, stream).findings
