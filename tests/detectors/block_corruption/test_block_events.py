"""Ends of occurrences from few judged frames, and the evidence that goes with them."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.block_corruption.analysis import (
    MAP_COLUMNS,
    MAP_ROWS,
    coarse_map,
    covered,
)
from defectscope.detectors.block_corruption.detector import Params
from defectscope.detectors.block_corruption.events import Known, events

STARTS_S = np.arange(100) / 25
ENDS_S = (np.arange(100) + 1) / 25


def found(rows, scores, previous, jumps=None, bridge_s=0.0):
    jumps = np.zeros(100) if jumps is None else jumps
    known = Known.of(np.array(rows), np.array(scores), np.array(previous), jumps)
    return [
        (round(e.start_s * 25), round(e.end_s * 25))
        for e in events(known, STARTS_S, ENDS_S, 0.8, 0.4, bridge_s)
    ]


def test_a_pair_across_an_end_gives_it_exactly():
    # Row 20 is damaged and the row before it is not; row 33 is clean and the one before is not.
    assert found([10, 20, 33], [0, 0.9, 0], [0, 0, 0.9]) == [(20, 33)]


def test_without_such_a_pair_the_end_lies_where_the_picture_changed_most():
    jumps = np.zeros(100)
    jumps[16], jumps[41] = 50, 60
    assert found([10, 20, 30, 50], [0, 0.9, 0.9, 0], [0, 0.9, 0.9, 0], jumps) == [(16, 41)]


def test_weak_damage_goes_on_but_does_not_begin_an_occurrence():
    assert found([10, 20, 30, 40], [0, 0.5, 0.5, 0], [0, 0.5, 0.5, 0]) == []
    assert len(found([10, 20, 30, 40], [0, 0.9, 0.5, 0], [0, 0.5, 0.5, 0])) == 1


def test_damage_at_the_borders_of_the_programme_has_ends():
    assert found([0, 12], [0.9, 0.9], [0.9, 0.9]) == [(0, 13)]


def test_damage_seen_only_as_the_picture_before_counts():
    assert found([20], [0.0], [0.95]) == [(19, 20)]


def test_occurrences_close_together_are_one():
    rows, scores, before = [10, 15, 20, 25], [0.9, 0, 0.9, 0], [0, 0.9, 0, 0.9]
    assert found(rows, scores, before) == [(10, 15), (20, 25)]
    assert found(rows, scores, before, bridge_s=0.2) == [(10, 25)]


def test_the_area_counts_the_last_cells_only_as_far_as_the_picture_goes():
    cells = np.zeros((2, 2))
    cells[1, 1] = 1.0
    assert covered(cells, 0.5, (48, 40)) == pytest.approx(16 * 8 / (48 * 40))
    cells[:] = 1.0
    assert covered(cells, 0.5, (48, 40)) == pytest.approx(1.0)


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (9, 16), (34, 60)])
def test_a_coarse_map_keeps_the_strongest_cell_in_its_place(shape):
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
def test_parameters_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Params(**wrong)
