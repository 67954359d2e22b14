"""Block matching from coarse to fine with NumPy: what `features/motion.rs` has to equal.

Slow and plain, for tests alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.int16]
# Farthest motion searched, in samples of a frame reduced by 8.
_REACH = 4
# A longer motion has to fit better by so much a sample (sums of nine eighths of a code): flat areas
# match everywhere and do not move.
_LENGTH_COST = 4
# Motions by length, so that the shortest wins where several fit as well.
_MOVES = sorted(
    ((dy, dx) for dy in range(-_REACH, _REACH + 1) for dx in range(-_REACH, _REACH + 1)),
    key=lambda move: (abs(move[0]) + abs(move[1]), move),
)
_RANK = {move: rank for rank, move in enumerate(_MOVES)}
_STEPS = [(0, 0), *((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0))]
_STEPS_DOWN, _STEPS_ACROSS = np.array(_STEPS, np.int16).T.copy()


def search(
    now: tuple[Plane, Plane, Plane], other: tuple[Plane, Plane, Plane]
) -> tuple[NDArray[np.int32], Plane, Plane]:
    """Returns places in the other frame, and motion where both are reduced by 8."""
    down, across = _exhaustive(now[2], other[2])
    finer, _ = _refined(now[1], other[1], (down, across))
    _, index = _refined(now[0], other[0], finer)
    return index, down, across


def _exhaustive(now: Plane, other: Plane) -> tuple[Plane, Plane]:
    """Returns the best whole-sample motion of each sample within reach."""
    rows, columns = now.shape
    mine = np.pad(now, 1, mode="edge")
    theirs = np.pad(other, _REACH + 1, mode="edge")
    best = np.full((rows, columns), np.iinfo(np.int32).max, np.int32)
    across = range(-_REACH, _REACH + 1)
    for dy in across:
        line = theirs[_REACH + dy :][: rows + 2]
        moved = np.lib.stride_tricks.sliding_window_view(line, columns + 2, axis=1)
        cost = _box(np.abs(moved.transpose(1, 0, 2) - mine)).astype(np.int32)
        ranks = np.array([_RANK[dy, dx] for dx in across], np.int32)
        length = np.array([abs(dy) + abs(dx) for dx in across], np.int32) * _LENGTH_COST
        cost += length[:, None, None]
        cost *= len(_MOVES)
        cost += ranks[:, None, None]
        np.minimum(best, cost.min(axis=0), out=best)
    moves = np.array(_MOVES, np.int16)[best % len(_MOVES)]
    return moves[..., 0], moves[..., 1]


def _refined(
    now: Plane, other: Plane, coarse: tuple[Plane, Plane]
) -> tuple[tuple[Plane, Plane], NDArray[np.int32]]:
    """Returns motion at a level twice as fine, each sample moved by one step at most."""
    height, width = now.shape
    down, across = ((2 * each).repeat(2, 0).repeat(2, 1) for each in coarse)
    rows = np.arange(height, dtype=np.int32)[:, None] + down
    columns = np.arange(width, dtype=np.int32) + across
    lines = {step: (rows + step).clip(0, height - 1) * width for step in (-1, 0, 1)}
    places = {step: (columns + step).clip(0, width - 1) for step in (-1, 0, 1)}
    at = np.empty((len(_STEPS), height, width), np.int32)
    for k, (dy, dx) in enumerate(_STEPS):
        np.add(lines[dy], places[dx], out=at[k])
    apart = other.reshape(-1).take(at)
    apart -= now
    cost = _bordered(_box(np.abs(apart, out=apart)))
    # A ninth of a code is enough to choose by; the step stands in the lowest bits.
    cost >>= 3
    keyed = cost.view(np.uint16)
    keyed <<= 4
    keyed |= np.arange(len(_STEPS), dtype=np.uint16)[:, None, None]
    best = keyed.min(axis=0) & 15
    step_down, step_across = _STEPS_DOWN.take(best), _STEPS_ACROSS.take(best)
    rows, columns = rows + step_down, columns + step_across
    index = rows.clip(0, height - 1) * width + columns.clip(0, width - 1)
    return (down + step_down, across + step_across), index


def _box(planes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Returns sums over 3 x 3 samples, without those that would reach over the border."""
    rows = planes[:, :-2] + planes[:, 1:-1]
    rows += planes[:, 2:]
    out = rows[:, :, :-2] + rows[:, :, 1:-1]
    out += rows[:, :, 2:]
    return out


def _bordered(planes: NDArray[np.int16]) -> NDArray[np.int16]:
    """Returns planes with their border repeated once on each side."""
    count, rows, columns = planes.shape
    out = np.empty((count, rows + 2, columns + 2), planes.dtype)
    out[:, 1:-1, 1:-1] = planes
    out[:, 0, 1:-1], out[:, -1, 1:-1] = planes[:, 0], planes[:, -1]
    out[:, :, 0], out[:, :, -1] = out[:, :, 1], out[:, :, -2]
    return out
