"""Steps between the two frames of a look: what begins or ends there, whatever they show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from defectscope.detectors.block_corruption.events import Known, best_runs, brief, events
from defectscope.detectors.block_corruption.posterior import posterior
from defectscope.detectors.block_corruption.steps import (
    Steps,
    bars_moved,
    borders,
    brightness_moved,
    replaced,
)

STARTS_S = np.arange(100) / 25
ENDS_S = (np.arange(100) + 1) / 25
CHANGE, USUAL, WEIGHT = 6.0, 2.0, 2.0


def looked(rows: Any, now: Any, before: Any, excused: Any = ()):
    """The evaluated frames and their steps."""
    rows, now, before = np.array(rows), np.array(now, float), np.array(before, float)
    known = Known.of(rows, now, before, np.zeros(100))
    other = np.isin(np.arange(100), excused)
    rise = now - before
    return known, Steps.of(known.rows, rows, rise, -rise, other, other, CHANGE, USUAL, WEIGHT)


def found(known: Any, steps: Any, least: Any = 3.0):
    scores = events(known, known.scores, STARTS_S, ENDS_S, steps, 0.5, 0.0, least)
    return [(round(e.start_s * 25), round(e.end_s * 25)) for e in scores]


def test_steps_stand_where_two_frames_were_looked_at_together():
    known, steps = looked([10, 20, 21], [-1, 5, 5], [-1, -2, 5])
    assert known.rows.tolist() == [9, 10, 19, 20, 21]
    np.testing.assert_array_equal(steps.begins, [np.nan, 0, np.nan, 7, 0])
    np.testing.assert_array_equal(steps.ends, [np.nan, 0, np.nan, -7, 0])
    # Where no pair tells of it, a change costs what it always does.
    assert steps.begin.tolist() == [CHANGE, 10, CHANGE, -4, 10]
    assert steps.end.tolist() == [CHANGE, 10, CHANGE, 24, 10]


def test_content_that_looks_damaged_all_along_is_none():
    rows = list(range(10, 90, 5))
    level = 4 + np.sin(np.arange(len(rows)))
    assert found(*looked(rows, level, level)) == []
    # Nor where it comes to look so little by little.
    slowly = np.linspace(-5, 6, len(rows))
    assert found(*looked(rows, slowly, slowly - 0.3)) == []


def test_the_same_level_with_a_beginning_or_an_end_is_damage():
    rows, level = [10, 20, 30, 40, 50], np.array([-4.0, 4, 4, 4, -4])
    assert found(*looked(rows, level, [-4, -4, 4, 4, 4])) == [(20, 50)]
    # What was there before the programme begins, and goes.
    assert found(*looked(rows, [4, 4, 4, -4, -4], [4, 4, 4, 4, -4])) == [(9, 40)]
    # What comes anew while it lasts.
    assert found(*looked(rows, [4, 4, 8, 4, 4], [4, 4, 2, 4, 4])) == [(9, 51)]


def test_a_step_of_another_cause_proves_nothing():
    rows, level = [10, 20, 30, 40, 50], [-4, 4, 4, 4, 4]
    before = [-4, -4, 4, 4, 4]
    assert found(*looked(rows, level, before)) == [(20, 51)]
    assert found(*looked(rows, level, before, excused=[20])) == []


def test_a_step_up_ends_nothing_and_a_step_down_begins_nothing():
    rises = np.array([np.nan, -5, 0, 5])
    steps = Steps(rises, -rises, *[np.zeros(4)] * 2)
    assert steps.largest(1, 3) == 0
    assert steps.largest(0, 1) == 5
    assert steps.largest(3, 4) == 5
    assert Steps.flat(4, 1.0).largest(0, 4) == 0


def test_a_leap_wants_its_step_as_well():
    rows = list(range(5, 95, 5))
    now = np.zeros(len(rows))
    now[8] = 6
    for before, count in ((now - now, 1), (now, 0)):
        known, steps = looked(rows, now, before)
        assert len(brief(known, STARTS_S, ENDS_S, 3.0, 2.0, steps, 3.0)) == count


@pytest.mark.parametrize("seed", range(10))
def test_the_path_pays_what_each_frame_asks(seed: Any):
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 4, 8)
    steps = Steps(np.zeros(8), np.zeros(8), rng.uniform(-2, 6, 8), rng.uniform(-2, 6, 8))
    scores = np.zeros(8, bool)
    for first, stop in best_runs(evidence, steps):
        scores[first:stop] = True

    def total(run: Any):
        states = np.concatenate([[False], run])
        begins, ends = ~states[:-1] & states[1:], states[:-1] & ~states[1:]
        return evidence[run].sum() - steps.begin[begins].sum() - steps.end[ends].sum()

    runs = ((np.arange(256)[:, None] >> np.arange(8)) & 1).astype(bool)
    assert total(scores) == pytest.approx(max(total(c) for c in runs))


@pytest.mark.parametrize("seed", range(10))
def test_the_posterior_sums_over_all_paths(seed: Any):
    rng = np.random.default_rng(seed)
    evidence = rng.normal(0, 2, 7)
    steps = Steps(np.zeros(7), np.zeros(7), rng.uniform(-2, 4, 7), rng.uniform(-2, 4, 7))
    runs = ((np.arange(128)[:, None] >> np.arange(7)) & 1).astype(bool)
    weight = np.zeros(len(runs))
    for k, run in enumerate(runs):
        states = np.concatenate([[False], run])
        begins, ends = ~states[:-1] & states[1:], states[:-1] & ~states[1:]
        weight[k] = np.exp(evidence[run].sum() - steps.begin[begins].sum() - steps.end[ends].sum())
    expected = [np.log(weight[runs[:, k]].sum() / weight[~runs[:, k]].sum()) for k in range(7)]
    np.testing.assert_allclose(posterior(evidence, steps), expected)


def test_bars_are_black_on_two_sides_at_once():
    frames = np.full((6, 50, 80), 120)
    frames[2:, :6] = frames[2:, -6:] = 16
    frames[4:, :, :10] = frames[4:, :, -10:] = 16
    # Damage that blackens the end of a frame is no bar.
    frames[5, -20:] = 16
    black = frames.max(axis=2) <= 26, frames.max(axis=1) <= 26
    edges = borders(*black)
    assert edges[2].tolist() == [12, 12, 0, 0]
    assert bars_moved(edges, 2).tolist() == [False, False, True, False, True, False]


def test_light_that_changes_is_no_damage_and_damage_is_no_light():
    rng = np.random.default_rng(5)
    luma = rng.uniform(60, 160, (1, 8, 12))
    lit = np.concatenate([luma, luma * 1.1])
    brighter = np.abs(np.diff(lit, axis=0))
    assert brightness_moved(lit, brighter, 0.5).tolist() == [True]
    # Other content of the same light: pixels differ by far more than sums do.
    assert brightness_moved(lit, brighter + 20, 0.5).tolist() == [False]
    # A grey slice: pure, but of a few tiles alone.
    part = np.concatenate([luma, luma])
    part[1, 6:] = 20.0
    assert brightness_moved(part, np.abs(np.diff(part, axis=0)), 0.5).tolist() == [False]
    # Half of the tiles lighter, half darker: a cut between flat shots.
    mixed = np.concatenate([luma, luma])
    mixed[1, :4] += 30
    mixed[1, 4:] -= 30
    assert brightness_moved(mixed, np.abs(np.diff(mixed, axis=0)), 0.5).tolist() == [False]
    assert brightness_moved(np.concatenate([luma, luma]), 0 * brighter, 0.5).tolist() == [False]


def test_where_everything_changes_only_a_step_of_one_side_counts():
    rows = np.array([10, 20, 30, 40])
    begins, ends = np.array([8.0, 6.0, 3.0, -1.0]), np.array([-1.0, 4.0, 0.5, 8.0])
    none, all_of_it = np.zeros(100, bool), np.isin(np.arange(100), rows)
    for confounded, cut in ((none, all_of_it), (all_of_it, none)):
        steps = Steps.of(rows, rows, begins, ends, confounded, cut, CHANGE, USUAL, WEIGHT)
        np.testing.assert_array_equal(steps.begins, [7, np.nan, np.nan, np.nan])
        np.testing.assert_array_equal(steps.ends, [np.nan, np.nan, np.nan, 7])
        assert steps.begin.tolist() == [CHANGE - 10, CHANGE, CHANGE, CHANGE]
        assert steps.end.tolist() == [CHANGE, CHANGE, CHANGE, CHANGE - 10]
        # An end within an interval is a step of it, though nothing begins there.
        assert steps.largest(2, 4) == 7
    both = Steps.of(rows, rows, begins, ends, all_of_it, all_of_it, CHANGE, USUAL, WEIGHT)
    assert np.isnan(both.begins).all()
    assert np.isnan(both.ends).all()


def test_another_shot_is_told_from_damage_bars_or_not():
    luma = np.full((2, 9, 16), 100.0)
    barred = luma.copy()
    barred[:, (0, 1, 7, 8)] = 16.0
    everything, most = np.full((1, 9, 16), 30.0), np.full((1, 9, 16), 30.0)
    most[0, 0, :4] = 2.0
    within = np.where(barred[1:] > 16, 30.0, 0.0)
    assert replaced(luma, everything, 10.0, 26.0).tolist() == [True]
    # Damage leaves some tiles as they were.
    assert replaced(luma, most, 10.0, 26.0).tolist() == [False]
    assert replaced(barred, within, 10.0, 26.0).tolist() == [True]
    # Fast motion changes every tile, but less; and of a dark frame too little is seen.
    assert replaced(luma, everything / 4, 10.0, 26.0).tolist() == [False]
    assert replaced(
        np.where(barred > 16, luma, 16) * (np.arange(16) < 9), within, 10.0, 26.0
    ).tolist() == [False]
