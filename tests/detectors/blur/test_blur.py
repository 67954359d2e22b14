"""Blur: what softens within a shot is found with its ends, shallow focus and drawings are not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.analysis import analyze
from defectscope.detectors.blur import detector as blur
from defectscope.detectors.blur.detector import softness
from defectscope.findings import Interval
from defectscope.media.encoding import VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.arrays import frames_from, impair_frames, video_stream
from defectscope.simulate.registry import simulators
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage

CLEAN = list(Footage(seed=3, frames=75))
STREAM = video_stream(320, 180, len(CLEAN))


def soft(span: Interval | None, kind: str, radius_px: float) -> list[object]:
    frames, _ = impair_frames(
        simulators()["blur"],
        CLEAN,
        STREAM,
        span=span,
        seed=4,
        overrides={"kind": kind, "radius_px": radius_px},
    )
    return frames


@pytest.mark.parametrize(
    ("kind", "radius"), [("gaussian", 1.4), ("defocus", 2.5), ("upscaled", 2.2)]
)
def test_blur_is_found_with_its_ends(kind: str, radius: float, analyze_frames) -> None:
    frames = soft(Interval(1.0, 2.0), kind, radius)
    (found,) = analyze_frames("blur", frames, STREAM).findings
    assert (found.start_s, found.end_s) == pytest.approx((1.0, 2.0), abs=0.081)
    evidence = found.evidence
    assert evidence["softness_octaves"] > evidence["programme_softness_octaves"] + 0.5


def test_a_clean_clip_passes(analyze_frames) -> None:
    assert analyze_frames("blur", CLEAN, STREAM).verdict == "pass"


def test_the_programme_is_not_soft_because_its_neighbour_is_noisy(analyze_frames) -> None:
    overrides = {"kind": "gaussian", "sigma_code": 8.0, "dots": 0.0}
    frames, _ = impair_frames(
        simulators()["video_noise"],
        CLEAN,
        STREAM,
        span=Interval(1.0, 2.0),
        seed=4,
        overrides=overrides,
    )
    assert analyze_frames("video_noise", frames, STREAM).findings
    assert analyze_frames("blur", frames, STREAM).verdict == "pass"


def test_a_programme_far_too_soft_for_its_raster_is_found_as_a_whole(analyze_frames) -> None:
    (found,) = analyze_frames("blur", soft(None, "gaussian", 5.0), STREAM).findings
    assert (found.start_s, found.end_s) == pytest.approx((0.0, 3.0))


def test_a_picture_that_fades_to_black_was_not_soft(analyze_frames) -> None:
    # A fade of ten frames, then black, in which nothing has less detail.
    share = np.ones(len(CLEAN))
    share[30:40], share[40:53] = np.linspace(0.9, 0.1, 10), 0.0
    planes = [
        [
            np.rint(zero + (plane.pixels - float(zero)) * part).astype(np.uint8)
            for plane, zero in zip(frame.planes, (16, 128, 128), strict=True)
        ]
        for frame, part in zip(CLEAN, share, strict=True)
    ]
    assert not analyze_frames("blur", frames_from(planes), STREAM).findings


@pytest.mark.parametrize("name", ["shallow_focus", "animation_on_twos", "night_scene"])
def test_hard_negatives_stay_silent(name: str, tmp_path: Path) -> None:
    path = tmp_path / "twin.mkv"
    hard_negative(name).write(path, seed=2)
    assert not analyze(path, detectors=["blur"]).findings


def test_severity_follows_softness(analyze_frames) -> None:
    (mild,) = analyze_frames("blur", soft(Interval(1.0, 2.0), "gaussian", 0.8), STREAM).findings
    (strong,) = analyze_frames("blur", soft(Interval(1.0, 2.0), "gaussian", 4.0), STREAM).findings
    assert (mild.severity, strong.severity) == ("minor", "critical")


def test_softness_is_that_of_the_sharpest_textured_tiles() -> None:
    far = np.full((1, 8, 12), 1000.0)
    near = far / 16
    near[0, :2] = 1000.0  # pixel-sharp
    textured = np.ones((1, 8, 12), bool)
    assert softness(near, far, textured, 0.9)[0] == 0.0
    textured[0, :2] = False
    assert softness(near, far, textured, 0.9)[0] == 8.0
    textured[:] = False
    assert softness(near, far, textured, 0.9)[0] == 0.0


@pytest.mark.parametrize(
    ("grades", "spans"),
    [
        ([2.0, 2.2, 2.1, 2.0], [(0.0, 4.0)]),
        # Sharp for a second: then the passage has to be plain by itself.
        ([2.0, 2.2, 0.9, 2.0], []),
        ([0.9, 2.9, 3.0, 0.9], [(1.0, 3.0)]),
    ],
    ids=["soft from end to end", "but for a second", "a plain passage"],
)
def test_softness_from_end_to_end_needs_less_than_a_passage(
    grades: list[float],
    spans: list[tuple[float, float]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "clip.mp4"
    encoding = VideoEncoding(320, 180, Fraction(25), crf=16.0, preset="veryfast")
    write_clip(path, frames=Footage(seed=3, frames=100), video=encoding)
    # A look a second, each with a grade of its own.
    given = np.array(grades)
    monkeypatch.setattr(blur, "single_grades", lambda *_: given)
    found = analyze(path, detectors=["blur"]).findings
    ends = [end for f in found for end in (f.start_s, f.end_s)]
    assert ends == pytest.approx([end for span in spans for end in span], abs=0.041)
