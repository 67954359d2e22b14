"""Stutter: what looks like lost or repeated frames and has another cause stays silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from defectscope.detectors.stutter.drawn import drawn
from defectscope.detectors.stutter.motion import Motion, jumps, same_way
from defectscope.detectors.stutter.rhythm import cadence
from defectscope.engine.artifacts import tuned

LIMITS = tuned("stutter").thresholds


def moving(tiles: Any, drift: float, leaps: dict[int, float] | None = None) -> Motion:
    steps = np.asarray(tiles, float)
    leap = np.zeros(len(steps))
    for row, much in (leaps or {}).items():
        leap[row] = much
    fill = np.ones(len(steps))
    return Motion(
        mean=steps,
        peak=np.where(steps > 0, 20.0, 0.0),
        luma=100 * fill,
        tiles=steps,
        drift=drift * (steps > 0),
        apart=0.05 * fill,
        leap=leap,
        way=0.5 * fill,
    )


def as_flags(text: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.array([letter == "S" for letter in text])


@pytest.mark.parametrize(("drift", "is_drawn"), [(0.01, True), (0.5, False)])
def test_a_ground_that_stands_exactly_is_drawn_where_frames_often_stand(
    drift: float, is_drawn: bool
) -> None:
    rng = np.random.default_rng(1)
    still = rng.random(120) < 0.4
    found = drawn(moving(np.where(still, 0.0, 1.0), drift), still, LIMITS)
    assert found.all() if is_drawn else not found.any()


def test_what_hardly_ever_stands_is_not_drawn() -> None:
    still = np.zeros(120, bool)
    still[60] = True
    assert not drawn(moving(np.where(still, 0.0, 1.0), 0.01), still, LIMITS).any()


def test_a_step_that_no_motion_beside_it_makes_is_no_jump() -> None:
    def found(at: float, after: float = 1.0) -> list[int]:
        steps = np.where(np.arange(60) < 30, 1.0, after)
        steps[30] = at
        motion = moving(steps, 0.5, {30: 1.6})
        clear = jumps(motion, np.zeros(60, bool), 25.0, LIMITS)
        return np.flatnonzero(clear).tolist()

    # Five frames are missing; a jump cut; a caption that comes when motion ends.
    assert found(6.0) == [30]
    assert not found(20.0)
    assert not found(6.0, after=0.1)


def test_small_steps_to_and_fro_are_a_crop_that_follows() -> None:
    still_going = moving(np.ones(60), 0.5)
    way = np.tile([0.6, -0.5, 0.7, -0.4, 0.5, -0.5], 10)
    motion = replace(still_going, way=way)
    weak = [(row, row + 1, "drop", 0.9) for row in range(6)]
    assert not same_way(weak, motion, LIMITS)
    assert same_way(weak, replace(still_going, way=np.abs(way)), LIMITS)
    clear = [*weak[:5], (5, 6, "drop", 1.6)]
    assert same_way(clear, motion, LIMITS)
    # Alone, a clear step must go on as well: a caption that changes goes nowhere.
    assert not same_way([(1, 2, "drop", 1.9)], motion, LIMITS)
    assert not same_way([], motion, LIMITS)


def test_leaps_far_longer_than_any_step_beside_them_may_go_anywhere() -> None:
    rows = [10, 20, 31]

    def found(step: float, clear: float, beside: float = 1.0) -> bool:
        steps = np.ones(60)
        steps[rows] = step
        # Each has a neighbour that is long as well.
        steps[[row + 2 for row in rows]] = beside
        motion = replace(moving(steps, 0.5), way=np.full(60, -0.3))
        return same_way([(row, row + 1, "drop", clear) for row in rows], motion, LIMITS)

    assert found(4.0, 1.1)
    # Steps like others: a crop that follows. What tells little of missing frames tells nothing.
    assert not found(4.0, 1.1, beside=3.5)
    assert not found(1.2, 1.1)
    assert not found(4.0, 0.7)


TWOS, FIVES = "mS" * 30, "mSmSS" * 16


@pytest.mark.parametrize(
    "shown",
    [
        TWOS,
        FIVES,
        # One frame is taken for the other kind; the rhythm ends; a drawing is held.
        TWOS[:30] + "mm" + TWOS[:30],
        FIVES[:40] + "mSmmS" + FIVES[:40],
        TWOS + "m" * 20,
        TWOS + "SSSSS" + "mmmm",
    ],
)
def test_a_rhythm_that_keeps_its_phase_is_not_broken(shown: str) -> None:
    _, broken = cadence(as_flags(shown), 3)
    assert not broken.any()


@pytest.mark.parametrize("shown", [TWOS + "S" + TWOS, FIVES[:40] + "SS" + FIVES[:40]])
def test_a_rhythm_in_another_phase_is_broken_there(shown: str) -> None:
    _, broken = cadence(as_flags(shown), 3)
    rows = np.flatnonzero(broken)
    assert len(rows)
    middle = len(shown) // 2
    assert abs(rows - middle).max() <= 6
