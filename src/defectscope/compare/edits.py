"""Reads out of paired frames what was done to a version: offset, speed, drops, repeats, edits."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from defectscope.compare.alignment import Alignment, Edit
from defectscope.compare.fit import ALIEN_COST, FittedPair
from defectscope.compare.signature import Signatures
from defectscope.compare.window import Window
from defectscope.findings import Interval

# Frames missing or put in for longer than this are an edit, not drops.
_EDIT_S = 1.0
# The pace is taken over this many pairs.
_PACE_FRAMES = 48
# Two rates are one when they differ by less than this (23.976 and 24 differ by 0.1 %).
_SAME_RATE = 0.0005


def describe(
    paired: NDArray[np.int64],
    base: Signatures,
    candidate: Signatures,
    fitted: FittedPair,
    window: Window,
) -> Alignment:
    """Returns the alignment that pairs of frames amount to.

    Args:
        paired: (baseline frames,) frame of the candidate, or -1; at least one is paired.
        base: Signatures of the baseline.
        candidate: Signatures of the candidate.
        fitted: Both in the unit of a true pair's noise.
        window: The part of the baseline that the candidate shows.
    """
    rows = np.flatnonzero(paired >= 0)
    columns = paired[rows]
    shown = _shown(fitted, rows, columns)
    dropped, removed = _missing(rows, base)
    doubled, held, repeats = _repeated(shown, int(columns[0]), candidate)
    edits = sorted(
        [*removed, *held, *_inserted(shown, int(columns[0]), candidate)],
        key=lambda edit: edit.base_frame,
    )
    first = _first_shown(fitted, int(rows[0]), int(columns[0]))
    base_s, candidate_s = base.times_s[rows], candidate.times_s[columns]
    conversion = _is_conversion(base, candidate, len(dropped) + repeats, base_s, candidate_s)
    return Alignment(
        paired=paired,
        offset_frames=first - int(rows[0]),
        offset_s=float(candidate.times_s[first] - base_s[0]),
        speed=_speed(base_s, candidate_s),
        dropped=() if conversion else tuple(dropped),
        doubled=() if conversion else tuple(doubled),
        edits=tuple(edits),
        window=window,
        rate_conversion=conversion,
        shared=len(rows) / min(len(base), len(candidate)),
        base_times_s=base_s,
        candidate_times_s=candidate_s,
    )


def _shown(
    fitted: FittedPair, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Returns which frame of the baseline each candidate from the first pair to the last shows.

    One without a pair repeats the frame before or after it, whichever it is more like; -1 is alien.
    """
    start = int(columns[0])
    shown = np.full(int(columns[-1]) + 1 - start, -1, np.int64)
    shown[columns - start] = rows
    for k in np.flatnonzero(np.diff(columns) > 1):
        first, last = int(columns[k]) + 1, int(columns[k + 1])
        around = (int(rows[k]), int(rows[k + 1]))
        costs = np.stack([fitted.costs(row, first, last) for row in around])
        nearer = np.where(costs[0] <= costs[1], *around)
        similar = costs.min(axis=0) < ALIEN_COST
        shown[first - start : last - start] = np.where(similar, nearer, -1)
    return shown


def _missing(rows: NDArray[np.int64], base: Signatures) -> tuple[list[int], list[Edit]]:
    """Returns frames that were dropped, and longer runs that were removed."""
    longest = max(2, round(_EDIT_S * float(base.frame_rate)))
    dropped: list[int] = []
    removed: list[Edit] = []
    for k in np.flatnonzero(np.diff(rows) > 1):
        first, last = int(rows[k]) + 1, int(rows[k + 1])
        if last - first > longest:
            interval = Interval(float(base.times_s[first]), float(base.times_s[last]))
            removed.append(Edit("removed", interval, first, last - first))
        else:
            dropped += range(first, last)
    return dropped, removed


def _repeated(
    shown: NDArray[np.int64], start: int, candidate: Signatures
) -> tuple[list[int], list[Edit], int]:
    """Returns frames shown once more, longer runs that stand still, and how many repeats in all."""
    longest = max(2, round(_EDIT_S * float(candidate.frame_rate)))
    doubled: list[int] = []
    held: list[Edit] = []
    repeats = 0
    for first, last in _runs(shown):
        frame, extra = int(shown[first]), last - first - 1
        if frame < 0 or not extra:
            continue
        repeats += extra
        if extra > longest:
            times_s = candidate.times_s[[start + first + 1, min(start + last, len(candidate) - 1)]]
            held.append(Edit("held", Interval(float(times_s[0]), float(times_s[1])), frame, extra))
        else:
            doubled += [frame] * extra
    return doubled, held, repeats


def _inserted(shown: NDArray[np.int64], start: int, candidate: Signatures) -> list[Edit]:
    """Returns the runs of frames that the baseline does not have."""
    found: list[Edit] = []
    for first, last in _runs(shown):
        if shown[first] < 0:
            times_s = candidate.times_s[[start + first, start + last]]
            interval = Interval(float(times_s[0]), float(times_s[1]))
            found.append(Edit("inserted", interval, int(shown[last]), last - first))
    return found


def _runs(values: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Returns the first and the end of each run of equal values."""
    edges = np.flatnonzero(np.diff(values) != 0) + 1
    return list(pairwise([0, *edges.tolist(), len(values)]))


def _first_shown(fitted: FittedPair, row: int, column: int) -> int:
    """Returns the first of the candidates in a row before a pair that show the same frame."""
    after = min(row + 1, len(fitted.base) - 1)
    while column > 0:
        own = float(fitted.costs(row, column - 1, column)[0])
        if own >= ALIEN_COST / 4 or own > float(fitted.costs(after, column - 1, column)[0]):
            break
        column -= 1
    return column


def _speed(base_s: NDArray[np.float64], candidate_s: NDArray[np.float64]) -> float:
    """Returns the usual pace: the median over two seconds each, few of which hold an edit."""
    step = max(1, min(_PACE_FRAMES, len(base_s) // 3))
    if len(base_s) <= step:
        return 1.0
    across = candidate_s[step:] - candidate_s[:-step]
    down = base_s[step:] - base_s[:-step]
    return float(np.median(down / np.maximum(across, 1e-9)))


def _is_conversion(
    base: Signatures,
    candidate: Signatures,
    changes: int,
    base_s: NDArray[np.float64],
    candidate_s: NDArray[np.float64],
) -> bool:
    """Tells whether repeats and drops are those of another frame rate at the same speed."""
    ratio = float(candidate.frame_rate / base.frame_rate)
    if abs(ratio - 1.0) < _SAME_RATE or abs(_speed(base_s, candidate_s) - 1.0) > 0.01:
        return False
    wanted = abs(ratio - 1.0) * len(base_s) if ratio > 1 else (1 / ratio - 1.0) * len(base_s)
    return changes > 0.5 * wanted
