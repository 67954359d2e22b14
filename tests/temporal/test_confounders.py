"""Intervals that have another cause are told apart by what lies beside them."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.temporal.confounders import sides, suppress_confounded
from defectscope.temporal.run_lengths import RunRule

RULE = RunRule(1.0, 1.0, 0.2, 0.3)


def test_an_excused_interval_stays_below_what_counts_and_others_are_left_alone() -> None:
    measure = np.zeros(60)
    measure[10:25], measure[35:50] = 3.0, 2.0
    out = suppress_confounded(measure, RULE, lambda rows: rows[0] < 30)
    assert out[10:25].max() == pytest.approx(0.5)
    assert np.array_equal(out[35:], measure[35:])
    assert measure[10] == 3.0


def test_sides_are_medians_of_what_is_there() -> None:
    values = np.concatenate([np.full(10, 1.0), np.full(5, 9.0), np.full(10, 3.0)])
    assert sides(values, (10, 15), 4) == (1.0, 3.0)
    assert sides(values, (0, 15), 4) == (3.0,)
    assert sides(values, (0, 25), 4) == (3.0,)
