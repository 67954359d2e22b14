"""Swings of the brightness and opposing changes: what makes a sequence of them a flicker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]
# First row, last row and how many changes lie in it.
Sequence = tuple[int, int, int]
# Scenes drift on after a swing; it is over where this much of it has happened.
_MOST = 0.8


def turning_points(values: Series, least: float) -> list[int]:
    """Returns the rows at which a series turns by `least` or more, ends of swings in turn.

    Each is the extreme between two opposing swings; the first and the last are where the first
    swing came from and where the last one led.
    """
    points: list[int] = []
    if not len(values):
        return points
    low = high = 0
    direction = 0
    for row in range(1, len(values)):
        value = values[row]
        if value > values[high]:
            high = row
        if value <= values[low] and (direction <= 0 or value < values[low]):
            low = row
        if direction >= 0 and values[high] - value >= least:
            points.append(high)
            direction, low = -1, row
            high = row
        elif direction <= 0 and value - values[low] >= least:
            points.append(low)
            direction, high = 1, row
            low = row
    if direction:
        points.append(high if direction > 0 else low)
    return points


def last_before(values: Series, first: int, second: int) -> int:
    """Returns the last row before `second` from which most of the swing is still to come."""
    swing = abs(values[second] - values[first])
    left = np.abs(values[second] - values[first:second])
    return first + int(np.flatnonzero(left >= _MOST * swing)[-1])


def first_after(values: Series, first: int, second: int) -> int:
    """Returns the first row after `first` at which most of the swing to `second` has happened."""
    swing = abs(values[second] - values[first])
    done = np.abs(values[first + 1 : second + 1] - values[first])
    return first + 1 + int(np.flatnonzero(done >= _MOST * swing)[0])


def swing_sequences(
    points: list[int], times_s: Series, longest_swing_s: float, least_swings: int
) -> list[Sequence]:
    """Returns intervals of swings that follow each other without a pause.

    Args:
        points: Rows of the turning points.
        times_s: When each row is.
        longest_swing_s: Slower swings end a sequence.
        least_swings: How many make a flicker.
    """
    found: list[Sequence] = []
    first = 0
    for index in range(1, len(points) + 1):
        goes_on = index < len(points) and (
            times_s[points[index]] - times_s[points[index - 1]] <= longest_swing_s
        )
        if goes_on:
            continue
        if index - 1 - first >= least_swings:
            found.append((points[first], points[index - 1], index - 1 - first))
        first = index
    return found


def opposing_changes(rising: NDArray[np.bool_], falling: NDArray[np.bool_]) -> list[int]:
    """Returns the rows at which a large area changes to the other direction.

    A change counts where it sets in; where as large an area rises as falls, something only moved.
    """
    rising_now, falling_now = _setting_in(rising), _setting_in(falling)
    rows: list[int] = []
    direction = 0
    for row in np.flatnonzero(rising_now ^ falling_now):
        now = 1 if rising_now[row] else -1
        if now != direction:
            rows.append(int(row))
            direction = now
    return rows


def _setting_in(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    before = np.concatenate(([False], flags[:-1]))[: len(flags)]
    return flags & ~before


def too_frequent(changes: list[int], times_s: Series, most: int, within_s: float) -> list[Sequence]:
    """Returns intervals in which more than `most` changes lie within `within_s` seconds."""
    found: list[Sequence] = []
    for index in range(most, len(changes)):
        first, last = changes[index - most], changes[index]
        if times_s[last] - times_s[first] > within_s:
            continue
        if found and first <= found[-1][1]:
            before = found[-1]
            found[-1] = (before[0], last, before[2] + 1)
        else:
            found.append((first, last, most + 1))
    return found
