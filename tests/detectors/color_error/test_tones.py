"""Tones of a whole frame: a range taken for another is told in any motion, other light is not."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.analysis import analyze
from defectscope.detectors.color_error.steps import PIVOT_CODE
from defectscope.detectors.color_error.tones import tone_steps, tones_of
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage, Look, frame_of

WIDTH, HEIGHT, FIRST, LAST, FRAMES = 320, 180, 20, 50, 75
# A camera that pans past things that move as well.
PANNED = Look(
    pan_px_per_s=(90.0, 10.0), object_px_per_s=120.0, contrast_code=55.0, saturation_code=22.0
)
Change = Callable[..., tuple[NDArray[np.float32], ...]]


def scaled(luma: float, black: float, colors: float) -> Change:
    def change(y, u, v):
        return black + luma * y, 128 + (u - 128) * colors, 128 + (v - 128) * colors

    return change


LIMITED_AGAIN = scaled(219 / 255, 16.0, 224 / 255)
FULL = scaled(255 / 219, -16 * 255 / 219, 255 / 224)


def changed(change: Change, cuts_s: tuple[float, ...] = ()) -> list[Frame]:
    out = []
    footage = Footage(seed=5, width=WIDTH, height=HEIGHT, frames=FRAMES, look=PANNED, cuts_s=cuts_s)
    for number, frame in enumerate(footage):
        planes = [p.pixels.astype(np.float32) for p in frame.planes]
        if FIRST <= number < LAST:
            planes = [np.clip(p, 0, 255).astype(np.float32) for p in change(*planes)]
        out.append(frame_of(planes, frame.pts))
    return out


def found_in(frames: list[Frame], path: Path) -> list[tuple[float, float, str]]:
    encoding = VideoEncoding(WIDTH, HEIGHT, Fraction(25), crf=20.0, preset="veryfast")
    write_clip(path, frames=frames, video=encoding)
    findings = analyze(path, detectors=["color_error"]).findings
    return [(f.start_s, f.end_s, f.evidence["kind"]) for f in findings]


@pytest.mark.parametrize("change", [LIMITED_AGAIN, FULL], ids=["limited again", "full"])
def test_a_range_taken_for_another_is_found_in_a_pan(change: Change, tmp_path: Path) -> None:
    (found,) = found_in(changed(change), tmp_path / "range.mp4")
    assert found[:2] == pytest.approx((FIRST / 25, LAST / 25), abs=0.041)


@pytest.mark.parametrize(
    ("change", "cuts_s"),
    [
        (lambda y, u, v: (np.where(np.arange(WIDTH) < WIDTH // 2, y * 1.3, y), u, v), ()),
        (scaled(1.0, 0.0, 1.0), (FIRST / 25, LAST / 25)),
    ],
    ids=["a lamp", "two cuts"],
)
def test_other_light_and_other_scenes_are_no_range(
    change: Change, cuts_s: tuple[float, ...], tmp_path: Path
) -> None:
    kinds = {kind for *_, kind in found_in(changed(change, cuts_s), tmp_path / "light.mp4")}
    assert not kinds & {"level_gain", "illegal_range"}


def test_tones_are_codes_between_which_shares_of_samples_lie() -> None:
    histogram = np.zeros((1, 256), np.uint32)
    histogram[0, 40:140] = 7
    (tones,) = tones_of(histogram)
    assert tones == pytest.approx(39.5 + 100 * np.arange(0.06, 0.95, 0.04), abs=1e-6)


def test_a_factor_and_an_offset_explain_all_tones_and_clipped_ones_tell_nothing() -> None:
    before = np.linspace(20, 230, 23)
    after = np.minimum(1.2 * (before - 16) + 4, 255.0)
    measured = {name: values[0] for name, values in tone_steps(np.stack([before, after])).items()}
    assert measured["tone_gain"] == pytest.approx(1.2)
    assert measured["tone_lift"] == pytest.approx(1.2 * (PIVOT_CODE - 16) + 4 - PIVOT_CODE)
    assert measured["tone_left"] == pytest.approx(0.0, abs=1e-9)
    flat = tone_steps(np.stack([np.full(23, 16.0), np.full(23, 60.0)]))
    assert flat["tone_gain"] == [1.0]


def test_no_frames_have_no_tones() -> None:
    assert tones_of(np.zeros((0, 256), np.uint32)).shape == (0, 23)
