"""Ends of events from few evaluated frames, and the evidence that goes with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from defectscope.detectors.block_corruption.analysis import (
    MAP_COLUMNS,
    MAP_ROWS,
    coarse_map,
    covered,
)
from defectscope.detectors.block_corruption.context_features import baseline, context_features
from defectscope.detectors.block_corruption.detector import Params
from defectscope.detectors.block_corruption.events import (
    Event,
    Known,
    best_runs,
    brief,
    events,
    with_brief,
)
from defectscope.detectors.block_corruption.steps import Steps
from defectscope.errors import InvalidParameterError

STARTS_S = np.arange(100) / 25
ENDS_S = (np.arange(100) + 1) / 25
# What an end costs, in log-odds.
COST = 3.0


def flat(known: Any):
    """Steps that tell nothing: every end costs the same."""
    return Steps.flat(len(known.rows), COST)


def found(
    rows: Any,
    evidence: Any,
    previous: Any,
    jumps: Any = None,
    bridge_s: Any = 0.0,
    enter: Any = 0.5,
):
    jumps = np.zeros(100) if jumps is None else jumps
    known = Known.of(np.array(rows), np.array(evidence, float), np.array(previous, float), jumps)
    return [
        (round(e.start_s * 25), round(e.end_s * 25))
        for e in events(known, known.scores, STARTS_S, ENDS_S, flat(known), enter, bridge_s)
    ]


def test_a_pair_across_an_end_gives_it_exactly():
    # Row 20 is damaged and the row before it is not; row 33 is clean and the one before is not.
    assert found([10, 20, 33], [-5, 5, -5], [-5, -5, 5]) == [(20, 33)]


def test_without_such_a_pair_the_end_lies_where_the_frame_changed_most():
    jumps = np.zeros(100)
    jumps[16], jumps[41] = 50, 60
    assert found([10, 20, 30, 50], [-5, 5, 5, -5], [-5, 5, 5, -5], jumps) == [(16, 41)]


def test_one_frame_of_weak_evidence_begins_nothing_and_several_do():
    assert found([10, 20, 30], [-5, 4, -5], [-5, -5, -5]) == []
    assert len(found([10, 20, 30], [-5, 4, -5], [-5, 4, -5])) == 1


def test_one_frame_beyond_doubt_is_enough():
    assert found([10, 20, 30], [-5, 8, -5], [-5, -5, -5]) == [(20, 21)]


def test_one_frame_that_looks_clean_does_not_end_an_event():
    rows = [10, 20, 24, 30]
    assert found(rows, [5, 5, -4, 5], [5, 5, 5, 5]) == [(9, 31)]
    assert len(found(rows, [5, 5, -8, 5], [5, 5, 5, 5])) == 2


def test_an_event_needs_one_frame_that_is_likely_damaged():
    rows = [10, 20, 30, 40]
    doubtful = ([-5, 2, 2, -5], [-5, 2, 2, -5])
    assert len(found(rows, *doubtful, enter=0.8)) == 1
    assert found(rows, *doubtful, enter=0.95) == []


def test_damage_at_the_borders_of_the_programme_has_ends():
    assert found([0, 12], [5, 5], [5, 5]) == [(0, 13)]


def test_a_frame_looked_at_twice_counts_with_the_mean():
    # Damaged for itself, clean as the one before: in doubt, and nothing is found.
    assert found([20, 21], [9, -9], [-9, -9]) == []
    assert found([20, 21], [9, -9], [-9, 9]) == [(20, 21)]


def test_events_close_together_are_one():
    rows, evidence, before = [10, 15, 20, 25], [9, -9, 9, -9], [-9, 9, -9, 9]
    assert found(rows, evidence, before) == [(10, 15), (20, 25)]
    assert found(rows, evidence, before, bridge_s=0.2) == [(10, 25)]


def test_ends_are_drawn_in_to_what_looks_damaged_by_itself():
    scores = np.full(100, -5.0)
    scores[40:60] = 4
    known = Known(np.arange(100), scores, np.zeros(100))
    # Evidence that listens to the half second around reaches too far on both sides.
    evidence = np.full(100, -5.0)
    evidence[28:72] = 4
    (event,) = events(known, evidence, STARTS_S, ENDS_S, flat(known), 0.5, 0.0)
    assert (event.start_s, event.end_s) == (40 / 25, 60 / 25)
    # No further than evidence can have reached: what goes on for longer is weak damage.
    evidence[:] = 4
    (event,) = events(known, evidence, STARTS_S, ENDS_S, flat(known), 0.5, 0.0)
    assert (event.start_s, event.end_s) == (0, 4)


@pytest.mark.parametrize("seed", range(20))
def test_the_path_is_the_best_of_all_paths(seed: Any):
    evidence = np.random.default_rng(seed).normal(0, 4, 9)
    scores = np.zeros(9, bool)
    for first, stop in best_runs(evidence, Steps.flat(9, COST)):
        scores[first:stop] = True

    def total(run: Any):
        # Clean before the first frame; what lasts beyond the last one has no end yet.
        changes = np.count_nonzero(np.diff(np.concatenate([[False], run])))
        return evidence[run].sum() - COST * changes

    runs = ((np.arange(512)[:, None] >> np.arange(9)) & 1).astype(bool)
    assert total(scores) == pytest.approx(max(total(c) for c in runs))


def test_what_is_usual_follows_the_content_and_not_the_damage():
    times_s = np.arange(0, 60, 0.25)
    scores = np.where(times_s < 30, -4.0, -1.0)
    scores[(times_s >= 10) & (times_s < 13)] += 5.0
    found = baseline(scores, times_s)
    assert found[times_s == 11.0] == pytest.approx(-4.0)
    assert found[times_s == 55.0] == pytest.approx(-1.0)


def test_what_is_usual_does_not_depend_on_how_closely_damage_was_looked_at():
    once_s = np.arange(0, 10, 0.5)
    scores = np.where((once_s >= 4) & (once_s < 7), 3.0, -2.0 + 0.01 * once_s)
    often_s = np.sort(np.concatenate([once_s, *(4 + k / 10 + np.arange(6) / 2 for k in (1, 2, 3))]))
    often = np.interp(often_s, once_s, scores)
    often[(often_s >= 4) & (often_s < 7)] = 3.0
    assert baseline(often, often_s)[0] == pytest.approx(baseline(scores, once_s)[0], abs=0.01)


def test_what_is_usual_is_the_same_however_a_programme_was_cut():
    rng = np.random.default_rng(4)
    times_s, scores = np.arange(0, 40, 0.13), rng.normal(0, 2, 308)
    inside = (times_s >= 5) & (times_s < 36)
    whole, part = baseline(scores, times_s), baseline(scores[inside], times_s[inside])
    sure = (times_s >= 16) & (times_s < 25)
    np.testing.assert_array_equal(whole[sure], part[sure[inside]])


def test_the_area_counts_the_last_cells_only_as_far_as_the_frame_goes():
    cells = np.zeros((2, 2))
    cells[1, 1] = 1.0
    assert covered(cells, 0.5, (48, 40)) == pytest.approx(16 * 8 / (48 * 40))
    cells[:] = 1.0
    assert covered(cells, 0.5, (48, 40)) == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (9, 16), (34, 60)])
def test_a_coarse_map_keeps_the_strongest_cell_in_its_place(shape: Any):
    cells = np.zeros(shape)
    cells[-1, -1] = 0.75
    coarse = coarse_map(cells)
    assert coarse.shape == (MAP_ROWS, MAP_COLUMNS)
    assert coarse[-1, -1] == 0.75
    if min(shape) > 1:
        assert coarse[0, 0] == 0.0


@pytest.mark.parametrize(
    "wrong", [{"frames_per_s": 3}, {"frames_per_s": 0}, {"decision": "coin"}, {"max_height_px": 8}]
)
def test_parameters_out_of_range_are_refused(wrong: Any):
    with pytest.raises(InvalidParameterError, match=next(iter(wrong))):
        Params(**wrong)


def test_clues_of_a_frame_are_those_around_it_and_its_own():
    at_s = np.arange(0, 4, 0.5)
    logits = np.array([0.0, 0.0, 0.0, 8.0, 0.0, 0.0, 0.0, 0.0])
    scores = context_features(logits, np.full(8, 0.01), at_s)
    assert scores["highest"].tolist() == [0, 0, 8, 8, 8, 0, 0, 0]
    assert scores["lowest"].tolist() == [0] * 8
    # The second after frame 2 holds frames 3 and 4, that after frame 1 frames 2 and 3.
    assert scores["after"].tolist() == [0, 4, 4, 0, 0, 0, 0, 0]
    assert scores["before"].tolist() == [0, 0, 0, 0, 4, 4, 0, 0]


def test_a_frame_by_itself_is_its_own_surroundings():
    scores = context_features(np.array([3.0, -1.0]), np.zeros(2), np.array([0.0, 60.0]))
    for name in ("before", "after", "highest", "lowest"):
        assert scores[name].tolist() == [3, -1]


def test_damage_stands_out_and_content_that_always_looks_damaged_does_not():
    at_s = np.arange(100) / 5
    logits, shares = np.full(100, 1.5), np.full(100, 0.01)
    logits[50], shares[50] = 4.0, 0.2
    scores = context_features(logits, shares, at_s)
    assert scores["logit_rise"][50] == pytest.approx(2.5)
    assert scores["area_rise"][50] == pytest.approx(np.log(0.201 / 0.011))
    assert not scores["logit_rise"][np.arange(100) != 50].any()
    # The decision itself is kept: what is damaged from end to end has nothing to stand out from.
    assert scores["logit"].tolist() == logits.tolist()


def spotted(scores: Any, logit: Any = 3.0, rise: Any = 2.0, every: Any = 5):
    """Brief events in a programme at 25 frames a second of which each `every`th is evaluated."""
    frames = np.arange(len(scores) * every)
    known = Known(frames[::every], np.array(scores, float), np.zeros(len(frames)))
    return brief(known, frames / 25, (frames + 1) / 25, logit, rise, flat(known))


def test_what_leaps_out_of_both_sides_is_an_event_by_itself():
    (event,) = spotted([0, 0, 0, 0, 6, 0, 0, 0, 0])
    # Analyzed 0.2 s apart, its ends lie no further away than the frames beside it.
    assert 0.6 < event.start_s <= 0.8
    assert 0.8 < event.end_s <= 1.04


def test_what_stays_is_no_leap():
    assert spotted([0, 0, 0, 0, 6, 6, 6, 6, 6, 6, 6, 6]) == []


def test_content_that_always_looks_damaged_has_to_leap_as_well():
    assert spotted([4] * 9) == []
    assert spotted([4, 4, 4, 4, 5, 4, 4, 4, 4]) == []
    assert len(spotted([4, 4, 4, 4, 8, 4, 4, 4, 4])) == 1


def test_a_leap_to_little_is_none():
    assert spotted([-5, -5, -5, -5, 2, -5, -5, -5, -5]) == []


def test_a_frame_without_surroundings_leaps_out_of_nothing():
    assert spotted([9]) == []


def test_brief_events_add_what_touches_no_other():
    long, inside, apart = Event(1, 3, 0.9), Event(1.5, 1.6, 0.8), Event(0.2, 0.3, 0.7)
    assert with_brief([long], [inside, apart]) == [apart, long]
