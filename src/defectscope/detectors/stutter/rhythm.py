"""Which rhythm of standing, or of longer steps, is meant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stutter.windows import window_means
from defectscope.temporal.padding import between
from defectscope.temporal.spans import runs

Series = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Longest rhythm that is taken for a cadence: film on twos to sixes, 3:2, 25 in 30, 30 in 25, ...
_LONGEST_CADENCE = 12
# A rhythm holds where so many of the frames around agree with the one a period earlier.
_CADENCE_REACH = 30
_CADENCE_AGREEMENT = 0.75
_LONG_SHARE = 0.2
# What keeps company with a step is at least so large beside it.
_COMPANY_SHARE = 0.75
# Frames on either side of a break that show a rhythm, whole periods, so many of which agree.
_LEAST_RHYTHM = 8
_SAME_RHYTHM = 0.8
# From this share of standing frames on, standing may be a rhythm.
_HELD_SHARE = 0.3
# A conversion that drops frames drops one in three at most. Steps so many periods before and
# after are compared with all between: by how many standard errors, and how much, they are longer.
_SHORTEST_CONVERSION = 3
_CONVERSION_PERIODS = 6
_LEAST_COMPANY = 5
_CONVERSION_CLEAR = 3.5
_CONVERSION_RATIO = 1.3
_LEAST_STEP = 0.05
# Steps that end holds are compared with the others where there are so many; and how much longer
# they are under an accident.
_LEAST_ENDS = 2.5
_LEAST_FREE_SHARE = 0.15
_CATCH_UP_RATIO = 1.4


def cadence(still: Flags, longest_hold_frames: int) -> tuple[Flags, Flags]:
    """Finds rhythms of standing frames that repeat, and where they break.

    Args:
        still: (n,) bool.
        longest_hold_frames: Frames that repeat for longer belong to no cadence.

    Returns:
        (n,) bool: frames inside a rhythm; and of these, those that break it.
    """
    count = len(still)
    broken = np.zeros(count, bool)
    best, periods = np.zeros(count), np.zeros(count, np.intp)
    values = still.astype(np.float64)
    share = window_means(values, _CADENCE_REACH)
    for period in range(2, min(_LONGEST_CADENCE, count - 1) + 1):
        agree = np.ones(count)
        agree[period:] = still[period:] == still[:-period]
        lasting = window_means(agree, _CADENCE_REACH)
        # A multiple of the period agrees as well; it must be better to be taken.
        better = lasting > best + 0.02
        best = np.where(better, lasting, best)
        broken = np.where(better, agree == 0, broken)
        periods = np.where(better, period, periods)
    held = np.zeros(count)
    for first, last in runs(still):
        held[first:last] = last - first > longest_hold_frames
    if count:
        best = np.where(window_means(held, _CADENCE_REACH) > _LONG_SHARE, 0.0, best)
    inside = (best >= _CADENCE_AGREEMENT) & (share >= _HELD_SHARE) & (share <= 0.9)
    broken &= inside
    # One frame that was taken for the other kind changes nothing: the rhythm goes on as before.
    for row in np.flatnonzero(broken).tolist():
        broken[row] = _jumps_in_phase(still, row, int(periods[row]))
    return inside, broken


def _jumps_in_phase(still: Flags, row: int, period: int) -> bool:
    """Tells whether one rhythm holds before a row and after it, in another phase.

    Else a drawing was held for longer, or the rhythm began or ended there.
    """
    size = period * -(-_LEAST_RHYTHM // period)
    before = still[max(row - size, 0) : row]
    after = still[row + period : row + period + size]
    for part in (before, after):
        if len(part) < size or part.all() or not part.any():
            return False
        again = part[period:] == part[:-period]
        if len(again) and float(np.mean(again)) < _SAME_RHYTHM:
            return False
    return float(np.mean(before == after)) < _SAME_RHYTHM


def catching_up(still: Flags, steps: Series) -> Flags:
    """Tells where the steps that end holds are longer than those between frames that move.

    What is meant to stand goes on from there; under an accident the programme ran on.

    Args:
        still: (n,) frames that repeat the one before.
        steps: (n,) how far each frame moved.
    """
    if not len(still):
        return still
    before = np.concatenate([[False], still[:-1]])
    ends, free = ~still & before, ~still & ~before
    logs = np.log(np.maximum(steps, _LEAST_STEP))
    size = 2 * _CADENCE_REACH + 1
    ended, moved = (
        window_means(flags.astype(np.float64), _CADENCE_REACH) for flags in (ends, free)
    )
    with_hold = window_means(np.where(ends, logs, 0.0), _CADENCE_REACH) / np.maximum(ended, 1e-9)
    without = window_means(np.where(free, logs, 0.0), _CADENCE_REACH) / np.maximum(moved, 1e-9)
    enough = (ended * size >= _LEAST_ENDS) & (moved >= _LEAST_FREE_SHARE)
    return enough & (with_hold - without >= np.log(_CATCH_UP_RATIO))


def periodic(flags: Flags, least: int) -> Flags:
    """Tells which set flags have company at `least` of four multiples of one distance."""
    return in_rhythm(flags.astype(np.float64), least) & flags


def in_rhythm(values: Series, least: int) -> Flags:
    """Tells which values have company at `least` of four multiples of one distance.

    Company is nearly as large. The four lie before, after or on both sides, so that a rhythm holds
    up to its ends.
    """
    count, margin = len(values), 4 * _LONGEST_CADENCE
    found = np.zeros(count, bool)
    padded = between(values, margin)
    bar = np.maximum(_COMPANY_SHARE * values, 1e-9)
    for period in range(2, _LONGEST_CADENCE + 1):
        first = [margin + k * period for k in (-4, -3, -2, -1, 1, 2, 3, 4)]
        company = np.array([padded[at : at + count] >= bar for at in first])
        for places in (slice(0, 4), slice(2, 6), slice(4, 8)):
            found |= company[places].sum(axis=0) >= least
    return found


def conversion(steps: Series) -> Series:
    """Returns how many times longer each step is for a conversion that drops frames in a rhythm.

    Film of 30 frames a second shown at 25 lacks every sixth: every fifth step is twice as long,
    which is meant.

    Args:
        steps: (n,) lengths, beside those around.

    Returns:
        (n,) ratios, 1 where there is no such rhythm. A step does not speak for itself.
    """
    count = len(steps)
    logs = np.log(np.maximum(steps, _LEAST_STEP))
    known = np.ones(count)
    known[:1] = 0.0  # nothing came before the first frame
    best, longer = np.full(count, _CONVERSION_CLEAR), np.ones(count)
    for period in range(_SHORTEST_CONVERSION, _LONGEST_CADENCE + 1):
        reach = _CONVERSION_PERIODS * period
        there = between(known, reach)
        padded = between(logs * known, reach)
        mates = [reach + k * period for k in range(-_CONVERSION_PERIODS, _CONVERSION_PERIODS + 1)]
        mates.remove(reach)
        company = np.sum([there[m : m + count] for m in mates], axis=0)
        level = np.sum([padded[m : m + count] for m in mates], axis=0) / np.maximum(company, 1)
        size = _window_sums(there, reach)
        mean = _window_sums(padded, reach) / np.maximum(size, 1)
        square = _window_sums(padded**2, reach) / np.maximum(size, 1)
        error = np.sqrt(np.maximum(square - mean**2, 1e-6) / np.maximum(company, 1))
        clear = (level - mean) / error
        # The mean holds the longer steps, too: one in each period.
        excess = (level - mean) * (period / (period - 1))
        holds = (company >= _LEAST_COMPANY) & (clear > best)
        holds &= excess >= np.log(_CONVERSION_RATIO)
        best = np.where(holds, clear, best)
        longer = np.where(holds, np.exp(excess), longer)
    return longer


def _window_sums(padded: Series, reach: int) -> Series:
    """Sums over `reach` rows on either side of each row of what was padded by as many zeros."""
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    width = 2 * reach + 1
    return sums[width:] - sums[: len(sums) - width]
