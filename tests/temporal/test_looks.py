"""Grades: sums of trees add up, odd looks are outvoted, and each instant has its latest look."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from defectscope.errors import ArtifactError
from defectscope.temporal.looks import grade_at, grades, lasting, throughout
from defectscope.temporal.tables import TableBuilder
from defectscope.temporal.trees import TreeSum

TWO = {
    "measures": ["b", "a"],
    "base": 1.0,
    "features": [[0, 1, 1], [1, 0, 0]],
    "bounds": [[5.0, 1.0, 1.0], [0.0, 9.0, 9.0]],
    "values": [[0.0, 1.0, 2.0, 4.0], [0.0, 0.5, 0.25, 0.125]],
}


def test_trees_add_up_by_the_names_of_their_measures() -> None:
    trees = TreeSum(TWO, ("a", "b"))
    rows = np.array([[0.0, 5.0], [2.0, 6.0], [2.0, 10.0]])
    assert trees(rows).tolist() == [1.0, 1 + 4 + 0.25, 1 + 4 + 0.125]
    assert trees(rows[:0]).shape == (0,)


@pytest.mark.parametrize(
    "change",
    [
        {"measures": ["c"]},
        {"features": [[0, 1, 2], [0, 0, 0]]},
        {"values": [[0.0, 1.0], [0.0, 1.0]]},
        {"bounds": [[1.0]]},
        {"base": "high"},
    ],
)
def test_a_document_that_does_not_fit_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ArtifactError):
        TreeSum({**TWO, **change}, ("a", "b"))


def looked(values: list[float]) -> tuple[np.ndarray, np.ndarray]:
    builder = TableBuilder(Fraction(10), pts=np.int64, a=np.float32)
    builder.add(pts=[10 * k for k in range(len(values))], a=values)
    ramp = {
        "measures": ["a"],
        "base": 0.0,
        "features": [[0]] * 9,
        "bounds": [[k + 0.5] for k in range(9)],
        "values": [[0.0, 1.0]] * 9,
    }
    table = builder.table()
    grade = grades(table, TreeSum(ramp, ("a",)), ("a",))
    return grade, grade_at(table, grade, np.array([0.0, 0.95, 1.0, 99.0]))


def test_one_odd_look_decides_nothing() -> None:
    assert looked([0.0, 4.0, 0.0, 3.0])[0].tolist() == [0.0, 0.0, 3.0, 0.0]


def test_grades_end_at_five_and_a_lone_look_counts() -> None:
    assert looked([8.0])[0].tolist() == [5.0]


def test_an_instant_has_its_latest_look() -> None:
    assert looked([2.0, 2.0, 4.0, 4.0])[1].tolist() == [2.0, 2.0, 2.0, 4.0]
    assert looked([])[1].tolist() == [0.0] * 4


def test_a_grade_that_stands_alone_is_worth_less_and_one_that_lasts_is_not() -> None:
    graded = [0.0, 3.0, 0.0, 3.0, 3.0, 0.0, 0.0, 3.0]
    assert lasting(np.array(graded), 0.5).tolist() == [0.0, 2.5, 0.0, 3.0, 3.0, 0.0, 0.0, 2.5]
    assert lasting(np.array([2.0, 2.2, 1.0]), 0.5).tolist() == [2.0, 2.0, 1.0]
    assert lasting(np.array([3.0, 0.0]), 0.5).tolist() == [3.0, 0.0]
    assert lasting(np.zeros(0), 0.5).tolist() == []


def test_a_programme_is_worth_what_nearly_all_of_its_looks_reach() -> None:
    assert throughout(np.zeros(0)) == 0.0
    assert throughout(np.array([7.0])) == 5.0
    assert throughout(np.array([2.5, -1.0, 3.0])) == 0.0
    assert throughout(np.array([2.0, 2.5, 1.9])) == 1.9
    # One look of eleven may be a fade.
    assert throughout(np.array([0.0, *[2.2] * 10])) == 2.2
    assert throughout(np.array([0.0, 0.0, *[2.2] * 9])) == 0.0
