"""Where a channel is gone, inverted, folded into the other, or too soft.

All four are told from what a scene does by the same thought: a fault of the path switches on and
off within a hop, changes one quantity, and leaves the others as they were. A scene changes level,
width and balance together, or gradually, or in some bands only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from defectscope.detection.spans import Rows, runs
from defectscope.detectors.stereo_image.image import (
    Bands,
    Pair,
    Series,
    beside,
    sharpest,
    smoothed,
    step,
    steps,
)
from defectscope.detectors.stereo_image.meter import BLOCKS_HZ, HOPS_HZ, HOPS_PER_BLOCK

Thresholds = Mapping[str, float]

# Below this a hop says nothing about its channels: dither, room tone after a codec.
_AUDIBLE_DBFS = -75.0
# Level differences are taken above this floor, so that one digital silence equals another.
_FLOOR_DBFS = -110.0
_EDGE_ROWS = 2


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
    """Gives where one channel is silent while its partner plays."""
    found: list[Fault] = []
    count = len(pair.starts_s)
    for channel in (0, 1):
        own = np.maximum(pair.levels[channel], _FLOOR_DBFS)
        partner = np.maximum(pair.levels[1 - channel], _FLOOR_DBFS)
        apart = tuned["missing_db"]
        gone = (partner - own >= apart) & (own <= tuned["missing_dbfs"])
        # While the partner pauses too, nobody can tell.
        unknown = (own <= tuned["missing_dbfs"]) & (partner - own < apart)
        unknown &= partner <= tuned["missing_dbfs"]
        for first, last in runs(gone | unknown):
            known = np.flatnonzero(gone[first:last])
            if not len(known):
                continue
            span = (first + int(known[0]), first + int(known[-1]) + 1)
            if first <= _EDGE_ROWS:
                span = (0, span[1])
            if last >= count - _EDGE_ROWS:
                span = (span[0], count)
            if len(known) < min_s * HOPS_HZ / 2 or span[1] - span[0] < min_s * HOPS_HZ:
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
    before, after = beside(own, row, 0.1)
    beyond = [float(np.median(part)) for part in beside(partner, row, 0.1) if len(part)]
    if not len(before) or not len(after) or len(beyond) < 2:
        return False
    sign = float(np.sign(drop_db))
    change = float(np.median(after) - np.median(before)) * sign
    # What begins or ends in both channels is the scene.
    return change - max(0.0, (beyond[1] - beyond[0]) * sign) >= abs(drop_db)


def inverted(pair: Pair, bands: Bands | None, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Gives where the channels oppose each other."""
    count = len(pair.starts_s)
    quieter = np.minimum(*pair.levels)
    heard = quieter >= max(_AUDIBLE_DBFS, float(np.percentile(pair.total, 95)) - 45.0)
    if heard.sum() < min_s * HOPS_HZ / 2:
        return []
    known = np.flatnonzero(heard)
    correlation = pair.correlation
    slow = smoothed(correlation[known], 15)
    found: list[Fault] = []
    for first, last in runs(slow <= tuned["inverted_leave"]):
        if float(slow[first:last].min()) > tuned["inverted_enter"]:
            continue
        rows = [known[first], known[last - 1] + 1]
        ends: list[bool] = []
        for side, edge in enumerate((first, last)):
            if edge in (0, len(known)):
                ends.append(True)
                rows[side] = 0 if edge == 0 else count
                continue
            at = sharpest(correlation[known], edge, 15)
            rows[side] = known[min(at, len(known) - 1)]
            flips = step(correlation[known], at, 0.4) * (1 if side else -1)
            ends.append(flips >= tuned["inverted_step"])
        span = (int(rows[0]), int(rows[1]))
        inside = heard[span[0] : span[1]]
        if not all(ends) or span[1] - span[0] < min_s * HOPS_HZ or not inside.any():
            continue
        mean = float(np.mean(correlation[span[0] : span[1]][inside]))
        whole = span == (0, count)
        if mean <= tuned["inverted_whole" if whole else "inverted_leave"] and (
            bands is None or _opposed(bands, span)
        ):
            found.append(Fault(span, mean))
    return found


def _opposed(bands: Bands, span: Rows) -> bool:
    """Tells whether the channels oppose each other in most bands, not only in the loudest."""
    rows = slice(span[0] // HOPS_PER_BLOCK, -(-span[1] // HOPS_PER_BLOCK))
    used = np.minimum(bands.left[rows], bands.right[rows]) >= _AUDIBLE_DBFS
    correlation = bands.correlation[rows]
    signs = [
        float(np.mean(correlation[used[:, band], band]))
        for band in range(used.shape[1])
        if used[:, band].sum() >= 0.3 * len(used)
    ]
    return bool(signs) and sum(s < -0.1 for s in signs) >= 0.6 * len(signs)


def collapsed(pair: Pair, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Gives where the difference between the channels vanishes while their sum goes on."""
    count = len(pair.starts_s)
    side, mid = np.maximum(pair.side, _FLOOR_DBFS), np.maximum(pair.mid, _FLOOR_DBFS)
    # The sum must not go with it: that would be a scene that ends or begins.
    alone, both = steps(side), steps(side - mid)
    falls = _peaks(np.minimum(-alone, -both), tuned["mono_step_db"])
    rises = _peaks(np.minimum(alone, both), tuned["mono_step_db"])
    found: list[Fault] = []
    reached = 0
    for first in (0, *falls):
        last = next((rise for rise in rises if rise > first), count)
        # A programme that is mono throughout has not collapsed.
        if first < reached or last - first < min_s * HOPS_HZ or (first == 0 and last == count):
            continue
        beside_it = np.concatenate(
            (side[max(0, first - HOPS_HZ) : max(0, first - 1)], side[last + 1 : last + HOPS_HZ])
        )
        inner = slice(first + 2, last - 2)
        heard = mid[inner] >= _AUDIBLE_DBFS
        if not len(beside_it) or heard.sum() < min_s * HOPS_HZ / 2:
            continue
        width = float(np.median((side - mid)[inner][heard]))
        fall = float(np.percentile(beside_it, 25) - np.percentile(side[inner], 90))
        if width <= tuned["mono_width_db"] and fall >= tuned["mono_fall_db"]:
            found.append(Fault((first, last), fall))
            reached = last
    return found


def imbalanced(pair: Pair, bands: Bands, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Gives where one channel is softer by the same amount in every band.

    Sources begin on one side, but hardly ever end on one without dying away, and never come back
    by as much: a fault is a fall of one channel alone and a rise of it alone by a like amount.

    Args:
        pair: The front pair by hop, which says when.
        bands: The front pair in bands, which says that.
        tuned: Thresholds.
        min_s: Shortest occurrence, seconds.
    """
    count = len(pair.starts_s)
    found: list[Fault] = []
    for channel in (0, 1):
        own, partner = (steps(pair.levels[k]) for k in (channel, 1 - channel))
        least = tuned["imbalance_step_db"]
        apart = steps(pair.levels[channel] - pair.levels[1 - channel])
        # What the partner does meanwhile is the scene's, and may be half as much again here.
        falls = _peaks(-own - 1.5 * np.abs(partner), least)
        rises = _peaks(own - 1.5 * np.abs(partner), least)
        reached = 0
        for first in falls:
            if first < reached:
                continue
            size = -float(apart[first])
            if size < least:
                continue
            after = (r for r in rises if r > first and _LIKE[0] <= apart[r] / size <= _LIKE[1])
            last = next(after, count)
            # Without a rise it lasts to the end, which takes more to believe.
            if last - first < HOPS_HZ * (min_s if last < count else _OPEN_S) or (
                last == count and size < 2 * tuned["imbalance_db"]
            ):
                continue
            off = _off_balance(bands, (first, last), size if channel else -size)
            if off >= tuned["imbalance_db"]:
                found.append(Fault((first, last), off, channel))
                reached = last
    return found


# An imbalance that never ends must have been there for so long.
_OPEN_S = 3.0
# The rise that ends a fault is the fall that began it, but for what the sources did meanwhile.
_LIKE = (0.7, 1.45)
_ONE_SIDE_DB = 12.0


def _peaks(values: Series, least: float) -> list[int]:
    """Gives the rows of local maxima that reach a bound."""
    top = np.zeros(len(values), bool)
    for k in np.flatnonzero(values >= least):
        top[k] = values[k] == values[max(0, k - 4) : k + 5].max()
    # Medians make plateaus; the change lies in their middle.
    return [(first + last) // 2 for first, last in runs(top)]


def _off_balance(bands: Bands, span: Rows, wanted_db: float) -> float:
    """Gives by how much the balance in a span differs from that beside it, in most bands alike.

    Args:
        bands: The front pair.
        span: Rows of the hops' table.
        wanted_db: The difference, left less right, that a step at its start promises.

    Returns:
        The difference, positive; 0 where the bands disagree.
    """
    first, last = span[0] // HOPS_PER_BLOCK, -(-span[1] // HOPS_PER_BLOCK)
    reach = 2 * BLOCKS_HZ
    quiet = np.minimum(bands.left, bands.right) < _AUDIBLE_DBFS
    difference = np.where(quiet, np.nan, bands.left - bands.right)
    inside = difference[first + 1 : last - 1]
    outside = np.concatenate((difference[max(0, first - reach) : first], difference[last:][:reach]))
    apart: list[float] = []
    away: list[float] = []
    base: list[float] = []
    for band in range(difference.shape[1]):
        a, b = (part[np.isfinite(part[:, band]), band] for part in (inside, outside))
        if min(len(a), len(b)) >= 3:
            now, before = float(np.median(a)), float(np.median(b))
            apart.append((now - before) / wanted_db)
            away.append(abs(now) - abs(before))
            base.append(abs(before))
    if len(apart) < 3 or np.mean(np.array(apart) >= 0.5) < 0.8:
        return 0.0
    # A step towards the middle ends an imbalance and begins none; and where all comes from one
    # side, what changes on the other is only its room.
    if np.median(away) < 0.5 * abs(wanted_db) or np.median(base) > _ONE_SIDE_DB:
        return 0.0
    ratio = float(np.median(apart))
    return abs(wanted_db) if 0.65 <= ratio <= 1.5 else 0.0
