"""The shape of the active picture over time: stretches of one shape, and the usual one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive rows [first, last) with bars of one shape.

    Attributes:
        first: First row.
        last: First row after it.
        bars_px: Lines that the bars cover: top, bottom, left, right.
    """

    first: int
    last: int
    bars_px: tuple[int, int, int, int]


def alike(one: Sequence[int], other: Sequence[int], tolerance_px: Sequence[float]) -> bool:
    """Tells whether two shapes are the same but for a few lines."""
    return all(abs(a - b) <= t for a, b, t in zip(one, other, tolerance_px, strict=True))


def within(one: Sequence[int], other: Sequence[int], tolerance_px: Sequence[float]) -> bool:
    """Tells whether the first shape's bars lie wholly within the second one's."""
    return all(a <= b + t for a, b, t in zip(one, other, tolerance_px, strict=True))


def stretches(bars_px: NDArray[np.int64], tolerance_px: Sequence[float]) -> list[Stretch]:
    """Cuts rows of (top, bottom, left, right) wherever the shape changes."""
    if not len(bars_px):
        return []
    changed = np.any(np.abs(np.diff(bars_px, axis=0)) > np.asarray(tolerance_px), axis=1)
    edges = [0, *(np.flatnonzero(changed) + 1).tolist(), len(bars_px)]
    return [_stretch(bars_px, a, b) for a, b in pairwise(edges)]


def _stretch(bars_px: NDArray[np.int64], first: int, last: int) -> Stretch:
    top, bottom, left, right = np.median(bars_px[first:last], axis=0).astype(int).tolist()
    return Stretch(first, last, (top, bottom, left, right))


def settled(
    found: Sequence[Stretch],
    ends_s: NDArray[np.float64],
    starts_s: NDArray[np.float64],
    tolerance_px: Sequence[float],
    shortest_s: float,
) -> list[Stretch]:
    """Joins stretches of one shape across shorter ones in between.

    A dark picture makes bars look wider for a moment; a bar that was there stays there.
    """
    kept: list[Stretch] = []
    for each in found:
        if len(kept) >= 2 and alike(kept[-2].bars_px, each.bars_px, tolerance_px):
            between = float(ends_s[kept[-1].last - 1] - starts_s[kept[-1].first])
            if between < shortest_s or _hidden(kept[-1], each, tolerance_px):
                kept[-2:] = [Stretch(kept[-2].first, each.last, kept[-2].bars_px)]
                continue
        kept.append(each)
    return kept


def _hidden(between: Stretch, around: Stretch, tolerance_px: Sequence[float]) -> bool:
    """Tells whether bars stay, with dark picture next to them, between two stretches of a shape."""
    return any(around.bars_px) and within(around.bars_px, between.bars_px, tolerance_px)


def usual(
    found: Sequence[Stretch],
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    tolerance_px: Sequence[float],
) -> tuple[int, int, int, int]:
    """Gives the shape that the programme has for most of its time."""
    best, longest_s = (0, 0, 0, 0), 0.0
    for each in found:
        total_s = sum(
            float(ends_s[s.last - 1] - starts_s[s.first])
            for s in found
            if alike(s.bars_px, each.bars_px, tolerance_px)
        )
        if total_s > longest_s + 1e-9:
            best, longest_s = each.bars_px, total_s
    return best
