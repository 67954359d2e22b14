"""Letterbox: bars found with their ends and shape, silence where nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from growth import is_far_from_quadratic

from defectscope.analysis import analyze
from defectscope.detectors.letterbox.borders import borders, contrasts
from defectscope.detectors.letterbox.shapes import normal_bars, runs, settled
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import write_clip
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage

WIDTH, HEIGHT = 320, 180


def write(path: Path, frames: Iterable[Frame]) -> Path:
    encoding = VideoEncoding(WIDTH, HEIGHT, Fraction(25), crf=16.0, preset="veryfast")
    write_clip(path, frames=frames, video=encoding)
    return path


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("letterbox") / "clean.mp4"
    return write(path, Footage(seed=3, frames=75, cuts_s=(1.4,)))


def boxed(frames: Iterable[Frame], rows: int, until: int = 10_000) -> Iterator[Frame]:
    """Covers rows at top and bottom with black up to frame `until`."""
    for index, frame in enumerate(frames):
        if index >= until:
            yield frame
            continue
        luma = frame.planes[0].pixels.copy()
        luma[:rows] = luma[-rows:] = 16
        yield replace(frame, planes=(Plane(luma, WIDTH, HEIGHT), *frame.planes[1:]))


@pytest.mark.parametrize("kind", ["letter", "pillar", "window"])
def test_bars_are_found_with_their_ends_and_shape(kind: str, clean: Path, tmp_path: Path) -> None:
    target = tmp_path / "bars.mp4"
    plan = job(
        "letterbox",
        stream_of(clean),
        seed=5,
        start_s=0.8,
        duration_s=1.2,
        severity=3.0,
        overrides={"kind": kind},
    )
    (truth,) = impair_file(clean, target, [plan])
    report = analyze(target, detectors=["letterbox"])
    (found,) = report.findings
    assert found.start_s == pytest.approx(truth.start_s, abs=0.041)
    assert found.end_s == pytest.approx(truth.end_s, abs=0.041)
    assert found.evidence["kind"] == kind
    assert found.evidence["active_px"] == pytest.approx(truth.parameters["active_px"], abs=3)
    assert found.evidence["change"] == "appeared"


def test_a_clean_clip_passes(clean: Path) -> None:
    assert analyze(clean, detectors=["letterbox"]).verdicts["letterbox"]["verdict"] == "pass"


@pytest.mark.parametrize("name", ["night_scene", "spotlit_stage", "credits_roll"])
def test_hard_negatives_stay_silent(name: str, tmp_path: Path) -> None:
    path = tmp_path / "twin.mkv"
    hard_negative(name).write(path, seed=2)
    assert not analyze(path, detectors=["letterbox"]).findings


def test_bars_throughout_are_the_programmes_own_unless_they_cover_too_much(tmp_path: Path) -> None:
    path = write(tmp_path / "wide.mp4", boxed(Footage(seed=4, frames=30), rows=24))
    report = analyze(path, detectors=["letterbox"])
    assert not report.findings
    # The inactive share is on the curve for whoever wants to know it.
    assert max(report.curves["letterbox"]["letterbox"].max) == pytest.approx(48 / 180, abs=0.02)
    strict = analyze(
        path, detectors=["letterbox"], parameters={"letterbox": {"max_inactive_share": 0.2}}
    )
    (found,) = strict.findings
    assert found.evidence["change"] == "throughout"


def test_bars_that_vanish_are_a_change(tmp_path: Path) -> None:
    path = write(tmp_path / "part.mp4", boxed(Footage(seed=4, frames=50), rows=24, until=35))
    (found,) = analyze(path, detectors=["letterbox"]).findings
    assert (found.start_s, found.end_s) == pytest.approx((1.4, 2.0), abs=0.041)
    assert found.evidence["change"] == "vanished"


@pytest.mark.parametrize(
    ("share", "severity"), [(0.03, "minor"), (0.08, "major"), (0.2, "critical")]
)
def test_severity_follows_the_share_of_the_frame_that_is_lost(
    share: float, severity: str, clean: Path, tmp_path: Path
) -> None:
    target = tmp_path / "bars.mp4"
    overrides = {"kind": "letter", "share": share, "noise_code": 0.0, "lift_code": 0.0}
    plan = job("letterbox", stream_of(clean), seed=1, start_s=1.0, overrides=overrides)
    impair_file(clean, target, [plan])
    (found,) = analyze(target, detectors=["letterbox"]).findings
    assert found.severity == severity


def test_borders_end_at_the_first_lit_line() -> None:
    mean = np.full((2, 20), 90.0)
    mean[0, :3] = mean[0, -5:] = 17.0
    peak = mean + 2
    peak[0, 1] = 60.0  # a lit spot in an otherwise dark line
    mean[1], peak[1] = 16.0, 16.0
    start, end = borders(mean, peak, 16.0)
    assert start.tolist() == [1, 20]
    assert end.tolist() == [5, 20]


def test_contrast_compares_the_border_with_the_frame_beside_it() -> None:
    mean = np.full((1, 60), 80.0)
    mean[0, :6] = 16.0
    start, end = contrasts(mean, np.array([6]), np.array([0]))
    assert start[0] == pytest.approx(64.0)
    assert end[0] == 0.0


TOLERANCE = (2.0, 2.0, 2.0, 2.0)


def shapes_of(rows: list[list[int]], edge_code: float) -> list[tuple[int, int]]:
    """The settled intervals of rows of bars that all have such an edge, as row ranges."""
    bars = np.array(rows)
    starts = np.arange(len(bars)) / 25
    ends = starts + 0.04
    found = runs(bars, np.full(bars.shape, edge_code), TOLERANCE, 8.0)
    joined = settled(found, ends, starts, TOLERANCE, 0.2)
    assert normal_bars(joined, starts, ends, TOLERANCE) == tuple(rows[0])
    return [(s.first, s.last) for s in joined]


def test_a_dark_moment_does_not_end_a_interval_of_bars() -> None:
    shape, wider = [20, 20, 0, 0], [60, 50, 0, 0]
    rows = [[0, 0, 0, 0]] * 30 + [shape] * 10 + [wider] * 8 + [shape] * 10
    assert shapes_of(rows, 80.0) == [(0, 30), (30, 58)]


def test_wider_bars_with_straight_edges_are_a_change_and_dark_frame_is_not() -> None:
    rows = [[0, 0, 22, 22]] * 30 + [[12, 12, 22, 22]] * 10 + [[0, 0, 22, 22]] * 10
    assert shapes_of(rows, 80.0) == [(0, 30), (30, 40), (40, 50)]
    assert shapes_of(rows, 4.0) == [(0, 50)]


def test_bars_in_a_programme_that_has_bars_throughout(tmp_path: Path) -> None:
    source = write(tmp_path / "wide.mp4", boxed(Footage(seed=4, frames=75), rows=20))
    target = tmp_path / "window.mp4"
    overrides = {"kind": "window", "share": 0.15}
    plan = job("letterbox", stream_of(source), seed=5, start_s=0.8, overrides=overrides)
    (truth,) = impair_file(source, target, [plan])
    (found,) = analyze(target, detectors=["letterbox"]).findings
    assert found.start_s == pytest.approx(truth.start_s, abs=0.041)
    assert found.end_s == pytest.approx(truth.end_s, abs=0.041)
    assert found.evidence["change"] == "changed"


def test_noise_on_the_bars_does_not_take_them_away(tmp_path: Path) -> None:
    source = write(tmp_path / "wide.mp4", boxed(Footage(seed=4, frames=75), rows=20))
    target = tmp_path / "noisy.mp4"
    plan = job("video_noise", stream_of(source), seed=5, start_s=0.8, duration_s=1.2, severity=4.0)
    impair_file(source, target, [plan])
    assert not analyze(target, detectors=["letterbox"]).findings


def test_an_hour_of_changing_shapes_is_not_compared_with_itself() -> None:
    def settled(shapes: int) -> Callable[[], object]:
        rng = np.random.default_rng(3)
        sizes = np.repeat(rng.integers(0, 2, shapes) * rng.integers(10, 200, shapes), 20)
        bars = np.stack([sizes, sizes, 0 * sizes, 0 * sizes], axis=1)
        starts = np.arange(len(bars)) / 25
        found = runs(bars, np.full(bars.shape, 80.0), TOLERANCE, 8.0)

        def settle() -> None:
            assert normal_bars(found, starts, starts + 0.04, TOLERANCE) == (0, 0, 0, 0)

        return settle

    assert is_far_from_quadratic(settled, 4500)


def one_bar(frames: Iterable[Frame], side: str, first: int, last: int, code: float) -> list[Frame]:
    """Covers 20 lines of one side in frames [first, last)."""
    places = {
        "top": np.s_[:20],
        "bottom": np.s_[-20:],
        "left": np.s_[:, :20],
        "right": np.s_[:, -20:],
    }
    out: list[Frame] = []
    for index, frame in enumerate(frames):
        luma = frame.planes[0].pixels.copy()
        if first <= index < last:
            luma[places[side]] = code
        out.append(replace(frame, planes=(Plane(luma, WIDTH, HEIGHT), *frame.planes[1:])))
    return out


@pytest.mark.parametrize("side", ["top", "bottom", "left", "right"])
def test_a_bar_alone_is_found_with_its_ends(side: str, tmp_path: Path) -> None:
    frames = one_bar(Footage(seed=3, frames=75), side, 20, 50, 16)
    path = write(tmp_path / "bar.mp4", frames)
    (found,) = analyze(path, detectors=["letterbox"]).findings
    assert (found.start_s, found.end_s) == pytest.approx((0.8, 2.0), abs=0.041)
    assert found.evidence["kind"] == "single"
    left, top, width, height = found.evidence["active_px"]
    lost = {"top": top, "left": left, "bottom": HEIGHT - height, "right": WIDTH - width}
    assert lost[side] == pytest.approx(20, abs=2)


@pytest.mark.parametrize(
    ("first", "last", "code"),
    [(0, 75, 16), (20, 50, 33), (20, 23, 16)],
    ids=["throughout", "dark grey", "three frames"],
)
def test_what_is_dark_at_one_side_is_no_bar(
    first: int, last: int, code: float, tmp_path: Path
) -> None:
    frames = one_bar(Footage(seed=3, frames=75), "top", first, last, code)
    assert not analyze(write(tmp_path / "bar.mp4", frames), detectors=["letterbox"]).findings


def test_a_black_sky_whose_skyline_moves_is_no_bar(tmp_path: Path) -> None:
    frames: list[Frame] = []
    for index, frame in enumerate(Footage(seed=3, frames=75)):
        luma = frame.planes[0].pixels.copy()
        if 20 <= index < 50:
            luma[: 20 + (index * 3) % 17] = 16
        frames.append(replace(frame, planes=(Plane(luma, WIDTH, HEIGHT), *frame.planes[1:])))
    assert not analyze(write(tmp_path / "sky.mp4", frames), detectors=["letterbox"]).findings


def lit_within(frames: Iterable[Frame], first_px: float, px_per_frame: float) -> list[Frame]:
    """Leaves 160 columns lit in the first 40 frames, the rest black; they move to the right."""
    out: list[Frame] = []
    for index, frame in enumerate(frames):
        luma = frame.planes[0].pixels.copy()
        if index < 40:
            left = round(first_px + px_per_frame * index)
            luma[:, :left] = luma[:, left + 160 :] = 16
        out.append(replace(frame, planes=(Plane(luma, WIDTH, HEIGHT), *frame.planes[1:])))
    return out


@pytest.mark.parametrize(("px_per_frame", "found"), [(0.0, 1), (0.25, 0)])
def test_bars_stand_and_a_bright_thing_on_black_moves(
    px_per_frame: float, found: int, tmp_path: Path
) -> None:
    frames = lit_within(Footage(seed=3, frames=75), 76, px_per_frame)
    path = write(tmp_path / "bars.mp4", frames)
    assert len(analyze(path, detectors=["letterbox"]).findings) == found
