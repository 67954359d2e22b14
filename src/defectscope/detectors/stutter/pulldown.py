"""Cadences of standing and moving frames that coding has blurred, and where they break.

In small or coarsely coded frames a repeated frame is refined bit by bit, so that it moves a third
as much as a new one and no threshold tells the two apart. A cadence still does: where motion
follows `2:3` for half a second, each frame's place in it says what the frame is. The likeliest
path through the places of a cadence gives the phase, and a jump in the path is a break.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.stutter.windows import around, window_means, window_quantiles
from defectscope.temporal.spans import runs

Series = NDArray[np.float64]
Flags = NDArray[np.bool_]
# What the best path to each place has gained, where it began, whence it came, and which jumped.
Step = tuple[list[float], list[int], list[int], list[int]]

# How many frames each frame of the source is shown for, in turn: 24 in 60, 20 in 50.
CADENCES = ((2, 3), (2, 2, 3, 3))
# Frames on either side that say how far new and repeated frames move, and by which factor they
# must differ at least.
_REACH = 25
_LEAST_RATIO = 1.8
_NOISE_CODE = 0.02
# Shares of the distance between both: spread of each kind, and the least of it, as a logarithm.
_SPREAD_SHARE, _LEAST_SPREAD = 0.25, 0.2
# What one frame can say against a cadence at most, natural logarithms of ratios: a key frame
# changes everything.
_MOST_AGAINST = 4.0
# What a break costs, what it costs to begin, and what a cadence must have gained.
_BREAK_COST, _BEGIN_COST = 5.0, 8.0
_LEAST_GAIN = 16.0
# Only where one phase gains so much a frame over so many on either side is a path looked for.
_GATE_REACH, _GATE_GAIN = 12, 0.3


@dataclass(frozen=True, slots=True)
class Cadence:
    """A cadence that holds over some rows.

    Attributes:
        first: First row.
        last: Row after the last.
        shown: How many frames each is shown for.
        breaks: Rows at which its phase jumps.
        repeats: (last - first,) which of them repeat the frame before.
    """

    first: int
    last: int
    shown: tuple[int, ...]
    breaks: tuple[int, ...]
    repeats: Flags


def evidence(steps: Series, held_share: float) -> tuple[Series, Series]:
    """Returns what each frame says for being new, and for being a repeat: logarithms of ratios.

    Args:
        steps: (n,) how far each frame moved, codes.
        held_share: Share of the frames that repeat in the cadence.
    """
    logs = np.log(steps + _NOISE_CODE)
    held, new = window_quantiles(around(logs, _REACH), [held_share / 2, (1 + held_share) / 2])
    apart = new - held
    spread = np.maximum(_SPREAD_SHARE * apart, _LEAST_SPREAD)
    as_new = np.exp(-0.5 * (np.minimum(logs - new, 0.0) / spread) ** 2)
    as_held = np.exp(-0.5 * (np.maximum(logs - held, 0.0) / spread) ** 2)
    mixed = (1 - held_share) * as_new + held_share * as_held
    floor = np.exp(-_MOST_AGAINST)
    told = apart >= np.log(_LEAST_RATIO)
    return (
        np.where(told, np.log(np.maximum(as_new / mixed, floor)), -1.0),
        np.where(told, np.log(np.maximum(as_held / mixed, floor)), -1.0),
    )


def cadences(steps: Series) -> list[Cadence]:
    """Returns the cadences that hold over some rows, in order, apart from each other.

    Args:
        steps: (n,) how far each frame moved, codes.
    """
    found: list[tuple[float, Cadence]] = []
    for shown in CADENCES:
        found += _held_over(steps, shown)
    taken: list[Cadence] = []
    for _, each in sorted(found, key=lambda pair: -pair[0]):
        if all(each.last <= other.first or each.first >= other.last for other in taken):
            taken.append(each)
    return sorted(taken, key=lambda each: each.first)


def _held_over(steps: Series, shown: tuple[int, ...]) -> list[tuple[float, Cadence]]:
    """Returns where one cadence holds, with what it gains there."""
    is_new = [place == 0 for length in shown for place in range(length)]
    new, held = evidence(steps, 1 - len(shown) / len(is_new))
    out: list[tuple[float, Cadence]] = []
    for first, last in _plausible(new, held, is_new):
        trail = _followed(new[first:last].tolist(), held[first:last].tolist(), is_new)
        out += _paths(trail, first, shown, is_new)
    return out


def _plausible(new: Series, held: Series, is_new: Sequence[bool]) -> list[tuple[int, int]]:
    """Returns the rows around which one phase of the cadence gains enough, as runs."""
    size, count = len(is_new), len(new)
    best = np.full(count, -np.inf)
    for phase in range(size):
        here = np.resize(np.roll(np.array(is_new), phase), count)
        best = np.maximum(best, window_means(np.where(here, new, held), _GATE_REACH))
    near: Any = ndimage.maximum_filter1d(best >= _GATE_GAIN, 4 * _GATE_REACH + 1, mode="constant")
    return runs(np.asarray(near, np.bool_))


def _followed(new: list[float], held: list[float], is_new: Sequence[bool]) -> list[Step]:
    """Returns, row by row, what the best path to each place has gained and whence it came."""
    places = range(len(is_new))
    best, begun = [-np.inf] * len(is_new), [0] * len(is_new)
    trail: list[Step] = []
    for row, (as_new, as_held) in enumerate(zip(new, held, strict=True)):
        top = max(places, key=best.__getitem__)
        jump = best[top] - _BREAK_COST
        totals, since, came, jumped = [0.0] * len(is_new), [0] * len(is_new), [0] * len(is_new), []
        for place in places:
            before, total = place - 1, best[place - 1]
            if jump > total:
                before, total = top, jump
                jumped.append(place)
            start = total < -_BEGIN_COST
            since[place] = row if start else begun[before]
            came[place] = before
            total = -_BEGIN_COST if start else total
            totals[place] = total + (as_new if is_new[place] else as_held)
        best, begun = totals, since
        trail.append((totals, since, came, jumped))
    return trail


def _paths(
    trail: Sequence[Step], offset: int, shown: tuple[int, ...], is_new: Sequence[bool]
) -> list[tuple[float, Cadence]]:
    """Returns the best paths, from the last row back; they share no rows."""
    found: list[tuple[float, Cadence]] = []
    tops = np.array([max(totals) for totals, *_ in trail])
    end = len(trail)
    while end > 0:
        totals, since, *_ = trail[end - 1]
        begin = since[int(np.argmax(totals))]
        # Where that path is at its best, rows that speak against it come after.
        last = begin + int(np.argmax(tops[begin:end]))
        totals, since, *_ = trail[last]
        place = int(np.argmax(totals))
        begin = since[place]
        if tops[last] >= _LEAST_GAIN:
            breaks: list[int] = []
            repeats = np.zeros(last + 1 - begin, np.bool_)
            for row in range(last, begin - 1, -1):
                *_, came, jumped = trail[row]
                repeats[row - begin] = not is_new[place]
                if row > begin and place in jumped:
                    breaks.append(offset + row)
                place = came[place] % len(is_new)
            each = Cadence(
                offset + begin, offset + last + 1, shown, tuple(reversed(breaks)), repeats
            )
            found.append((float(tops[last]), each))
        end = min(begin, last)
    return found
