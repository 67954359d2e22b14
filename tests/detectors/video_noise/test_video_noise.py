"""Video noise: noise that comes within a shot is found with its ends, grain and texture are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from defectscope.analysis import analyze
from defectscope.detectors.video_noise.flat import lowest
from defectscope.findings import Finding, Interval
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.registry import simulators
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage, Look

CLEAN = list(Footage(seed=3, frames=75, look=Look(noise_code=0.8, sky=0.4)))
STREAM = video_stream(320, 180, len(CLEAN))


def noisy(span: Interval | None, **overrides: object) -> list[object]:
    simulator = simulators()["video_noise"]
    frames, _ = impair_frames(simulator, CLEAN, STREAM, span=span, seed=4, overrides=overrides)
    return frames


@pytest.mark.parametrize(
    "look",
    [{"kind": "gaussian"}, {"kind": "film"}, {"kind": "salt", "dots": 0.005}],
    ids=lambda look: look["kind"],
)
def test_noise_is_found_with_its_ends(look: dict[str, object], analyze_frames) -> None:
    frames = noisy(Interval(1.0, 2.0), sigma_code=8.0, **{"dots": 0.0, **look})
    (found,) = analyze_frames("video_noise", frames, STREAM).findings
    assert (found.start_s, found.end_s) == pytest.approx((1.0, 2.0), abs=0.081)
    assert found.evidence["power_code"] > 2 * found.evidence["programme_sigma_code"]


def test_a_clean_clip_passes(analyze_frames) -> None:
    assert analyze_frames("video_noise", CLEAN, STREAM).verdict == "pass"


def test_the_programme_is_not_noisy_because_blur_took_its_grain(analyze_frames) -> None:
    grainy = list(Footage(seed=3, frames=150, look=Look(noise_code=2.5, sky=0.4)))
    stream = video_stream(320, 180, len(grainy))
    overrides = {"kind": "gaussian", "radius_px": 4.0}
    frames, _ = impair_frames(
        simulators()["blur"],
        grainy,
        stream,
        span=Interval(2.0, 4.0),
        seed=4,
        overrides=overrides,
    )
    assert analyze_frames("blur", frames, stream).findings
    assert analyze_frames("video_noise", frames, stream).verdict == "pass"


def coded(frames: list[object], span: Interval | None) -> list[object]:
    """Returns frames that MPEG-2 broke into blocks, every frame by itself."""
    overrides = {"codec": "mpeg2video", "quantizer": 31, "gop_frames": 1, "scale": 1.0}
    stream = video_stream(320, 180, len(frames))
    simulator = simulators()["compression_blockiness"]
    return impair_frames(simulator, frames, stream, span=span, seed=4, overrides=overrides)[0]


@pytest.mark.parametrize("span", [None, Interval(1.0, 3.0), Interval(1.4, 2.6)], ids=str)
def test_blocks_of_a_coarse_coder_over_texture_that_moves_are_no_noise(
    span: Interval | None, tmp_path: Path
) -> None:
    clip = tmp_path / "blocks.mkv"
    frames = coded(list(Footage(seed=3, frames=100)), span)
    write_clip(clip, frames=frames, video=VideoEncoding(320, 180, Fraction(25), crf=6))
    found = analyze(clip, detectors=["compression_blockiness", "video_noise"]).findings
    assert {finding.defect for finding in found} == {"compression_blockiness"}


@pytest.mark.parametrize("span", [None, Interval(1.0, 2.0)], ids=str)
def test_noise_over_blocks_is_found(span: Interval | None, tmp_path: Path) -> None:
    blocky = coded(CLEAN, None)
    frames, _ = impair_frames(
        simulators()["video_noise"],
        blocky,
        STREAM,
        span=span,
        seed=4,
        overrides={"kind": "gaussian", "sigma_code": 6.0, "dots": 0.0},
    )
    clip = tmp_path / "noise.mkv"
    write_clip(clip, frames=frames, video=VideoEncoding(320, 180, Fraction(25), crf=6))
    (found,) = analyze(clip, detectors=["video_noise"]).findings
    assert found.start_s == pytest.approx(span.start_s if span else 0.0, abs=0.081)


def test_strong_noise_throughout_is_found_without_anything_to_compare_with(analyze_frames) -> None:
    frames = noisy(None, kind="gaussian", sigma_code=9.0, dots=0.0)
    (found,) = analyze_frames("video_noise", frames, STREAM).findings
    assert (found.start_s, found.end_s) == pytest.approx((0.0, 3.0))
    assert found.evidence["sigma_code"] == pytest.approx(9.0, rel=0.2)


def still_life(grain_px: float, sigma_code: float, dots: float, *, fresh: bool) -> list[Frame]:
    """Returns a textured scene with grain and dots, new in every frame or always the same."""
    rng = np.random.default_rng(9)
    y, x = np.mgrid[0:180, 0:320]
    scene = 120 + 30 * np.sin(x / 40) + 20 * np.cos(y / 23)
    out: list[Frame] = []
    luma = scene
    for index in range(75):
        if fresh or not index:
            raw = ndimage.gaussian_filter(rng.normal(0, 1, scene.shape), grain_px)
            luma = scene + sigma_code * raw / raw.std()
            dice = rng.random(scene.shape)
            luma = np.where(dice < dots / 2, 16, np.where(dice > 1 - dots / 2, 235, luma))
        planes = [np.clip(np.rint(luma), 0, 255).astype(np.uint8)]
        planes += [np.full((90, 160), 128, np.uint8)] * 2
        out.append(replace(CLEAN[index], planes=tuple(Plane(p, *p.shape[::-1]) for p in planes)))
    return out


@pytest.mark.parametrize(
    ("grain_px", "sigma_code", "dots"), [(0.8, 7.0, 0.0), (1.2, 9.0, 0.0), (0.4, 0.3, 0.008)]
)
def test_grain_and_dots_throughout_are_found_where_they_are_new_in_every_frame(
    grain_px: float, sigma_code: float, dots: float, tmp_path: Path
) -> None:
    clip = tmp_path / "clip.mkv"

    def findings(*, fresh: bool) -> Sequence[Finding]:
        frames = still_life(grain_px, sigma_code, dots, fresh=fresh)
        write_clip(clip, frames=frames, video=VideoEncoding(320, 180, Fraction(25), crf=8))
        return analyze(clip, detectors=["video_noise"]).findings

    (found,) = findings(fresh=True)
    assert (found.start_s, found.end_s) == pytest.approx((0.0, 3.0))
    assert found.evidence["change_code"] > 1.0
    assert not findings(fresh=False)


@pytest.mark.parametrize("name", ["film_grain", "tripod_shot"])
def test_hard_negatives_stay_silent(name: str, tmp_path: Path) -> None:
    path = tmp_path / "twin.mkv"
    hard_negative(name).write(path, seed=2)
    assert not analyze(path, detectors=["video_noise"]).findings


@pytest.mark.parametrize(
    ("sigma", "severity"), [(3.0, "minor"), (8.0, "major"), (20.0, "critical")]
)
def test_severity_follows_the_power_of_the_noise(
    sigma: float, severity: str, analyze_frames
) -> None:
    frames = noisy(Interval(1.0, 2.0), kind="gaussian", sigma_code=sigma, dots=0.0)
    (found,) = analyze_frames("video_noise", frames, STREAM).findings
    assert found.severity == severity


def test_the_calm_tiles_speak_and_clipped_ones_do_not() -> None:
    tiles = np.full((2, 8, 12), 5.0)
    tiles[0, 0, :] = 1.0
    usable = np.ones((2, 8, 12), bool)
    usable[1] = False
    assert lowest(tiles, usable, 0.1).tolist() == [1.0, 0.0]
    usable[0, 0, :] = False
    assert lowest(tiles, usable, 0.1)[0] == 5.0


def test_noise_is_graded_on_the_scale(tmp_path: Path) -> None:
    grades: list[float] = []
    for sigma_code in (6.5, 14.0):
        clip = tmp_path / f"{sigma_code}.mkv"
        # Footage's own noise comes from a bank that rolls: it is found again in the frame before.
        frames = noisy(None, kind="gaussian", sigma_code=sigma_code, dots=0.0)
        write_clip(clip, frames=frames, video=VideoEncoding(320, 180, Fraction(25), crf=10))
        report = analyze(clip, detectors=["video_noise"])
        (found,) = report.findings
        grades.append(found.evidence["grade"])
    assert 2.0 < grades[0] < 3.8 < grades[1] <= 5.0


def faded(frames: list[Frame], first: int, last: int) -> list[Frame]:
    """Fades to black over frames [first, last)."""
    out: list[Frame] = []
    for index, frame in enumerate(frames):
        gain = float(np.clip((last - index) / (last - first), 0, 1))
        luma = frame.planes[0].pixels
        dim = np.rint(16 + (luma - 16.0) * gain).astype(np.uint8)
        height, width = luma.shape
        out.append(replace(frame, planes=(Plane(dim, width, height), *frame.planes[1:])))
    return out


def test_texture_that_goes_as_the_picture_fades_is_no_noise(analyze_frames) -> None:
    frames = list(Footage(seed=5, frames=60))
    stream = video_stream(320, 180, len(frames))
    report = analyze_frames("video_noise", faded(frames, 20, 32), stream)
    assert not report.findings
