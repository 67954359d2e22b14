"""Banding: steps that come into a gradient are found with their ends, smooth skies are not."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.analysis import MeasuredAsset, analyze, measure_asset
from defectscope.detectors import load
from defectscope.detectors.banding import detector as module
from defectscope.detectors.banding.detector import band_edges
from defectscope.findings import Interval
from defectscope.measurements import Measurements
from defectscope.media import open_media
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import write_clip
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.registry import simulators
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage, Look
from defectscope.temporal.level_steps import rises, stands_out
from defectscope.temporal.tables import times_s

CLEAN = list(Footage(seed=3, frames=75, look=Look(sky=0.6, noise_code=0.8)))
STREAM = video_stream(320, 180, len(CLEAN))


def gradient(frame: Frame, step: int) -> Frame:
    """Puts a slope into the upper half, in steps of so many codes."""
    luma = frame.planes[0].pixels.copy()
    slope = 60 + np.arange(320) * 0.25
    noise = np.random.default_rng(frame.pts).normal(0, 0.8, (90, 320)) if step == 1 else 0.0
    luma[:90] = np.rint((slope + noise) / step) * step
    return replace(frame, planes=(Plane(luma, 320, 180), *frame.planes[1:]))


def banded(step: int) -> list[Frame]:
    return [gradient(f, step if 25 <= f.pts < 50 else 1) for f in CLEAN]


def test_banding_is_found_with_its_ends(analyze_frames) -> None:
    (found,) = analyze_frames("banding", banded(6), STREAM).findings
    assert (found.start_s, found.end_s) == pytest.approx((1.0, 2.0), abs=0.081)
    assert found.evidence["band_edges_permille"] > found.evidence["programme_permille"]


def test_simulated_banding_is_found(analyze_frames) -> None:
    smooth = [gradient(f, 1) for f in CLEAN]
    simulator = simulators()["banding"]
    overrides = {"dark_only": False, "step_code": 6.0}
    frames, _ = impair_frames(
        simulator, smooth, STREAM, span=Interval(1.0, 2.0), seed=4, overrides=overrides
    )
    assert analyze_frames("banding", frames, STREAM).findings


def test_steps_of_two_codes_are_below_what_is_seen(analyze_frames) -> None:
    assert analyze_frames("banding", banded(2), STREAM).verdict == "pass"


def blocked(frame: Frame) -> Frame:
    """Flattens blocks of eight samples to levels six codes apart."""
    luma = frame.planes[0].pixels[:176, :320].astype(float)
    means = luma.reshape(22, 8, 40, 8).mean(axis=(1, 3))
    levels = np.rint(means / 6) * 6
    flat = np.pad(np.kron(levels, np.ones((8, 8))), ((0, 4), (0, 0)), mode="edge")
    return replace(frame, planes=(Plane(flat.astype(np.uint8), 320, 180), *frame.planes[1:]))


def test_flat_blocks_on_a_grid_are_no_bands(analyze_frames) -> None:
    smooth = [gradient(f, 1) for f in CLEAN]
    frames = [blocked(f) if 25 <= f.pts < 50 else f for f in smooth]
    assert analyze_frames("banding", frames, STREAM).verdict == "pass"
    assert analyze_frames("compression_blockiness", frames, STREAM).findings


def measured(frames: list[Frame], path: Path) -> MeasuredAsset:
    write_clip(path, frames=frames, video=VideoEncoding(320, 180, Fraction(25), crf=6))
    with open_media(path) as reader:
        return measure_asset(reader, [load("banding")])


def test_a_rise_in_which_a_closer_look_sees_no_band_is_none(tmp_path: Path) -> None:
    bands = measured(banded(6), tmp_path / "bands.mkv")
    rough = measured(list(Footage(seed=3, frames=75)), tmp_path / "rough.mkv")
    tables = dict(bands.measurements["banding"].tables)
    (detector,) = bands.detectors
    assert detector.decide(Measurements("banding", tables), bands.stream).findings
    tables["looks"] = rough.measurements["banding"].tables["looks"]
    assert not detector.decide(Measurements("banding", tables), bands.stream).findings


@pytest.mark.parametrize(("inside", "found"), [(0.3, 0), (0.9, 1)])
def test_a_rise_is_one_where_the_closer_look_rises_as_well(
    inside: float, found: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bands = measured(banded(6), tmp_path / "bands.mkv")
    (detector,) = bands.detectors
    table = bands.measurements["banding"]
    whole = detector.decide(table, bands.stream).findings
    (span,) = [(f.start_s, f.end_s) for f in whole]
    looks_s = times_s(table.tables["looks"])
    grades = np.where((looks_s >= span[0]) & (looks_s < span[1]), inside, 0.2)
    monkeypatch.setattr(module, "single_grades", lambda *_: grades)
    monkeypatch.setattr(module.stairs, "stair_grades", lambda *_: np.zeros(len(grades)))
    assert len(detector.decide(table, bands.stream).findings) == found


def test_bands_over_flat_grain_are_found_by_the_contours_that_go(analyze_frames) -> None:
    """Bands whose ground is no flatter than before: every other band keeps a faint texture."""

    def textured(frame: Frame, step: int) -> Frame:
        luma = gradient(frame, step).planes[0].pixels.copy()
        luma[1:90:2, ::3] += 1
        return replace(frame, planes=(Plane(luma, 320, 180), *frame.planes[1:]))

    frames = [textured(f, 6 if 25 <= f.pts < 50 else 1) for f in CLEAN]
    assert analyze_frames("banding", frames, STREAM).findings


def test_a_clean_clip_passes(analyze_frames) -> None:
    assert analyze_frames("banding", CLEAN, STREAM).verdict == "pass"


def test_a_clear_sky_stays_silent(tmp_path: Path) -> None:
    path = tmp_path / "twin.mkv"
    hard_negative("clear_sky").write(path, seed=2)
    assert not analyze(path, detectors=["banding"]).findings


def test_severity_follows_the_number_of_edges(analyze_frames) -> None:
    narrow = [f if f.pts < 25 else gradient(f, 6) for f in (gradient(f, 1) for f in CLEAN)]
    (found,) = analyze_frames("banding", narrow, STREAM).findings
    bound = {"minor": (0, 1), "major": (1, 4), "critical": (4, 1000)}[found.severity]
    assert bound[0] <= found.evidence["band_edges_permille"] < bound[1]


def test_only_steps_above_three_codes_are_visible() -> None:
    counts = np.zeros((1, 2, 6), np.uint32)
    counts[0, 0] = (100, 90, 50, 7, 3, 0)
    counts[0, 1, :4] = 5
    assert band_edges(counts, 3).tolist() == [12.0]


def test_a_cut_explains_a_rise_and_a_slope_is_none() -> None:
    levels = np.concatenate((np.zeros(30), np.full(30, 2.0)))
    none, cut = np.zeros(60, bool), np.zeros(60, bool)
    cut[30] = True
    assert rises(levels, none, 8)[30] == 2.0
    assert rises(levels, cut, 8).max() == 0.0
    assert rises(np.linspace(0, 2, 60), none, 8).max() < 0.5


def test_a_interval_reaches_to_the_level_halfway_whichever_end_was_seen() -> None:
    levels = np.concatenate((np.zeros(20), np.full(25, 2.0), np.zeros(20)))
    cut = np.zeros(65, bool)
    for at in (None, 20, 45):
        cut[:] = False
        if at is not None:
            cut[at] = True
        run = stands_out([levels], [1.0], cut, 8) >= 1
        assert np.flatnonzero(run)[[0, -1]].tolist() == [20, 44]
