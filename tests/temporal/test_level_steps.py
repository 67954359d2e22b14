"""Rises of a level within a shot, beside cuts and away from them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from defectscope.temporal.level_steps import rises


def stepped(count: int, at: int) -> NDArray[np.float64]:
    return np.where(np.arange(count) >= at, 3.0, 1.0)


def begins(count: int, *cuts: int) -> NDArray[np.bool_]:
    out = np.zeros(count, np.bool_)
    out[list(cuts)] = True
    return out


def test_a_step_within_a_shot_is_as_high_as_it_is() -> None:
    found = rises(stepped(60, 30), begins(60), 12)
    assert found[30] == 2.0
    assert found.max() == 2.0
    # The one odd row that is allowed may be the first or the last.
    assert np.flatnonzero(found).tolist() == [29, 30, 31]


@pytest.mark.parametrize(("cut", "told"), [(23, True), (26, False), (30, False), (34, False)])
def test_rows_of_another_shot_do_not_count(cut: int, told: bool) -> None:
    found = rises(stepped(60, 30), begins(60, cut), 12)
    assert found[30] == (2.0 if told else 0.0)


def test_what_another_shot_is_like_does_not_hide_a_step() -> None:
    levels = stepped(60, 30)
    levels[:22] = 9.0
    assert rises(levels, begins(60, 22), 12)[30] == 2.0
    assert rises(levels, begins(60), 12)[30] == 0.0


def test_a_short_window_wants_four_rows_of_the_shot() -> None:
    found = rises(stepped(30, 10), begins(30, 7), 4)
    assert found[10] == 0.0
    assert rises(stepped(30, 10), begins(30, 6), 4)[10] == 2.0


def test_one_odd_row_and_too_few_rows_tell_nothing() -> None:
    levels = np.ones(40)
    levels[20] = 9.0
    assert not rises(levels, begins(40), 8).any()
    assert not rises(stepped(5, 3), begins(5), 4).any()


def test_how_many_rows_are_held_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    levels, shots = np.random.default_rng(3).random(50), begins(50, 17, 33)
    whole = rises(levels, shots, 6)
    assert whole.any()
    monkeypatch.setattr("defectscope.temporal.level_steps._BLOCK_ROWS", 7)
    assert np.array_equal(rises(levels, shots, 6), whole)
