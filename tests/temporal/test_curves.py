"""Curves keep to what was measured, also where nothing was."""

from __future__ import annotations

import numpy as np

from defectscope.temporal.spans import MAX_CURVE_POINTS, curve


def test_steps_without_rows_keep_the_last_value() -> None:
    made = curve(np.array([1.0, 1.1, 1.2, 3.0, 3.1]), np.array([-20.0, -30.0, -25.0, -40.0, -41.0]))
    # A scale of decibels has no 0 that means nothing.
    assert max(made.max) == -20.0
    assert (made.min[0], made.min[-2], made.max[-2]) == (-20.0, -30.0, -25.0)
    assert (made.min[-1], made.max[-1]) == (-41.0, -40.0)


def test_what_is_no_number_is_no_point() -> None:
    made = curve(np.arange(4.0), np.array([np.nan, -3.0, -np.inf, -5.0]))
    assert made.min == (-3.0, -3.0, -3.0, -5.0)
    assert curve(np.arange(2.0), np.array([np.nan, np.nan])).max == (0.0, 0.0)


def test_long_programmes_are_decimated_and_keep_their_peaks() -> None:
    values = np.zeros(90_000)
    values[45_678] = 7.0
    made = curve(np.arange(90_000) / 25.0, values)
    assert len(made.max) <= MAX_CURVE_POINTS
    assert max(made.max) == 7.0


def test_rows_before_the_programme_are_drawn_at_its_beginning() -> None:
    drawn = curve(np.array([-1e9, -5.0]), np.ones(2))
    assert (drawn.min, drawn.max) == ((1.0,), (1.0,))
