"""Seams that roll: their rows found on a line, edges that climb and flash told apart."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.tearing.rolling import ridges, rolling_lines
from defectscope.detectors.tearing.seams import STEPS_PER_CODE

ROWS, FRAMES = 240, 60


def steps_of(seed, edge=None, seam=None):
    """Steps between rows, codes in 1/64: uneven, with a broad edge and a seam one row high."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(rng.gamma(4, 0.5, ROWS)[None], FRAMES, axis=0)
    codes *= np.exp(rng.normal(0, 0.05, codes.shape))
    for frame in range(FRAMES):
        if edge is not None:
            codes[frame, int(edge(frame)) : int(edge(frame)) + 3] += 12
        if seam is not None and 15 <= frame < 45:
            codes[frame, int(seam(frame))] += 12
    return (codes * STEPS_PER_CODE).astype(np.uint16)


def lines(steps, rate_fps=25.0):
    kept = [each.astype(float) for each in ridges(np.concatenate([steps[:1], steps]))]
    return rolling_lines(*kept, rate_fps, ROWS)


@pytest.mark.parametrize("pace", [1.2, 4.0, -2.5])
def test_a_seam_that_drifts_is_a_line_of_its_rows(pace):
    found = lines(steps_of(1, seam=lambda t: 120 + pace * (t - 30)))
    begun = np.flatnonzero(found.clear >= 0.55)
    assert abs(begun[0] - 15) <= 2
    assert abs(begun[-1] + found.least_frames - 45) <= 3
    middle = begun[len(begun) // 2]
    assert found.row[middle] == pytest.approx(120 + pace * (middle - 30), abs=1.5)


@pytest.mark.parametrize(
    ("edge", "seam"),
    [
        (lambda t: 60 + 2 * t, None),  # an edge of three rows that climbs
        (None, lambda t: 120),  # a line that stays is no rolling one
        (None, lambda t: (67 * t) % 200 + 20),  # rows anywhere follow no line
    ],
)
def test_what_makes_no_line_of_single_rows(edge, seam):
    assert lines(steps_of(2, edge, seam)).clear.max() < 0.4


def test_next_to_an_edge_a_line_may_be_the_rim_of_a_thing():
    low, middle = (lines(steps_of(1, seam=lambda t, a=a: a + 1.1 * (t - 15))) for a in (8, 100))
    assert low.row[low.clear >= 0.55].min() >= 17
    assert middle.row[middle.clear >= 0.55].min() <= 103


def test_calm_and_small_frames_have_no_ridges():
    assert not ridges(np.zeros((3, ROWS), np.uint16))[1].any()
    kept = [each.astype(float) for each in ridges(np.full((3, 32), 90, np.uint16))]
    assert rolling_lines(*kept, 25.0, 32).clear.max() == 0


@pytest.mark.parametrize("pace", [1, 2, 3])
def test_lines_of_credits_climb_as_their_letters_do(pace):
    rng = np.random.default_rng(3)
    tall = np.where(np.arange(900) % 30 < 14, rng.gamma(4, 1.5, 900), 0.1)
    tall[::30] = 16  # where every letter stands on its line
    steps = np.stack([tall[300 + pace * t : 300 + pace * t + ROWS] for t in range(FRAMES)])
    assert lines((steps * STEPS_PER_CODE).astype(np.uint16)).clear.max() < 0.3
