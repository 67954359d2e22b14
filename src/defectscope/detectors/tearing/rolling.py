"""Seams that roll: a step across the whole width that climbs or sinks at a steady pace.

A screen that is filmed, or read out while it is drawn, is torn at a row that drifts from frame to
frame. In each frame that row differs from the one above by more than any row near it does; over
half a second such rows lie on one straight line, while what is around them moves otherwise. Edges
of things are broader than a row or slanted; lines of credits climb as all of their letters do.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.tearing.seams import STEPS_PER_CODE, Steps, Values, margin_rows

# Rows of a frame that are kept, and rows on either side that each must exceed.
KEPT_RIDGES = 2
_NEIGHBOUR_ROWS = 3
# What every step holds beside what is seen, codes: in calm rows coding decides.
_CALM_CODE = 0.5
# Height from which on a ridge counts, and where it stops counting, logarithms of ratios.
_LEAST_RIDGE, _MOST_RIDGE = 0.3, 1.2
# Rows on either side that say how far things moved, how far they may, and by how much a row counts.
_AROUND_ROWS, _LEAST_SUNK_ROWS, _SUNK_SHARE = 24, 12, 30
_MOST_APART, _BETTER = np.float32(0.7), np.float32(0.97)
# What moves as its surroundings do, within so many rows a frame, is a thing.
_SAME_SHIFT_PX = 0.75
# Over how long a line is looked for, which pace it has at least, and how far its rows may lie off.
_LINE_S, _LINE_FRAMES = 0.4, (8, 24)
_LEAST_PACE_PX, _OFF_PX = 1.0, 1.25
# A seam that crosses the frame in less than so many lines' lengths is no line to anybody.
_LEAST_CROSSING = 1.0
# So many of a line's frames must show it.
_ON_LINE_SHARE = 0.75
_ENDS = (1, 2, 3)


def ridges(steps: Steps) -> tuple[NDArray[np.intp], Values, NDArray[np.intp]]:
    """Finds the rows of each frame whose step exceeds those beside it most.

    Args:
        steps: (1 + n, height) steps in 1/64 code, those of the frame before included.

    Returns:
        (n, 2) rows, first rows below the step; (n, 2) by how much each exceeds, natural logarithms
        of ratios; and (n, 2) by how many rows what is around it has sunk since the frame before.
    """
    logs = np.log(steps.astype(np.float32) + np.float32(_CALM_CODE * STEPS_PER_CODE))
    before, logs = logs[:-1], logs[1:]
    count, height = logs.shape
    surroundings = np.full_like(logs, np.log(_CALM_CODE * STEPS_PER_CODE))
    for away in range(1, _NEIGHBOUR_ROWS + 1):
        np.maximum(surroundings[:, away:], logs[:, :-away], out=surroundings[:, away:])
        np.maximum(surroundings[:, :-away], logs[:, away:], out=surroundings[:, :-away])
    excess = np.maximum(logs - surroundings, 0.0)
    margin = margin_rows(height)
    excess[:, :margin] = excess[:, height - margin :] = 0.0
    every = np.arange(count)
    rows, sunk = (np.zeros((count, KEPT_RIDGES), np.intp) for _ in range(2))
    heights = np.zeros((count, KEPT_RIDGES), np.float32)
    for place in range(KEPT_RIDGES):
        rows[:, place] = np.argmax(excess, axis=1)
        heights[:, place] = excess[every, rows[:, place]]
        excess[every, rows[:, place]] = 0.0
        sunk[:, place] = _sunk(before, logs, rows[:, place])
    return rows, heights, sunk


def _sunk(before: Values, logs: Values, rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns by how many rows the steps around a row have moved down, (n,), 0 if unknown."""
    count, height = logs.shape
    offsets = np.array([k for k in range(-_AROUND_ROWS, _AROUND_ROWS + 1) if abs(k) > 2])
    places = rows[:, None] + offsets
    every = np.arange(count)[:, None]
    now = logs[every, np.clip(places, 0, height - 1)]
    most = max(_LEAST_SUNK_ROWS, height // _SUNK_SHARE)
    # All rows that any shift leads to are looked up once.
    reach = _AROUND_ROWS + most
    near = rows[:, None] + np.arange(-reach, reach + 1)
    near = before[every, np.clip(near, 0, height - 1)]
    best, least = np.zeros(count, np.intp), np.full(count, np.inf, np.float32)
    # The nearest first: where nothing tells, things stay.
    for by in sorted(range(-most, most + 1), key=abs):
        then = near.take(offsets + (reach - by), axis=1)
        apart = np.minimum(np.abs(now - then), _MOST_APART).sum(axis=1)
        better = apart < least * _BETTER
        best, least = np.where(better, by, best), np.where(better, apart, least)
    return best


@dataclass(frozen=True, slots=True)
class Lines:
    """The line of ridges that begins in each frame, (n,) each.

    Attributes:
        score: Sum of its ridges' heights over its frames; 0 for none.
        row: Its row in the first frame.
        frames: Over how many frames it was looked for.
    """

    score: NDArray[np.float64]
    row: NDArray[np.intp]
    frames: int

    @property
    def clear(self) -> NDArray[np.float64]:
        """Mean height of the ridges on each line."""
        return self.score / self.frames

    @property
    def least_frames(self) -> int:
        """How many frames of a line show it at least: its end may lie that early."""
        return math.ceil(_ON_LINE_SHARE * self.frames)


def rolling_lines(
    rows: NDArray[np.float64],
    heights: NDArray[np.float64],
    sunk: NDArray[np.float64],
    rate_fps: float,
    height_px: int,
) -> Lines:
    """Finds straight lines of ridges that climb or sink.

    Args:
        rows: (n, ridges) as `ridges` gives them.
        heights: The same.
        sunk: The same.
        rate_fps: Frames a second.
        height_px: Rows of a frame.
    """
    count, kept = rows.shape
    span = int(np.clip(round(_LINE_S * rate_fps), *_LINE_FRAMES))
    most_px = height_px / (_LEAST_CROSSING * span)
    weights = np.where(heights >= _LEAST_RIDGE, np.minimum(heights, _MOST_RIDGE), 0.0)
    nowhere = np.full((span, kept), -(10.0**6))
    rows = np.concatenate([rows, nowhere])
    weights = np.concatenate([weights, np.zeros((span, kept))])
    sunk = np.concatenate([sunk, np.zeros((span, kept))])
    score, begins = np.zeros(count), np.zeros(count, np.intp)
    # Every way to lay a line is followed together with the others: many calls for few frames each
    # would cost more than what they do.
    ways: list[tuple[int, NDArray[np.intp], NDArray[np.float64]]] = []
    for place in range(kept):
        for length in (span - end for end in _ENDS):
            for other in range(kept):
                pace = (rows[length : length + count, other] - rows[:count, place]) / length
                able = (weights[:count, place] > 0) & (weights[length : length + count, other] > 0)
                able &= (np.abs(pace) >= _LEAST_PACE_PX) & (np.abs(pace) <= most_px)
                # Next to an edge too few rows are left to tell a seam from a thing.
                middle = rows[:count, place] + pace * (span - 1) / 2
                able &= np.minimum(middle, height_px - middle) >= _AROUND_ROWS
                at = np.flatnonzero(able)
                if len(at):
                    ways.append((place, at, pace[at]))
    if not ways:
        return Lines(score, begins, span)
    every, paces = (np.concatenate([way[k] for way in ways]) for k in (1, 2))
    first = np.concatenate([rows[at, place] for place, at, _ in ways])
    totals = _along(rows, weights, sunk, every, first, paces, span)
    reached = 0
    for place, at, _ in ways:
        total, reached = totals[reached : reached + len(at)], reached + len(at)
        better = total > score[at]
        score[at[better]] = total[better]
        begins[at[better]] = rows[at[better], place].astype(np.intp)
    return Lines(score, begins, span)


def _along(
    rows: NDArray[np.float64],
    weights: NDArray[np.float64],
    sunk: NDArray[np.float64],
    at: NDArray[np.intp],
    begin: NDArray[np.float64],
    pace: NDArray[np.float64],
    span: int,
) -> NDArray[np.float64]:
    """Returns what lies on lines from rows `at` on, 0 where too few of their frames show it."""
    found = np.zeros(len(at))
    least = _ON_LINE_SHARE * span
    # Most lines have missed too much after a few frames: those are not followed to their end.
    left = np.arange(len(at))
    total, shown = np.zeros(len(at)), np.zeros(len(at))
    for step in range(span):
        rows_then = at + step
        expected = (begin + pace * step)[:, None]
        near = np.abs(rows[rows_then] - expected) <= _OFF_PX
        near &= np.abs(sunk[rows_then] - pace[:, None]) > _SAME_SHIFT_PX
        there = (near * weights[rows_then]).max(axis=1)
        total += there
        shown += there > 0
        hopeful = shown + (span - 1 - step) >= least
        if not hopeful.all():
            left, at, begin, pace = left[hopeful], at[hopeful], begin[hopeful], pace[hopeful]
            total, shown = total[hopeful], shown[hopeful]
            if not len(left):
                return found
    found[left] = total
    return found
