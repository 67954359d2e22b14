"""A cadence that coding has blurred: its phase, its breaks, and motion that has none."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.stutter.pulldown import cadences


def blurred(lengths, seed, apart=3.0):
    """Steps of frames shown for so long each: repeats move a third as far, both unevenly."""
    rng = np.random.default_rng(seed)
    new = np.concatenate([[True] + [False] * (length - 1) for length in lengths])
    return np.where(new, 1.0, 1 / apart) * np.exp(rng.normal(0, 0.22, len(new))), new


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_blurred_cadence_is_followed_frame_by_frame(seed):
    steps, new = blurred([2, 3] * 24, seed)
    (found,) = cadences(steps)
    assert (found.first, found.last, found.shown, found.breaks) == (0, 120, (2, 3), ())
    assert (found.repeats == ~new).all()


def test_a_break_is_where_the_phase_jumps():
    steps, _ = blurred([*[2, 3] * 12, 3, *[2, 3] * 6, 2, *[2, 3] * 12], 4)
    (found,) = cadences(steps)
    first, second = found.breaks
    assert 60 <= first <= 64
    assert 92 <= second <= 97


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_uneven_motion_has_no_cadence(seed):
    rng = np.random.default_rng(seed)
    assert not cadences(np.exp(rng.normal(0, 0.6, 600)))
    # Repeats at random are as many, and follow no rhythm.
    held = rng.random(600) < 0.6
    assert not cadences(np.where(held, 0.3, 1.0) * np.exp(rng.normal(0, 0.2, 600)))


def test_a_cadence_ends_where_the_programme_moves_in_every_frame():
    steps, _ = blurred([2, 3] * 24, 8)
    rest = np.exp(np.random.default_rng(9).normal(0, 0.22, 200))
    (found,) = cadences(np.concatenate([rest, steps, rest]))
    assert abs(found.first - 200) <= 6
    assert abs(found.last - 320) <= 6


def test_nothing_follows_from_nothing():
    assert not cadences(np.empty(0))
    assert not cadences(np.zeros(300))
