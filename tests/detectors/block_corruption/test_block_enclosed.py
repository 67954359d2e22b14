"""Damage between a certain beginning and a certain end, however little it shows itself."""

import numpy as np
import pytest

from defectscope.detectors.block_corruption.enclosed import enclosed
from defectscope.detectors.block_corruption.events import Known
from defectscope.detectors.block_corruption.steps import Steps

# Frames that were evaluated, of 25 a second; the network sees the same in all of them.
ROWS = np.array([0, 10, 11, 20, 30, 31, 40])
STARTS_S = np.arange(400) / 25


def steps(begins=None, ends=None, count=7):
    odds = [np.full(count, -2.0), np.full(count, -2.0)]
    for array, given in zip(odds, (begins, ends), strict=True):
        for at, value in (given or {}).items():
            array[at] = value
    flat = np.full(count, 6.5)
    return Steps(odds[0], odds[1], flat, flat)


def known(rows=ROWS):
    return Known(rows, np.zeros(len(rows)), np.zeros(len(STARTS_S)))


def found(own, rows=ROWS):
    return [(e.start_s, e.end_s) for e in enclosed(known(rows), STARTS_S, own, 3.5)]


def test_what_a_certain_beginning_and_end_enclose_is_an_event():
    (event,) = enclosed(known(), STARTS_S, steps({2: 4.3}, {5: 5.3}), 3.5)
    assert (event.start_s, event.end_s) == (11 / 25, 31 / 25)
    # As certain as the less certain of both.
    assert event.confidence == pytest.approx(1 / (1 + np.exp(-4.3)))


@pytest.mark.parametrize(
    "own",
    [
        steps({2: 4.3}),
        steps(None, {5: 5.3}),
        steps({2: 3.4}, {5: 5.3}),
        steps({2: 4.3}, {5: 3.4}),
        # The other way round: it was damaged from the beginning, and is again to the end.
        steps({5: 4.3}, {2: 5.3}),
        steps({2: np.nan}, {5: 5.3}),
    ],
)
def test_one_of_both_is_not_enough(own):
    assert found(own) == []


def test_damage_may_come_anew_before_it_goes_and_goes_once():
    assert found(steps({1: 4.0, 3: 4.0}, {4: 4.0, 6: 4.0})) == [(10 / 25, 30 / 25)]


def test_a_beginning_long_ago_encloses_nothing():
    rows = np.array([0, 10, 300])
    assert found(steps({1: 6.0}, {2: 6.0}, count=3), rows) == []
