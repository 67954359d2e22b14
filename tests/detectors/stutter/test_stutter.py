"""Stutter: repeats, drops and broken cadences found; rhythms, slides and cuts silent."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from time import process_time

import numpy as np
import pytest

from defectscope.detection.artifacts import tuned
from defectscope.detectors.stutter.detector import bands
from defectscope.detectors.stutter.motion import Motion, held_runs, jumps, strides
from defectscope.detectors.stutter.motion import standing as standing_of
from defectscope.detectors.stutter.rhythm import cadence, conversion
from defectscope.detectors.stutter.windows import around, window_means, window_quantiles
from defectscope.findings import Interval
from defectscope.simulate.arrays import impair_frames, video_stream
from defectscope.simulate.material import Footage
from defectscope.simulate.stutter import SIMULATORS
from defectscope.simulate.twins import twin

WIDTH, HEIGHT, FRAMES = 320, 180, 110
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)


def footage(seed, frames=FRAMES, rate=25):
    return list(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=frames, rate=Fraction(rate)))


@pytest.mark.parametrize("kind", ["repeat", "drop"])
@pytest.mark.parametrize(("severity", "seed"), [(3, 1), (5, 2)])
def test_broken_motion_is_found_with_its_ends(judge_frames, kind, severity, seed):
    clean = footage(seed, 140)
    stream = video_stream(WIDTH, HEIGHT, 140)
    assert not judge_frames("stutter", clean, stream).findings
    frames, truths = impair_frames(
        SIMULATORS[0],
        clean,
        stream,
        span=Interval(1.0, 3.2),
        seed=seed,
        severity=severity,
        overrides={"kind": kind},
    )
    findings = judge_frames("stutter", frames, stream).findings
    assert len(findings) == len(truths)
    for found, truth in zip(findings, truths, strict=True):
        assert found.start_s == pytest.approx(truth.start_s, abs=0.041)
        assert found.end_s == pytest.approx(truth.end_s, abs=0.081)
        assert found.evidence["kind"] == kind
        assert len(found.evidence["events_s"]) == found.evidence["events"]


def test_a_broken_pulldown_is_found_and_the_unbroken_one_is_not(judge_frames):
    clean = footage(4, 300, 60)
    stream = video_stream(WIDTH, HEIGHT, 300, Fraction(60))
    frames, truths = impair_frames(
        SIMULATORS[0],
        clean,
        stream,
        span=Interval(1.5, 3.5),
        seed=4,
        severity=3,
        overrides={"kind": "cadence_32", "length_frames": 2, "every_frames": 30},
    )
    (found,) = judge_frames("stutter", frames, stream).findings
    assert found.evidence["kind"] == "cadence"
    assert found.interval.iou(Interval(truths[0].start_s, truths[-1].end_s)) > 0.8


@pytest.mark.parametrize(
    ("name", "rate"),
    [("animation_on_twos", 24), ("film_24_in_60", 60), ("still_slide", 25), ("quick_cuts", 25)],
)
def test_look_alikes_stay_silent(judge_frames, name, rate):
    frames = list(twin(name).frames(3))[:150]
    stream = video_stream(WIDTH, HEIGHT, len(frames), Fraction(rate))
    assert not judge_frames("stutter", frames, stream).findings


def test_one_picture_dropped_in_every_six_is_a_conversion_not_an_accident(judge_frames):
    kept = [f for k, f in enumerate(footage(6, 130)) if k % 6 != 5]
    frames = [type(f)(k, 1, f.planes, 8) for k, f in enumerate(kept)]
    assert not judge_frames("stutter", frames, video_stream(WIDTH, HEIGHT, len(frames))).findings


def test_severity_counts_events(judge_frames):
    frames = footage(7)
    one = [*frames[:50], *[type(f)(f.pts, 1, frames[49].planes, 8) for f in frames[50:52]]]
    one += frames[52:]
    (found,) = judge_frames("stutter", one, STREAM).findings
    assert (found.start_s, found.end_s, found.severity) == (2.0, 2.08, "minor")
    assert found.evidence["longest_hold_frames"] == 2


def still_series(values):
    mean = np.asarray(values, float)
    luma = np.full(len(mean), 100.0)
    return Motion(
        mean, mean * 4, luma, mean / 4, mean / 5, mean / 6, mean / 100, np.zeros(len(mean))
    )


def test_a_jump_stands_alone_and_everywhere():
    thresholds = _LIMITS
    values = np.full(60, 4.0)
    values[30] = 9.0
    still = np.zeros(60, bool)
    assert np.flatnonzero(jumps(still_series(values), still, 25.0, thresholds)).tolist() == [30]
    # The light changed by as much: a flash, not a jump.
    flash = still_series(values)
    luma = np.where(np.arange(60) >= 30, 108.9, 100.0)
    lit = replace(flash, luma=luma)
    assert not jumps(lit, still, 25.0, thresholds).any()
    values[30] = 80.0
    assert not jumps(still_series(values), still, 25.0, thresholds).any(), "a cut"
    wave = 4.0 + 3.0 * (np.arange(60) % 5 == 0)
    assert not jumps(still_series(wave), still, 25.0, thresholds).any(), "a rhythm"


def test_cadences_are_rhythms_of_short_holds():
    threes = np.tile([False, True, True], 40)
    inside, broken = cadence(threes, 3)
    assert inside[5:-5].all()
    assert not broken.any()
    shifted = np.insert(threes, 60, True)
    inside, broken = cadence(shifted, 3)
    assert broken[60:64].any()
    assert not broken[:58].any()
    assert not broken[70:].any()
    assert not cadence(np.tile([False] + [True] * 6, 20), 3)[0].any()


def test_standing_needs_motion_around():
    moving = np.full(40, 4.0)
    moving[20] = 0.02
    assert np.flatnonzero(standing_of(still_series(moving), _LIMITS)).tolist() == [20]
    assert not standing_of(still_series(np.full(40, 0.05)), _LIMITS).any()


def test_strides_agree_or_are_none():
    moved = np.full(40, 1.0)
    moved[20] = 3.0
    series = still_series(np.full(40, 4.0))
    alone = strides(replace(series, tiles=moved, rows=moved, columns=moved))
    assert alone[20] == pytest.approx(3 / 1.03)
    assert np.delete(alone, range(17, 24)).max() < 1.0
    # Means of tiles alone say that somebody came in, not that all jumped.
    assert strides(replace(series, tiles=moved))[20] < 1.5


def test_jerky_motion_hides_a_longer_step():
    rng = np.random.default_rng(4)
    still = np.zeros(200, bool)
    smooth = rng.uniform(3.8, 4.2, 200)
    jerky = 4.0 * np.exp(rng.normal(0, 0.7, 200))
    for values in (smooth, jerky):
        values[100] = 2.0 * values[97:104].max()
    clear = jumps(still_series(smooth), still, 25.0, _LIMITS)
    assert np.flatnonzero(clear).tolist() == [100]
    assert jumps(still_series(jerky), still, 25.0, _LIMITS)[100] < 0.5 * clear[100]


def test_what_has_nothing_in_common_with_the_last_picture_is_a_cut():
    values = np.full(120, 4.0)
    values[60] = 9.0
    series = still_series(values)
    still = np.zeros(120, bool)
    assert jumps(series, still, 25.0, _LIMITS)[60] > 0
    other = replace(series, apart=np.where(values > 4, 0.5, 0.04))
    assert not jumps(other, still, 25.0, _LIMITS).any()
    # A quick pan has nothing in common either, but goes on the same way.
    pan = replace(other, way=np.full(120, 0.6))
    assert jumps(pan, still, 25.0, _LIMITS)[60] > 0


def test_a_refreshed_picture_has_not_moved():
    values = np.full(120, 4.0)
    values[60] = 9.0
    series = still_series(values)
    refreshed = replace(series, peak=np.full(120, 16.0))
    assert not jumps(refreshed, np.zeros(120, bool), 25.0, _LIMITS).any()


def test_a_hold_has_motion_on_both_sides():
    values = np.full(80, 4.0)
    values[40:42] = 0.01
    values[42] = 11.0
    series = still_series(values)
    assert held_runs(series, standing_of(series, _LIMITS), 3, _LIMITS) == [(40, 42)]
    values[43:] = 0.3
    rest = still_series(values)
    assert not held_runs(rest, standing_of(rest, _LIMITS), 3, _LIMITS)


def test_a_conversion_is_taken_out_of_the_steps():
    rng = np.random.default_rng(5)
    steps = np.exp(rng.normal(-0.6, 0.3, 200))
    assert (conversion(steps) == 1).mean() > 0.97
    steps[3::5] *= 2.2
    longer = conversion(steps)
    # At the ends there is less company to speak for a rhythm.
    assert longer[3:160:5].min() > 1.5
    assert (np.delete(longer, np.arange(3, 200, 5)) == 1).mean() > 0.97


def test_statistics_of_windows_do_not_depend_on_how_many_are_held():
    values = np.random.default_rng(6).normal(size=9001)
    windows = around(values, 20)
    middle, high = window_quantiles(windows, [0.5, 0.9])
    assert np.array_equal(middle, np.quantile(windows, 0.5, axis=1))
    assert np.array_equal(high, np.quantile(windows, 0.9, axis=1))
    assert np.allclose(window_means(values, 20), windows.mean(axis=1))


def test_an_hour_is_decided_in_seconds():
    rng = np.random.default_rng(8)
    values = np.exp(rng.normal(1.0, 0.5, 90_000))
    values[rng.integers(0, 90_000, 3000)] = 0.01
    series = still_series(values)
    began = process_time()
    still = standing_of(series, _LIMITS)
    held_runs(series, still, 3, _LIMITS)
    jumps(series, still, 25.0, _LIMITS)
    cadence(still, 3)
    assert process_time() - began < 5.0


def test_bands_are_means_of_neighbouring_lines():
    sums = np.arange(10, dtype=np.uint32).reshape(1, 10) * 6
    assert bands(sums, 3, 2.0).tolist() == [[3.0, 12.0, 21.0]]
    assert bands(sums, 20, 6.0).tolist() == [list(range(10))]


_LIMITS = tuned("stutter").thresholds
