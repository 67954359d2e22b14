"""Where a channel is gone, inverted, folded into the other, or too soft.

All four are told from what a scene does by the same thought: a fault of the path switches on and
off within a hop, changes one quantity, and leaves the others as they were. A scene changes level,
width and balance together, or gradually, or in some bands only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from defectscope.detectors.stereo_image.image import (
    Pair,
    Series,
    neighbours,
    steps,
)
from defectscope.detectors.stereo_image.meter import HOPS_HZ
from defectscope.temporal.order import median, quantile
from defectscope.temporal.spans import Rows, runs

Thresholds = Mapping[str, float]

# Below this a hop says nothing about its channels: dither, room tone after a codec.
AUDIBLE_DBFS = -75.0
# Level differences are taken above this floor, so that one digital silence equals another.
_FLOOR_DBFS = -110.0
_EDGE_ROWS = 2
# A difference this far under the sum is mono to any ear.
_MONO_DB = 45.0
# How much narrower than before, over a second, the image may be that comes back.
_NARROWER_DB = 8.0
_WIDE_ROWS = HOPS_HZ
# Of the second beside a collapse, one channel may be alone for less than this share.
_MOST_ALONE = 0.25


@dataclass(frozen=True, slots=True)
class Fault:
    """Rows of the hops' table in which something is wrong.

    Attributes:
        rows: First row, and first row after.
        size: How far the quantity is off, in the unit of the defect's evidence.
        channel: Which of the two is at fault, 0 or 1; None where both are.
    """

    rows: Rows
    size: float
    channel: int | None = None


def at_edge(row: int, count: int) -> bool:
    """Tells whether a row is the programme's first or last, give or take an incomplete hop."""
    return row <= _EDGE_ROWS or row >= count - _EDGE_ROWS


def missing(pair: Pair, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Returns where one channel is silent while its partner plays."""
    found: list[Fault] = []
    count = len(pair.starts_s)
    for channel in (0, 1):
        own = np.maximum(pair.levels[channel], _FLOOR_DBFS)
        partner = np.maximum(pair.levels[1 - channel], _FLOOR_DBFS)
        apart = tuned["missing_db"]
        gone = (partner - own >= apart) & (own <= tuned["missing_dbfs"])
        # Where the partner is softer for a while, the channel has not come back.
        silent = (partner - own >= tuned["missing_near_db"]) & (own <= tuned["missing_dbfs"])
        # While the partner pauses too, nobody can tell.
        unknown = np.maximum(own, partner) <= tuned["missing_dbfs"]
        for first, last in runs(silent | unknown):
            known = np.flatnonzero(silent[first:last])
            if gone[first:last].sum() < min_s * HOPS_HZ / 2:
                continue
            span = (first + int(known[0]), first + int(known[-1]) + 1)
            if first <= _EDGE_ROWS:
                span = (0, span[1])
            if last >= count - _EDGE_ROWS:
                span = (span[0], count)
            if span[1] - span[0] < min_s * HOPS_HZ:
                continue
            drop = tuned["missing_step_db"]
            ends = [
                at_edge(row, count) or _switches(own, partner, row, sign * drop)
                for row, sign in ((span[0], -1), (span[1], 1))
            ]
            if all(ends) and float(np.max(partner[span[0] : span[1]])) >= tuned["active_dbfs"]:
                inside = slice(*span)
                found.append(Fault(span, float(np.median((partner - own)[inside])), channel))
    return found


def _switches(own: Series, partner: Series, row: int, drop_db: float) -> bool:
    """Tells whether one channel changes by so much at a row while its partner goes on."""
    before, after = neighbours(own, row, 0.1)
    beyond = [median(part) for part in neighbours(partner, row, 0.1) if len(part)]
    if not len(before) or not len(after) or len(beyond) < 2:
        return False
    sign = float(np.sign(drop_db))
    change = (median(after) - median(before)) * sign
    # What begins or ends in both channels is the scene.
    return change - max(0.0, (beyond[1] - beyond[0]) * sign) >= abs(drop_db)


def collapsed(pair: Pair, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Returns where the difference between the channels vanishes while their sum goes on."""
    count = len(pair.starts_s)
    side, mid = np.maximum(pair.side, _FLOOR_DBFS), np.maximum(pair.mid, _FLOOR_DBFS)
    # The sum must not go with it: that would be a scene that ends or begins.
    alone, both = steps(side), steps(side - mid)
    falls = _peaks(np.minimum(-alone, -both), tuned["mono_step_db"])
    rises = _peaks(np.minimum(alone, both), tuned["mono_step_db"])
    # One channel alone is as wide as it is loud: no image that could be lost.
    levels = [np.maximum(level, _FLOOR_DBFS) for level in pair.levels]
    alone_here = np.abs(levels[0] - levels[1]) >= tuned["missing_near_db"]
    width = side - mid
    found: list[Fault] = []
    reached = 0
    for first in (0, *falls):
        # Codecs let what is left of the difference dance, from -110 to -80 dBFS and back: what
        # ends a collapse is as wide as what was before it.
        wide = -_MONO_DB
        if first:
            before = median(width[max(0, first - _WIDE_ROWS) : max(1, first - 1)])
            wide = min(tuned["mono_width_db"], before - _NARROWER_DB)
        back = (r for r in rises if r > first and median(width[r + 1 : r + 5]) > wide)
        last = next(back, count)
        # A programme that is mono throughout has not collapsed.
        if first < reached or last - first < min_s * HOPS_HZ or (first == 0 and last == count):
            continue
        near_rows = np.r_[
            max(0, first - HOPS_HZ) : max(0, first - 1), last + 1 : min(last + HOPS_HZ, count)
        ]
        if len(near_rows) and np.mean(alone_here[near_rows]) >= _MOST_ALONE:
            continue
        neighbours_of_it = side[near_rows]
        inner = slice(first + 2, last - 2)
        audible = mid[inner] >= AUDIBLE_DBFS
        if not len(neighbours_of_it) or audible.sum() < min_s * HOPS_HZ / 2:
            continue
        # Two tracks of one sound differ by their noise: no image that could be lost.
        if median(width[near_rows]) <= tuned["mono_width_db"]:
            continue
        if median(width[inner][audible]) <= tuned["mono_width_db"]:
            fall = quantile(neighbours_of_it, 0.25) - quantile(side[inner], 0.9)
            if fall >= tuned["mono_fall_db"]:
                found.append(Fault((first, last), fall))
                reached = last
    return [] if _mono_with_inserts(found, count) else found


def _mono_with_inserts(found: Sequence[Fault], count: int) -> bool:
    """Tells whether a programme is made in mono: what is wide in it are inserts, or noise."""
    if not found or found[0].rows[0] > 0 or found[-1].rows[1] < count:
        return False
    return 2 * sum(fault.rows[1] - fault.rows[0] for fault in found) > count


def _peaks(values: Series, least: float) -> list[int]:
    """Returns the rows of local maxima that reach a bound."""
    top = np.zeros(len(values), bool)
    for k in np.flatnonzero(values >= least):
        top[k] = values[k] == values[max(0, k - 4) : k + 5].max()
    # Medians make plateaus; the change lies in their middle.
    return [(first + last) // 2 for first, last in runs(top)]
