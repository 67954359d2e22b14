"""Where one channel is inverted: every band's correlation turns into its negative at once."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.spans import Rows, runs
from defectscope.detectors.stereo_image.faults import AUDIBLE_DBFS, Fault
from defectscope.detectors.stereo_image.image import (
    Bands,
    Pair,
    Series,
    overlaps,
    sharpest,
    smoothed,
    step,
)
from defectscope.detectors.stereo_image.imbalance import BandSteps
from defectscope.detectors.stereo_image.meter import HOPS_HZ, HOPS_PER_BLOCK

Thresholds = Mapping[str, float]

# A band's correlation that is no accident, either way; and how far beside a span to look.
_OPPOSED = 0.1
_REACH_BLOCKS = 10
# Bands that turn over together differ by no more than this in how far they turn.
_TOGETHER = 0.15


def inverted(pair: Pair, bands: Bands | None, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Gives where the channels oppose each other."""
    count = len(pair.starts_s)
    quieter = np.minimum(*pair.levels)
    heard = quieter >= max(AUDIBLE_DBFS, float(np.percentile(pair.total, 95)) - 45.0)
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
            bands is None or _opposed(bands, span, tuned["inverted_mirror"])
        ):
            found.append(Fault(span, mean))
    taken = [fault.rows for fault in found]
    flipped = [] if bands is None else _flips(pair, bands, tuned, min_s)
    return found + [fault for fault in flipped if not overlaps(fault.rows, taken)]


def _flips(pair: Pair, bands: Bands, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Gives where the correlation of all bands turns over together, and back.

    Notes hide in the mean of all bands what medians of each band over 0.8 s show.
    """
    used = np.minimum(bands.left, bands.right) >= AUDIBLE_DBFS
    if len(used) < 2 * _REACH_BLOCKS:
        return []
    turn = BandSteps(np.where(used, bands.correlation, np.nan))
    edges = [k for k in turn.edges(tuned["inverted_step"]) if turn.apart[k] <= _TOGETHER]
    found: list[Fault] = []
    reached = 0
    for number, first in enumerate(edges):
        back = (k for k in edges[number + 1 :] if turn.size[k] > 0)
        last = next(back, None)
        if first < reached or turn.size[first] > 0 or last is None:
            continue
        span = (_at_hop(pair, first), _at_hop(pair, last))
        if span[1] - span[0] >= min_s * HOPS_HZ and _opposed(bands, span, tuned["inverted_mirror"]):
            found.append(Fault(span, float(np.mean(pair.correlation[slice(*span)]))))
            reached = last
    return found


def _at_hop(pair: Pair, block: int) -> int:
    """Gives the hop near a block at which the correlation changes most."""
    return sharpest(pair.correlation, block * HOPS_PER_BLOCK, 2 * HOPS_PER_BLOCK)


def _opposed(bands: Bands, span: Rows, mirror: float) -> bool:
    """Tells whether the channels oppose each other in most bands, as they agree beside the span.

    Sampled instruments and wide effects oppose each other of themselves, in some bands, and
    differently before and after. An inversion turns every band's correlation into its negative.

    Args:
        bands: The front pair.
        span: Rows of the hops' table.
        mirror: Share of what the channels have in common beside the span that must be opposed
            inside it.
    """
    first, last = span[0] // HOPS_PER_BLOCK, -(-span[1] // HOPS_PER_BLOCK)
    used = np.minimum(bands.left, bands.right) >= AUDIBLE_DBFS
    inside = _band_means(bands.correlation[first + 1 : last - 1], used[first + 1 : last - 1])
    known = np.isfinite(inside)
    if not known.any() or np.mean(inside[known] < -_OPPOSED) < 0.6:
        return False
    beside_it = np.r_[max(0, first - _REACH_BLOCKS) : first, last : last + _REACH_BLOCKS]
    beside_it = beside_it[beside_it < len(used)]
    if len(beside_it) < _REACH_BLOCKS // 2:
        return True  # all of the programme, or nearly
    outside = _band_means(bands.correlation[beside_it], used[beside_it])
    known &= np.isfinite(outside)
    if not known.any() or np.mean(outside[known] > _OPPOSED) < 0.6:
        return False
    return float(-inside[known].mean()) >= mirror * float(outside[known].mean())


def _band_means(values: NDArray[np.float64], used: NDArray[np.bool_]) -> Series:
    """Gives each band's mean over the blocks in which it is heard; NaN where those are few."""
    count = used.sum(axis=0)
    total = np.where(used, values, 0.0).sum(axis=0)
    return np.where(count >= 0.3 * len(used), total / np.maximum(count, 1), np.nan)
