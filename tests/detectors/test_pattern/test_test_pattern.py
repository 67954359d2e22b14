"""Test patterns: each kind found with its ends, silence on what merely is plain or still."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.analysis import analyze
from defectscope.detectors.test_pattern.looks import (
    HUES_DEG,
    ground,
    hue_shares,
    level_range,
    ruled_ends,
    text_lines,
)
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame
from defectscope.media.writer import write_clip
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.lettering import write_text
from defectscope.simulate.synthetic.material import Footage, frame_of

WIDTH, HEIGHT = 320, 180


def write(path: Path, frames: Iterable[Frame]) -> Path:
    encoding = VideoEncoding(WIDTH, HEIGHT, Fraction(25), crf=16.0, preset="veryfast")
    write_clip(path, frames=frames, video=encoding)
    return path


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("test_pattern") / "clean.mp4"
    return write(path, Footage(seed=6, frames=60))


def impaired(
    clean: Path,
    target: Path,
    *,
    severity: float = 3.0,
    duration_s: float = 1.2,
    **overrides: object,
):
    plan = job(
        "test_pattern",
        stream_of(clean),
        seed=8,
        start_s=0.8,
        duration_s=duration_s,
        severity=severity,
        overrides=overrides,
    )
    (truth,) = impair_file(clean, target, [plan])
    return truth


@pytest.mark.parametrize("kind", ["smpte_bars", "ebu_bars", "solid", "slate"])
def test_patterns_are_found_with_their_ends_and_kind(
    kind: str, clean: Path, tmp_path: Path
) -> None:
    truth = impaired(clean, tmp_path / "pattern.mp4", kind=kind)
    (found,) = analyze(tmp_path / "pattern.mp4", detectors=["test_pattern"]).findings
    assert found.start_s == pytest.approx(truth.start_s, abs=0.041)
    assert found.end_s == pytest.approx(truth.end_s, abs=0.041)
    assert found.evidence["kind"] == ("bars" if kind.endswith("bars") else kind)


def test_severity_follows_how_long_it_stands(clean: Path, tmp_path: Path) -> None:
    for duration_s, severity in ((0.5, "major"), (1.2, "critical")):
        impaired(clean, tmp_path / "pattern.mp4", kind="ebu_bars", duration_s=duration_s)
        (found,) = analyze(tmp_path / "pattern.mp4", detectors=["test_pattern"]).findings
        assert found.severity == severity


def test_a_clean_clip_passes(clean: Path) -> None:
    report = analyze(clean, detectors=["test_pattern"])
    assert report.verdicts["test_pattern"]["verdict"] == "pass"


@pytest.mark.parametrize("name", ["clear_sky", "camera_flashes", "still_slide", "credits_roll"])
def test_hard_negatives_stay_silent(name: str, tmp_path: Path) -> None:
    path = tmp_path / "twin.mkv"
    hard_negative(name).write(path, seed=2)
    assert not analyze(path, detectors=["test_pattern"]).findings


def plain(luma: float, u: float, v: float) -> list[np.ndarray]:
    half = (HEIGHT // 2, WIDTH // 2)
    return [np.full((HEIGHT, WIDTH), luma), np.full(half, u), np.full(half, v)]


def inserted(codes: list[np.ndarray], first: int, last: int, frames: int) -> Iterator[Frame]:
    for frame in Footage(seed=6, frames=frames):
        yield frame_of(codes, frame.pts) if first <= frame.pts < last else frame


def test_black_dips_to_white_and_title_cards_are_no_patterns(tmp_path: Path) -> None:
    card = plain(16.0, 128.0, 128.0)
    write_text(card[0], "A FILM BY", top=70, left=100, scale=2, code=220.0)
    for number, codes in enumerate((plain(16, 128, 128), plain(235, 128, 128), card)):
        path = write(tmp_path / f"{number}.mp4", inserted(codes, 15, 40, 50))
        assert not analyze(path, detectors=["test_pattern"]).findings, number


def test_white_that_stays_is_a_pattern(tmp_path: Path) -> None:
    path = write(tmp_path / "white.mp4", inserted(plain(235, 128, 128), 10, 55, 60))
    (found,) = analyze(path, detectors=["test_pattern"]).findings
    assert (found.start_s, found.end_s) == pytest.approx((0.4, 2.2), abs=0.041)
    assert found.evidence["mean_luma_code"] == pytest.approx(235, abs=1)


def paper(*, framed: bool) -> list[np.ndarray]:
    """A light page with dark text, within a dark frame or without one."""
    page = plain(199.0, 128.0, 128.0)
    for row in range(4):
        write_text(page[0], "DATE 2026", top=40 + 28 * row, left=60, scale=2, code=20.0)
    if framed:
        page[0][4:6, 4:-4] = page[0][-6:-4, 4:-4] = 20.0
        page[0][4:-4, 4:6] = page[0][4:-4, -6:-4] = 20.0
    return page


def test_dark_ink_on_a_light_ground_is_a_slate_within_a_frame_only(tmp_path: Path) -> None:
    framed, slide = (
        write(tmp_path / f"{name}.mp4", inserted(paper(framed=bool(name)), 10, 40, 60))
        for name in (1, 0)
    )
    (found,) = analyze(framed, detectors=["test_pattern"]).findings
    assert (found.start_s, found.end_s) == pytest.approx((0.4, 1.6), abs=0.041)
    assert found.evidence["kind"] == "slate"
    assert not analyze(slide, detectors=["test_pattern"]).findings


def test_hues_of_bars_are_told_apart() -> None:
    histogram = np.zeros((2, 32, 32), np.uint32)
    for hue in HUES_DEG:
        u, v = (128 + 80 * f(np.radians(hue)) for f in (np.cos, np.sin))
        histogram[0, int(u) // 8, int(v) // 8] += 10
    histogram[0, 16, 16] = 20
    histogram[1, 16, 16] = 80
    assert hue_shares(histogram)[0] == pytest.approx(np.full(6, 10 / 80))
    assert hue_shares(histogram)[1].sum() == 0


def test_ground_and_range_ignore_stray_samples() -> None:
    histogram = np.zeros((1, 256), np.uint32)
    histogram[0, 60], histogram[0, 64], histogram[0, 250] = 900, 95, 5
    code, share = ground(histogram)
    assert 59 <= code[0] <= 69
    assert share[0] == pytest.approx(0.995)
    assert level_range(histogram)[0] == 4


def test_rules_and_lines_of_text_are_counted() -> None:
    rows = np.full((1, 120), 30.0)
    rows[0, [10, 109]] = 190.0
    assert ruled_ends(rows, np.array([30]), np.array([225]))[0] == 2
    rows[0, 30:34] = rows[0, 50:54] = rows[0, 70:74] = 60.0
    assert text_lines(rows, np.array([195.0]))[0] == 5
    # A thing before the ground, higher than any line, and what stands out next to it.
    rows[0, 76:110] = 90.0
    assert text_lines(rows, np.array([195.0]))[0] == 0
