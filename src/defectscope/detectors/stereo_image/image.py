"""Measurements as arrays, and the steps in them by which a fault of a channel is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.detectors.stereo_image.meter import (
    BANDS,
    CORRELATION_STEPS,
    HOPS_HZ,
    to_dbfs,
)
from defectscope.detectors.stereo_image.reversals import as_ratio
from defectscope.measurements import Table
from defectscope.temporal.order import median
from defectscope.temporal.spans import Rows
from defectscope.temporal.tables import column, times_s

Series = NDArray[np.float64]
_STEP_ROWS = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """One left and right channel, hop by hop.

    Attributes:
        names: What they are called.
        starts_s: (n,) when each hop begins.
        levels: Both channels' levels in dBFS, (n,) each.
        correlation: (n,) -1 to 1, 0 where a channel is silent.
        side: (n,) level of half their difference, dBFS.
        reversals: (n,) how the cross-spectrum after a hop's start continues that before it, -1 to
            1: loud frequencies weighing more, and all alike. None but for the front pair.
    """

    names: tuple[str, str]
    starts_s: Series
    levels: tuple[Series, Series]
    correlation: Series
    side: Series
    reversals: tuple[Series, Series] | None = None

    @property
    def total(self) -> Series:
        """Level of the louder channel, dBFS."""
        return np.maximum(*self.levels)

    @property
    def mid(self) -> Series:
        """Level of half their sum, dBFS: what mono listeners hear."""
        power = sum(10 ** (level / 10) for level in self.levels) / 2
        return 10 * np.log10(np.maximum(power - 10 ** (self.side / 10), power * 1e-6))


@dataclass(frozen=True, slots=True)
class Bands:
    """The front pair in bands, block by block.

    Attributes:
        starts_s: (n,) when each block begins.
        left: (n, bands) level, dBFS.
        right: Likewise.
        correlation: (n, bands) -1 to 1.
    """

    starts_s: Series
    left: Series
    right: Series
    correlation: Series


def pair_from(table: Table, index: int, pair: tuple[int, int], names: tuple[str, str]) -> Pair:
    """Reads one pair from the hops' table."""
    return Pair(
        names,
        times_s(table),
        (
            to_dbfs(column(table, f"level_{pair[0]}")),
            to_dbfs(column(table, f"level_{pair[1]}")),
        ),
        column(table, f"correlation_{index}") / CORRELATION_STEPS,
        to_dbfs(column(table, f"side_{index}")),
        None if index else (as_ratio(column(table, "turn")), as_ratio(column(table, "turn_even"))),
    )


def bands_from(table: Table) -> Bands:
    """Reads the blocks' table."""

    def stacked(name: str) -> NDArray[Any]:
        return np.stack([column(table, f"{name}_{band}") for band in range(BANDS)], axis=1)

    return Bands(
        times_s(table),
        to_dbfs(stacked("left")),
        to_dbfs(stacked("right")),
        stacked("correlation") / CORRELATION_STEPS,
    )


def smoothed(values: Series, width: int) -> Series:
    """Returns the median of `width` (odd) values around each; ends repeat."""
    if len(values) == 0:
        return values
    return ndimage.median_filter(values, width, mode="nearest")


def neighbours(values: Series, at: int, reach_s: float, hz: int = HOPS_HZ) -> tuple[Series, Series]:
    """Returns the values just before and just after a row's start, the hop at the edge left out."""
    reach = max(2, round(reach_s * hz))
    return values[max(0, at - 1 - reach) : max(0, at - 1)], values[at + 1 : at + 1 + reach]


def steps(values: Series) -> Series:
    """Returns by how much the level changes at every row, between medians of 80 ms, edges left out.

    0 where the programme's ends are nearer.
    """
    out = np.zeros(len(values))
    if len(values) < 2 * _STEP_ROWS + 2:
        return out
    medians = _medians_of_four(values)
    # Row k compares the rows that end before k - 1 with those that begin after k.
    out[_STEP_ROWS + 1 : len(values) - _STEP_ROWS] = (
        medians[_STEP_ROWS + 2 :] - medians[: len(medians) - _STEP_ROWS - 2]
    )
    return out


def _medians_of_four(values: Series) -> Series:
    """Returns the median of every four values in a row, as exactly as `np.median` does."""
    first, second, third, fourth = (values[k : len(values) - 3 + k] for k in range(_STEP_ROWS))
    # The two in the middle: the higher of both pairs' lower ones, the lower of their higher ones.
    low = np.maximum(np.minimum(first, second), np.minimum(third, fourth))
    high = np.minimum(np.maximum(first, second), np.maximum(third, fourth))
    return (low + high) / 2


def step(values: Series, at: int, reach_s: float, hz: int = HOPS_HZ) -> float:
    """Returns by how much the median changes at a row; 0 at the programme's ends."""
    before, after = neighbours(values, at, reach_s, hz)
    if not len(before) or not len(after):
        return 0.0
    return median(after) - median(before)


def sharpest(values: Series, near: int, reach: int) -> int:
    """Returns the row near another at which two constants fit the values best.

    Args:
        values: What changes from one level to another.
        near: Row about which to look.
        reach: Rows looked at on either side.
    """
    low, top = max(0, near - reach), min(len(values), near + reach)
    part = values[low:top]
    count = len(part)
    if count < 4:
        return near
    sums = np.cumsum(part)[:-1]
    left = np.arange(1, count)
    # The split that explains most variance; two rows at least on either side.
    between = sums**2 / left + (sums[-1] + part[-1] - sums) ** 2 / (count - left)
    return low + 1 + int(np.argmax(between[1:-1])) + 1


def overlaps(span: Rows, others: list[Rows]) -> bool:
    """Tells whether a span shares a row with one of some others."""
    return any(span[0] < b and span[1] > a for a, b in others)
