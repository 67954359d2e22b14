"""Where one channel is inverted: the spectrum turns over at once, and back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.stereo_image.faults import AUDIBLE_DBFS, Fault
from defectscope.detectors.stereo_image.image import (
    Bands,
    Pair,
    Series,
    sharpest,
    smoothed,
    step,
)
from defectscope.detectors.stereo_image.meter import BLOCKS_HZ, HOPS_HZ, HOPS_PER_BLOCK
from defectscope.detectors.stereo_image.reversals import NEIGHBOUR_HOPS
from defectscope.temporal.order import quantile
from defectscope.temporal.spans import Rows, runs

Thresholds = Mapping[str, float]

# How far beside an interval the bands are compared with those in it, blocks.
_REACH_BLOCKS = 4 * BLOCKS_HZ
# A turn is there within so many hops, and two of them are further apart.
_NEAR_HOPS = 2
# Of even the most inverted programmes some edges are natural: no more than so many are tried.
_MOST_ENDS = 40
_LONG_S = 20.0
# Turns whose sums differ by less are equally good.
_EQUAL_SUM = 0.1
# Bands that say something of an interval are heard in so much of it; and how many must be.
_LEAST_AUDIBLE_SHARE = 0.3
_LEAST_BANDS = 3
# What hardly opposes itself from end to end must do so for so long, and in intervals of so long:
# in shorter ones two sides that have little in common agree by chance.
_WEAK_S, _WEAK_RUN_S = 5.0, 1.5


def inverted(pair: Pair, bands: Bands | None, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Returns where the channels oppose each other.

    Args:
        pair: Two channels.
        bands: The same in bands, for the pair in front; the others are evaluated by their overall
            correlation alone.
        tuned: Thresholds.
        min_s: Shortest event, seconds.
    """
    quieter = np.minimum(*pair.levels)
    audible = quieter >= max(AUDIBLE_DBFS, quantile(pair.total, 0.95) - 45.0)
    if audible.sum() < min_s * HOPS_HZ / 2:
        return []
    if bands is None or pair.reversals is None:
        return _by_correlation(pair, audible, tuned, min_s)
    whole = _throughout(pair, bands, audible, tuned)
    if whole is not None:
        return [whole]
    return _between_reversals(pair, bands, audible, tuned, min_s)


def _throughout(
    pair: Pair, bands: Bands, audible: NDArray[np.bool_], tuned: Thresholds
) -> Fault | None:
    """Returns a programme that is inverted from end to end.

    Sides that have little in common have it in every band, above all in the bass. Effects and
    rooms oppose themselves in some bands; no other programme does so in all of them for seconds.
    """
    mean = float(np.mean(pair.correlation[audible]))
    weak = mean > tuned["inverted_whole"]
    if weak and (mean > tuned["inverted_weak"] or audible.sum() < _WEAK_S * HOPS_HZ):
        return None
    slow = smoothed(pair.correlation[audible], round(_WEAK_RUN_S * HOPS_HZ) if weak else 15)
    if np.mean(slow <= tuned["inverted_leave"]) < 0.9:
        return None
    means = _band_means(bands.correlation, _audible_bands(bands))
    known = means[np.isfinite(means)]
    if len(known) < (_LEAST_BANDS if weak else 1):
        return None
    opposed = known.max() <= tuned["inverted_weak_bands" if weak else "inverted_leave"]
    # What is mixed is in phase where it is low: above, wide effects may have nothing in common.
    low = means[0] <= tuned["inverted_low"] and known.max() <= -tuned["inverted_leave"]
    return Fault((0, len(pair.starts_s)), mean) if opposed or low else None


def _between_reversals(
    pair: Pair, bands: Bands, audible: NDArray[np.bool_], tuned: Thresholds, min_s: float
) -> list[Fault]:
    """Returns intervals between two turns whose bands are the negative of those beside them."""
    assert pair.reversals is not None
    count = len(pair.starts_s)
    weighted, even = (ndimage.minimum_filter1d(t, 2 * _NEAR_HOPS + 1) for t in pair.reversals)
    both = weighted + even
    # A turn is measured over hops on either side; what a codec leaves of silence turns at will.
    sound = ndimage.uniform_filter1d(audible.astype(float), 2 * NEIGHBOUR_HOPS + 1, mode="nearest")
    able = (sound >= 0.5) & (even <= tuned["turned_even"]) & (both <= tuned["turned"])
    edges = [_sharpest(pair, first, last) for first, last in runs(able)]
    found: list[Fault] = []
    reached = 0
    for number, first in enumerate([0, *edges]):
        if first < reached:
            continue
        best: tuple[float, int] | None = None
        for last in [*edges[number : number + _MOST_ENDS], count]:
            if last - first < min_s * HOPS_HZ or (first == 0 and last == count):
                continue
            turned = [float(both[k]) for k in (first, last) if 0 < k < count]
            open_end, long = len(turned) == 1, last - first > _LONG_S * HOPS_HZ
            # The further apart, the more natural turns there were to choose from.
            least = tuned["turned_alone" if open_end or long else "turned"]
            sure = sum(turned)
            if max(turned) > least or (not open_end and sure > tuned["turned_twice"]):
                continue
            likeness = _mirrored(bands, (first, last), open_end, tuned)
            if likeness is not None and (best is None or sure < best[0]):
                best = (sure, last)
        if best is not None:
            inside = audible[first : best[1]]
            mean = float(np.mean(pair.correlation[first : best[1]][inside]))
            found.append(Fault((first, best[1]), mean))
            reached = best[1] + 1
    return found


def _sharpest(pair: Pair, first: int, last: int) -> int:
    """Returns the hop at which the spectrum turns."""
    assert pair.reversals is not None
    low, top = max(2, first - _NEAR_HOPS), min(len(pair.starts_s), last + _NEAR_HOPS)
    both = (pair.reversals[0] + pair.reversals[1])[low:top]
    # Steady sound turns over as well for some hops on either side: then the correlation tells.
    equal = low + np.flatnonzero(both <= both.min() + _EQUAL_SUM)
    return int(equal[np.argmax(np.abs(pair.correlation[equal] - pair.correlation[equal - 2]))])


def _mirrored(bands: Bands, span: Rows, open_end: bool, tuned: Thresholds) -> float | None:
    """Returns how exactly an interval's bands oppose those beside it, None where they do not.

    Sampled instruments and wide effects oppose each other of themselves, in some bands, and
    differently before and after. An inversion turns every band's correlation into its negative.

    Args:
        bands: The front pair.
        span: Rows of the hops' table.
        open_end: The interval begins or ends with the programme.
        tuned: Thresholds.
    """
    first, last = span[0] // HOPS_PER_BLOCK, -(-span[1] // HOPS_PER_BLOCK)
    within = (slice(first + 1, last - 1),)
    around = (slice(max(0, first - _REACH_BLOCKS), first), slice(last, last + _REACH_BLOCKS))
    inside, outside = (
        _band_means(
            np.concatenate([bands.correlation[part] for part in parts]),
            np.concatenate([_audible_bands(bands, part) for part in parts]),
        )
        for parts in (within, around)
    )
    known = np.isfinite(inside) & np.isfinite(outside)
    if known.sum() < _LEAST_BANDS:
        return None
    inside, outside = inside[known], outside[known]
    sizes = [float(np.sqrt(np.mean(v * v))) for v in (inside, outside)]
    least = tuned["common_open"] if open_end else tuned["common"]
    if min(sizes) < least or min(sizes) < tuned["inverted_mirror"] * max(sizes):
        return None
    likeness = float(np.mean(inside * outside)) / (sizes[0] * sizes[1])
    # The programme agrees with itself, and its fault does not: not the other way round.
    if likeness > -tuned["opposed"] or inside[np.argmax(np.abs(outside))] > 0:
        return None
    return likeness


def _audible_bands(bands: Bands, part: slice = slice(None)) -> NDArray[np.bool_]:
    """Returns which bands are heard in both channels in some of the blocks."""
    return np.minimum(bands.left[part], bands.right[part]) >= AUDIBLE_DBFS


def _band_means(values: NDArray[np.float64], used: NDArray[np.bool_]) -> Series:
    """Returns each band's mean over the blocks in which it is heard; NaN where those are few."""
    count = used.sum(axis=0)
    total = np.where(used, values, 0.0).sum(axis=0)
    return np.where(count >= _LEAST_AUDIBLE_SHARE * len(used), total / np.maximum(count, 1), np.nan)


def _by_correlation(
    pair: Pair, audible: NDArray[np.bool_], tuned: Thresholds, min_s: float
) -> list[Fault]:
    """Returns where the overall correlation turns over and stays below nought."""
    count = len(pair.starts_s)
    known = np.flatnonzero(audible)
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
        inside = audible[span[0] : span[1]]
        if not all(ends) or span[1] - span[0] < min_s * HOPS_HZ or not inside.any():
            continue
        mean = float(np.mean(correlation[span[0] : span[1]][inside]))
        whole = span == (0, count)
        if mean <= tuned["inverted_whole" if whole else "inverted_leave"]:
            found.append(Fault(span, mean))
    return found
