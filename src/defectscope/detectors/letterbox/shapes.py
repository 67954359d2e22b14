"""The shape of the active frame over time: intervals of one shape, and the usual one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

# Drawn bars stand on the same line, or the next, in so many of the frames.
_STEADY_SHARE = 0.9
# What drifts more is no bar: a bright thing on black moves, and its ends with it. Dark frame next
# to a bar may hide the line for some of the time.
_STANDING_SHARE = 0.5
# And are as wide at one end as at the other: an odd number of lines is shared out unevenly, and
# halves of the frame's lines are rounded.
_UNEVEN_PX = 2
# From such a share without bars on, bars may not be what is usual.
_BARE_SHARE = 1 / 3
# More shapes than this are not compared for which of them is the programme's own.
_MOST_SHAPES = 500


@dataclass(frozen=True, slots=True)
class Bars:
    """Consecutive rows [first, last) with bars of one shape.

    Attributes:
        first: First row.
        last: First row after it.
        bars_px: Lines that the bars cover: top, bottom, left, right.
        firm: Whether each axis (down, across) has bars that look drawn: equally wide at both ends,
            with an edge to the frame at both, and the same from frame to frame.
        stands: Whether both bars of an axis end on one line, or the next, for half of the time.
    """

    first: int
    last: int
    bars_px: tuple[int, int, int, int]
    firm: tuple[bool, bool]
    stands: bool = True


def same(one: Sequence[int], other: Sequence[int], tolerance_px: Sequence[float]) -> bool:
    """Tells whether two shapes are the same but for a few lines."""
    return all(abs(a - b) <= t for a, b, t in zip(one, other, tolerance_px, strict=True))


def within(one: Sequence[int], other: Sequence[int], tolerance_px: Sequence[float]) -> bool:
    """Tells whether the first shape's bars lie wholly within the second one's."""
    return all(a <= b + t for a, b, t in zip(one, other, tolerance_px, strict=True))


def runs(
    bars_px: NDArray[np.int64],
    edges_code: NDArray[np.float64],
    tolerance_px: Sequence[float],
    edge_code: float,
) -> list[Bars]:
    """Cuts rows of (top, bottom, left, right) wherever the shape changes.

    Args:
        bars_px: (rows, 4) lines that the bars cover.
        edges_code: (rows, 4) how much brighter the frame is next to each.
        tolerance_px: By how many lines each may move within an interval.
        edge_code: How strong an edge at both ends makes bars firm.
    """
    if not len(bars_px):
        return []
    changed = np.any(np.abs(np.diff(bars_px, axis=0)) > np.asarray(tolerance_px), axis=1)
    bounds = [0, *(np.flatnonzero(changed) + 1).tolist(), len(bars_px)]
    return [_run(bars_px, edges_code, a, b, edge_code) for a, b in pairwise(bounds)]


def _run(
    bars_px: NDArray[np.int64],
    edges_code: NDArray[np.float64],
    first: int,
    last: int,
    edge_code: float,
) -> Bars:
    inside = bars_px[first:last]
    top, bottom, left, right = np.median(inside, axis=0).astype(int).tolist()
    standing = np.mean(np.abs(inside - (top, bottom, left, right)) <= 1, axis=0)
    steady = standing >= _STEADY_SHARE
    firm = steady & (np.median(edges_code[first:last], axis=0) >= edge_code)
    down = bool(firm[:2].all()) and top > 0 and abs(top - bottom) <= _UNEVEN_PX
    across = bool(firm[2:].all()) and left > 0 and abs(left - right) <= _UNEVEN_PX
    stands = any(
        inside[0, axis].any() and standing[axis].min() >= _STANDING_SHARE
        for axis in (slice(0, 2), slice(2, 4))
    )
    return Bars(first, last, (top, bottom, left, right), (down, across), stands)


def settled(
    found: Sequence[Bars],
    ends_s: NDArray[np.float64],
    starts_s: NDArray[np.float64],
    tolerance_px: Sequence[float],
    shortest_s: float,
) -> list[Bars]:
    """Joins intervals of one shape across shorter ones in between.

    A dark frame makes bars look wider for a moment; a bar that was there stays there.
    """
    kept: list[Bars] = []
    for each in found:
        if len(kept) >= 2 and same(kept[-2].bars_px, each.bars_px, tolerance_px):
            between = float(ends_s[kept[-1].last - 1] - starts_s[kept[-1].first])
            if between < shortest_s or _hidden(kept[-1], each, tolerance_px):
                kept[-2:] = [replace(kept[-2], last=each.last)]
                continue
        kept.append(each)
    return kept


def _hidden(between: Bars, around: Bars, tolerance_px: Sequence[float]) -> bool:
    """Tells whether bars stay, with dark frame next to them, between two intervals of a shape.

    Dark frame has no straight edge at the same distance on both sides; wider bars have.
    """
    if not any(around.bars_px) or not within(around.bars_px, between.bars_px, tolerance_px):
        return False
    wider = [
        any(between.bars_px[i] > around.bars_px[i] + tolerance_px[i] for i in axis)
        for axis in ((0, 1), (2, 3))
    ]
    return not any(w and f for w, f in zip(wider, between.firm, strict=True))


def normal_bars(
    found: Sequence[Bars],
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    tolerance_px: Sequence[float],
) -> tuple[int, int, int, int]:
    """Returns the shape that the programme has for most of its time.

    A programme that opens or closes without bars, and has none for a third of it or more, is meant
    to fill its frame: there bars came or went.
    """
    if not found:
        return (0, 0, 0, 0)
    lengths_s = np.array([ends_s[s.last - 1] - starts_s[s.first] for s in found])
    shapes, index = np.unique([s.bars_px for s in found], axis=0, return_inverse=True)
    totals_s = np.bincount(index.ravel(), lengths_s)
    # Where everything moves, the commonest shapes are enough to choose from.
    common = np.argsort(-totals_s, kind="stable")[:_MOST_SHAPES]
    near = [
        totals_s[(np.abs(shapes - shapes[i]) <= np.asarray(tolerance_px)).all(axis=1)].sum()
        for i in common
    ]
    best = shapes[common[int(np.argmax(np.round(near, 6)))]].tolist()
    bare_s = float(totals_s[(shapes == 0).all(axis=1)].sum())
    outer = not any(found[0].bars_px) or not any(found[-1].bars_px)
    if outer and bare_s > _BARE_SHARE * float(totals_s.sum()):
        return (0, 0, 0, 0)
    return (best[0], best[1], best[2], best[3])


def veiled(
    each: Bars,
    dim_px: NDArray[np.int64],
    normal: tuple[int, ...],
    tolerance_px: tuple[float, ...],
) -> bool:
    """Tells whether the usual bars are still there, dark on average under noise, not black.

    Args:
        each: An interval without bars.
        dim_px: (rows, 2) lines that are dark on average, down and across.
        normal: The programme's usual bars.
        tolerance_px: As in `same`.
    """
    lines = np.median(dim_px[each.first : each.last], axis=0).tolist()
    return all(
        not normal_px or normal_px / 2 <= px <= normal_px + tolerance
        for px, normal_px, tolerance in zip(
            lines,
            (min(normal[:2]), min(normal[2:])),
            (tolerance_px[0], tolerance_px[2]),
            strict=True,
        )
    )


def kind_of(bars_px: tuple[int, ...]) -> str:
    """Returns what bars at the top, bottom, left and right are called."""
    if sum(1 for px in bars_px if px) == 1:
        return "single"
    across, at_sides = bars_px[0] + bars_px[1] > 0, bars_px[2] + bars_px[3] > 0
    if across and at_sides:
        return "window"
    return "letter" if across else "pillar"
