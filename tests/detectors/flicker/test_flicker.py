"""Flicker: pumping and harmful flashes found; single flashes, fades and cuts silent."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.flicker import luminance, swings
from defectscope.findings import Interval
from defectscope.simulate.defects.flicker import SIMULATORS
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage

WIDTH, HEIGHT, FRAMES = 320, 180, 110
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)


@pytest.fixture(scope="module")
def clean():
    return list(Footage(seed=11, width=WIDTH, height=HEIGHT, frames=FRAMES))


def impaired(clean, severity=3.0, **overrides):
    return impair_frames(
        SIMULATORS[0],
        clean,
        STREAM,
        span=Interval(1.0, 3.4),
        seed=5,
        severity=severity,
        overrides=overrides,
    )


@pytest.mark.parametrize("kind", ["luma", "general_flash", "red_flash"])
@pytest.mark.parametrize("severity", [3, 5])
def test_every_kind_is_found_with_its_ends(analyze_frames, clean, kind, severity):
    frames, (truth,) = impaired(clean, severity, kind=kind)
    (found,) = analyze_frames("flicker", frames, STREAM).findings
    half_a_swing_s = 0.5 / truth.parameters["hz"]
    assert found.start_s == pytest.approx(truth.start_s, abs=half_a_swing_s + 0.05)
    assert found.end_s == pytest.approx(truth.end_s, abs=half_a_swing_s + 0.05)
    # Strong pumping is a general flash as well.
    assert kind in found.evidence["kinds"]
    assert kind == "luma" or found.severity == "critical"


def test_severity_of_pumping_follows_the_swing(analyze_frames, clean):
    mild, _ = impaired(clean, kind="luma", depth=0.04, hz=5.0, square=True)
    (found,) = analyze_frames("flicker", mild, STREAM).findings
    assert found.severity == "minor"
    assert found.evidence["swing_share"] == pytest.approx(0.083, abs=0.02)
    assert found.evidence["swings_hz"] == pytest.approx(5.0, rel=0.1)
    strong, _ = impaired(clean, kind="luma", depth=0.3, hz=5.0, square=True)
    (found,) = analyze_frames("flicker", strong, STREAM).findings
    assert found.severity == "critical"


def test_harmless_flashes_are_not_reported(analyze_frames, clean):
    for harmless in ({"hz": 2.0}, {"area": 0.05}):
        frames, _ = impaired(clean, 3, kind="general_flash", **harmless)
        kinds = [f.evidence["kind"] for f in analyze_frames("flicker", frames, STREAM).findings]
        assert "general_flash" not in kinds, harmless


@pytest.mark.parametrize("name", ["camera_flashes", "fade_to_near_black", "quick_cuts"])
def test_hard_negatives_stay_silent(analyze_frames, name):
    frames = list(hard_negative(name).frames(3))
    stream = video_stream(WIDTH, HEIGHT, len(frames))
    assert not analyze_frames("flicker", frames, stream).findings


def test_luminance_is_that_of_the_reference_display():
    limited = STREAM.video
    codes = np.array([0.0, 16.0, 125.5, 235.0, 255.0])
    shown = luminance.screen_cd_m2(codes, limited, 200.0)
    assert shown == pytest.approx([0, 0, 200 * 0.5**2.4, 200, 200])
    full = video_stream(WIDTH, HEIGHT, 1, full_range=True).video
    assert luminance.screen_cd_m2(np.array([0.0, 255.0]), full, 100.0) == pytest.approx([0, 100])


def test_redness_is_zero_unless_saturated():
    video = STREAM.video
    red = luminance.redness(*(np.array([c]) for c in (81.0, 90.0, 240.0)), video)
    assert red[0] > 250
    grey = luminance.redness(*(np.array([c]) for c in (180.0, 128.0, 128.0)), video)
    skin = luminance.redness(*(np.array([c]) for c in (150.0, 110.0, 155.0)), video)
    assert grey[0] == skin[0] == 0


def test_turning_points_need_a_swing():
    wave = np.array([0, 0, 1, 0, 1, 0, 0.02, 0.0, 0.0])
    assert swings.turning_points(wave, 0.5) == [1, 2, 3, 4, 5] or swings.turning_points(wave, 0.5)[
        :4
    ] == [1, 2, 3, 4]
    assert swings.turning_points(np.linspace(0, 1, 50), 0.1) == [0, 49]
    assert swings.turning_points(np.zeros(0), 0.1) == []
    assert swings.turning_points(np.full(9, 0.3), 0.1) == []


def test_a_swing_is_trimmed_to_where_it_happens():
    drifting = np.array([0.00, -0.01, 0.0, 1.0, 0.98, 0.0, 0.0, -0.01, -0.02])
    assert swings.last_before(drifting, 1, 3) == 2
    assert swings.first_after(drifting, 3, 8) == 5


def test_a_pause_ends_a_sequence_of_swings():
    times = np.arange(100) / 25
    points = [0, 2, 4, 6, 8, 10, 40, 42, 44]
    assert swings.swing_sequences(points, times, 0.25, 5) == [(0, 10, 5)]
    assert swings.swing_sequences(points, times, 0.25, 6) == []


def test_flashes_are_pairs_counted_within_a_second():
    times = np.arange(200) / 25
    rising = np.zeros(200, bool)
    falling = np.zeros(200, bool)
    rising[10:100:6], falling[13:100:6] = True, True
    changes = swings.opposing_changes(rising, falling)
    ((first, last, count),) = swings.too_frequent(changes, times, 6, 1.0)
    assert (first, last, count) == (10, 97, 30)
    slow = changes[::3]
    assert swings.too_frequent(slow, times, 6, 1.0) == []
    # As much rises as falls: something moves.
    assert swings.opposing_changes(rising, rising) == []
