"""Stutter: repeats, drops and broken cadences found; rhythms, slides and cuts silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from growth import is_far_from_quadratic
from numpy.typing import NDArray

from defectscope.detectors.stutter.detector import bands
from defectscope.detectors.stutter.dips import chains
from defectscope.detectors.stutter.leaps import LeapMeter
from defectscope.detectors.stutter.motion import Motion, cuts, held_runs, jumps
from defectscope.detectors.stutter.motion import standing as standing_of
from defectscope.detectors.stutter.naming import Event, join_regular, seen
from defectscope.detectors.stutter.rhythm import cadence, conversion
from defectscope.detectors.stutter.windows import around, window_means, window_quantiles
from defectscope.engine.artifacts import tuned
from defectscope.findings import DetectorResult, Interval
from defectscope.media.frames import Frame
from defectscope.media.stream import StreamInfo
from defectscope.simulate.defects.stutter import SIMULATORS
from defectscope.simulate.effects.arrays import frames_from, impair_frames, video_stream
from defectscope.simulate.effects.frames import planes_of
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage

AnalyzeFrames = Callable[[str, Iterable[Frame], StreamInfo], DetectorResult]
Series = NDArray[np.float64]
SIMULATOR: Any = SIMULATORS[0]

WIDTH, HEIGHT, FRAMES = 320, 180, 110
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)


def footage(seed: int, frames: int = FRAMES, rate: int = 25) -> list[Frame]:
    return list(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=frames, rate=Fraction(rate)))


@pytest.mark.parametrize("kind", ["repeat", "drop"])
@pytest.mark.parametrize(("severity", "seed"), [(3, 1), (5, 2)])
def test_broken_motion_is_found_with_its_ends(
    analyze_frames: AnalyzeFrames, kind: str, severity: int, seed: int
) -> None:
    clean = footage(seed, 140)
    stream = video_stream(WIDTH, HEIGHT, 140)
    assert not analyze_frames("stutter", clean, stream).findings
    frames, truths = impair_frames(
        SIMULATOR,
        clean,
        stream,
        span=Interval(1.0, 3.2),
        seed=seed,
        severity=severity,
        overrides={"kind": kind},
    )
    findings = analyze_frames("stutter", frames, stream).findings
    assert len(findings) == len(truths)
    for found, truth in zip(findings, truths, strict=True):
        assert found.start_s == pytest.approx(truth.start_s, abs=0.041)
        assert found.end_s == pytest.approx(truth.end_s, abs=0.081)
        assert found.evidence["kind"] == kind
        assert len(found.evidence["events_s"]) == found.evidence["events"]


def test_a_broken_pulldown_is_found_and_the_unbroken_one_is_not(
    analyze_frames: AnalyzeFrames,
) -> None:
    clean = footage(4, 300, 60)
    stream = video_stream(WIDTH, HEIGHT, 300, Fraction(60))
    frames, truths = impair_frames(
        SIMULATOR,
        clean,
        stream,
        span=Interval(1.5, 3.5),
        seed=4,
        severity=3,
        overrides={"kind": "cadence_32", "length_frames": 2, "every_frames": 30},
    )
    (found,) = analyze_frames("stutter", frames, stream).findings
    assert found.evidence["kind"] == "cadence"
    assert found.interval.iou(Interval(truths[0].start_s, truths[-1].end_s)) > 0.8


@pytest.mark.parametrize(
    ("name", "rate"),
    [("animation_on_twos", 24), ("film_24_in_60", 60), ("still_slide", 25), ("quick_cuts", 25)],
)
def test_hard_negatives_stay_silent(analyze_frames: AnalyzeFrames, name: str, rate: int) -> None:
    frames = list(hard_negative(name).frames(3))[:150]
    stream = video_stream(WIDTH, HEIGHT, len(frames), Fraction(rate))
    assert not analyze_frames("stutter", frames, stream).findings


def test_one_frame_dropped_in_every_six_is_a_conversion_not_an_accident(
    analyze_frames: AnalyzeFrames,
) -> None:
    kept = [f for k, f in enumerate(footage(6, 130)) if k % 6 != 5]
    frames = [type(f)(k, 1, f.planes, 8) for k, f in enumerate(kept)]
    assert not analyze_frames("stutter", frames, video_stream(WIDTH, HEIGHT, len(frames))).findings


def test_severity_counts_events(analyze_frames: AnalyzeFrames) -> None:
    frames = footage(7)
    one = [*frames[:50], *[type(f)(f.pts, 1, frames[49].planes, 8) for f in frames[50:52]]]
    one += frames[52:]
    (found,) = analyze_frames("stutter", one, STREAM).findings
    assert (found.start_s, found.end_s, found.severity) == (2.0, 2.08, "minor")
    assert found.evidence["longest_hold_frames"] == 2


def still_series(values: Any, leaps: Iterable[tuple[Any, Any]] = ()) -> Motion:
    mean = np.asarray(values, float)
    luma = np.full(len(mean), 100.0)
    leap = np.zeros(len(mean))
    for row, much in leaps:
        leap[row] = much
    way = np.full(len(mean), 0.5)
    return Motion(mean, mean * 4, luma, mean / 4, mean / 4, mean / 100, leap, way)


def jumped(series: Motion) -> list[int]:
    still = np.zeros(len(series.mean), bool)
    return np.flatnonzero(jumps(series, still, 25.0, _LIMITS)).tolist()


def test_a_leap_of_light_or_to_another_scene_is_no_jump() -> None:
    values = np.full(60, 4.0)
    series = still_series(values, [(30, 1.2)])
    assert jumped(series) == [30]
    values[30] = 9.0
    assert jumped(still_series(values, [(30, 1.2)])) == [30]
    # The light changed by as much: a flash.
    lit = replace(series, mean=values, luma=np.where(np.arange(60) >= 30, 108.9, 100.0))
    assert not jumped(lit)
    values[30] = 80.0
    assert not jumped(still_series(values, [(30, 1.2)])), "a cut"
    # What swings goes back where it came from.
    assert not jumped(replace(series, way=np.full(60, -0.9)))
    # Next to a hold, the step that ends it is no other event.
    held = np.arange(60) == 29
    assert not jumps(series, held, 25.0, _LIMITS).any()


def test_leaps_in_a_rhythm_are_a_conversion() -> None:
    even = still_series(np.full(120, 4.0), [(row, 1.2) for row in range(3, 120, 5)])
    assert not jumped(even)
    uneven = still_series(np.full(120, 4.0), [(row, 1.2) for row in (20, 31, 44, 63)])
    assert jumped(uneven) == [20, 31, 44, 63]


def test_cadences_are_rhythms_of_short_holds() -> None:
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


def test_standing_needs_motion_around() -> None:
    moving = np.full(40, 4.0)
    moving[20] = 0.02
    assert np.flatnonzero(standing_of(still_series(moving), _LIMITS)).tolist() == [20]
    assert not standing_of(still_series(np.full(40, 0.05)), _LIMITS).any()


def moving_profiles(times: Series, values: int = 60) -> Series:
    """Three smooth hills that pass by in curves, at given instants."""
    x = np.arange(values, dtype=float)
    places = [20 + 8 * np.sin(times / 9), 40 + 0.5 * times, 55 - 0.02 * times**2 / 3]
    hills = np.sum([40 * np.exp(-(((x - p[:, None]) / 6) ** 2)) for p in places], axis=0)
    return 80.0 + hills


def measured_leaps(profiles: Series, chunk: int = 1000) -> tuple[Series, Series]:
    meter = LeapMeter()
    parts = [meter.push([profiles[k : k + chunk]]) for k in range(0, len(profiles), chunk)]
    return np.concatenate([p.leap for p in parts]), np.concatenate([p.way for p in parts])


@pytest.mark.parametrize("missing", [1, 2, 5])
def test_missing_frames_show_in_curves(missing: int) -> None:
    times = np.arange(40.0)
    leap, way = measured_leaps(moving_profiles(times))
    assert len(leap) == 38
    assert np.all(leap[:3] == 0)
    assert leap.max() < 0.1
    times[20:] += missing
    leap, way = measured_leaps(moving_profiles(times))
    assert np.argmax(leap) == 20
    assert leap[20] > 0.5
    assert np.sort(leap)[-2] < 0.3 * leap[20]
    assert way[20] > 0.5


def test_light_makes_no_leaps() -> None:
    times = np.arange(40.0)
    profiles = moving_profiles(times)
    profiles[20:] = 0.8 * profiles[20:] + 30
    leap, _ = measured_leaps(profiles)
    assert leap.max() < 0.1


def test_leaps_do_not_depend_on_chunks() -> None:
    rng = np.random.default_rng(9)
    profiles = moving_profiles(np.cumsum(rng.uniform(0.5, 3, 50)))
    whole = measured_leaps(profiles)
    for chunk in (1, 2, 7):
        for one, other in zip(whole, measured_leaps(profiles, chunk), strict=True):
            assert np.array_equal(one, other)


def test_jerky_motion_hides_a_leap() -> None:
    rng = np.random.default_rng(4)
    jerks = [(row, 0.8) for row in np.flatnonzero(rng.uniform(size=200) < 0.3) if row != 100]
    still = np.zeros(200, bool)
    smooth = jumps(still_series(np.full(200, 4.0), [(100, 1.0)]), still, 25.0, _LIMITS)
    jerky = jumps(still_series(np.full(200, 4.0), [*jerks, (100, 1.0)]), still, 25.0, _LIMITS)
    assert smooth[100] > 0.9
    assert jerky[100] < 0.8 * smooth[100]


def test_what_has_nothing_in_common_with_the_last_frame_is_a_cut() -> None:
    values = np.full(120, 4.0)
    values[60] = 9.0
    series = replace(still_series(values), way=np.zeros(120))
    assert not cuts(series, _LIMITS).any()
    other = replace(series, apart=np.where(values > 4, 0.5, 0.04))
    assert np.flatnonzero(cuts(other, _LIMITS)).tolist() == [60]
    # A quick pan has nothing in common either, but goes on the same way.
    assert not cuts(replace(other, way=np.full(120, 0.6)), _LIMITS).any()
    # Somebody cut out of an interview: the same scene, but all of it elsewhere.
    values[60] = 17.0
    edit = replace(still_series(values), way=np.zeros(120), apart=np.where(values > 4, 0.2, 0.04))
    assert np.flatnonzero(cuts(edit, _LIMITS)).tolist() == [60]


def test_a_hold_has_motion_on_both_sides() -> None:
    values = np.full(80, 4.0)
    values[40:42] = 0.01
    values[42] = 11.0
    series = still_series(values)
    assert held_runs(series, standing_of(series, _LIMITS), 3, _LIMITS) == [(40, 42)]
    # In flicker two frames of the same light are alike; the light of others goes up and down.
    lit = replace(series, luma=100.0 + np.where(np.arange(80) % 2, 3.0, 0.0))
    lit.luma[40:43] = lit.luma[39]
    assert not held_runs(lit, standing_of(lit, _LIMITS), 3, _LIMITS)
    values[43:] = 0.3
    rest = still_series(values)
    assert not held_runs(rest, standing_of(rest, _LIMITS), 3, _LIMITS)


def test_a_conversion_is_taken_out_of_the_steps() -> None:
    rng = np.random.default_rng(5)
    steps = np.exp(rng.normal(-0.6, 0.3, 200))
    assert (conversion(steps) == 1).mean() > 0.97
    steps[3::5] *= 2.2
    longer = conversion(steps)
    # At the ends there is less company to speak for a rhythm.
    assert longer[3:160:5].min() > 1.5
    assert (np.delete(longer, np.arange(3, 200, 5)) == 1).mean() > 0.97


def test_statistics_of_windows_do_not_depend_on_how_many_are_held() -> None:
    values = np.random.default_rng(6).normal(size=9001)
    windows = around(values, 20)
    middle, high = window_quantiles(windows, [0.5, 0.9])
    assert np.array_equal(middle, np.quantile(windows, 0.5, axis=1))
    assert np.array_equal(high, np.quantile(windows, 0.9, axis=1))
    assert np.allclose(window_means(values, 20), windows.mean(axis=1))


def test_an_hour_is_not_compared_with_itself() -> None:
    def decided(frames: int) -> Callable[[], object]:
        rng = np.random.default_rng(8)
        values = np.exp(rng.normal(1.0, 0.5, frames))
        values[rng.integers(0, frames, frames // 30)] = 0.01
        leaps = zip(range(frames), rng.normal(-0.2, 0.3, frames), strict=True)
        series = still_series(values, leaps)

        def decide() -> None:
            still = standing_of(series, _LIMITS)
            held_runs(series, still, 3, _LIMITS)
            jumps(series, still, 25.0, _LIMITS)
            cadence(still, 3)

        return decide

    assert is_far_from_quadratic(decided, 60_000)


def test_bands_are_means_of_neighbouring_lines() -> None:
    sums = np.arange(10, dtype=np.uint32).reshape(1, 10) * 6
    assert bands(sums, 3, 2.0).tolist() == [[3.0, 12.0, 21.0]]
    assert bands(sums, 20, 6.0).tolist() == [list(range(10))]


_LIMITS = tuned("stutter").thresholds


def test_24_shown_at_25_is_one_disturbance_and_is_named(analyze_frames: AnalyzeFrames) -> None:
    clean = footage(5, 193)
    rng = np.random.default_rng(1)
    shown = []
    for k in range(200):
        planes = planes_of(clean[k - k // 25])
        if k and k - k // 25 == k - 1 - (k - 1) // 25:
            # An encoder refines what is shown again, so that it is not equal.
            luma = planes[0] + rng.normal(0, 0.8, planes[0].shape)
            planes = (np.clip(np.rint(luma), 16, 235).astype(np.uint8), *planes[1:])
        shown.append(planes)
    stream = video_stream(WIDTH, HEIGHT, 200)
    (found,) = analyze_frames("stutter", frames_from(shown), stream).findings
    assert found.start_s == pytest.approx(1.0, abs=0.041)
    assert found.end_s == pytest.approx(7.04, abs=0.041)
    assert found.evidence["pattern"] == "regular_repeats"
    assert found.evidence["source_fps"] == pytest.approx(24.0)
    assert found.evidence["seen"] == "one repeat every 25 frames: 24 shown at 25 a second"


def events(kind: str, *rows: int, hold: int = 1) -> list[Event]:
    return [(row, row + hold, kind, 0.9) for row in rows]


@pytest.mark.parametrize(
    ("own", "pattern", "words"),
    [
        (events("repeat", 10, 40, 70, 99), "regular_repeats", "29 shown at 30"),
        (events("drop", 10, 16, 22, 28, 34), "regular_drops", "35 shown at 30"),
        (events("drop", 10, 16, 22), "drops", "3 places"),
        (events("repeat", 10, 13, 24, 26, 39), "capture_jitter", "5 times"),
        (events("repeat", 10, 26, 42, hold=6), "holds", "up to 6 frames, 3 times"),
        (events("repeat", 10), "holds", "once"),
    ],
)
def test_what_is_seen_is_named(own: list[Event], pattern: str, words: str) -> None:
    named = seen(own, np.zeros(120, bool), 30.0)
    assert named["pattern"] == pattern
    assert words in named["seen"]


def test_a_broken_cadence_is_named_by_its_holds() -> None:
    shown = [3, 2] * 6 + [3, 3] + [2, 3] * 6
    still = np.concatenate([[False] + [True] * (n - 1) for n in shown])
    named = seen([(32, 33, "cadence", 0.9)], still, 60.0)
    assert named["cadence"] == "3:2"
    assert named["seen"] == "3:2 cadence broken once"


def test_one_rhythm_is_one_disturbance_and_two_places_are_two() -> None:
    apart = [[event] for event in events("repeat", 0, 60, 120, 181)]
    assert join_regular(apart, 50.0) == [events("repeat", 0, 60, 120, 181)]
    uneven = [[event] for event in events("repeat", 0, 60, 200, 230)]
    assert join_regular(uneven, 50.0) == uneven
    # Of repeats a second apart one lies hidden: 0, 50, (100), 150.
    hidden = [[event] for event in events("repeat", 0, 50, 150)]
    assert join_regular(hidden, 50.0) == [events("repeat", 0, 50, 150)]


def test_dips_count_in_a_rhythm_alone() -> None:
    rhythmic, stray = np.zeros(200, bool), np.zeros(200, bool)
    rhythmic[[20, 45, 70, 95, 120]] = True
    stray[[20, 41, 80, 137, 181]] = True
    assert chains(rhythmic, 25.0) == [[20, 45, 70, 95, 120]]
    assert chains(stray, 25.0) == []
