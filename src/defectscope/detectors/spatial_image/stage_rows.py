"""Measurements as arrays over the blocks of the grid, and the image that follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.spatial_image.meter import BANDS, SHARES, to_power
from defectscope.measurements import Table
from defectscope.spatial.arrays import Reals
from defectscope.spatial.stage import Split, direct_to_ambient_db, image_deg, panorama, split
from defectscope.temporal.tables import column, times_s

Series = Reals
# Softer bands say nothing: dither, what codecs leave.
_AUDIBLE_DBFS = -75.0


@dataclass(frozen=True, slots=True)
class Blocks:
    """The front pair, block by block.

    Attributes:
        starts_s: (n,) when each block begins.
        left: (n, bands) mean squares.
        right: Likewise.
        side: (n, bands) mean squares of half the difference.
        coherence: (n,) 0 to 1, largest correlation within ±1 ms.
        delay_us: (n,) by how much the right channel is late, microseconds.
        peak: (n,) 0 to 1, how much of the spectrum shares that delay.
        zero: (n,) 0 to 1, how much of it shares none.
    """

    starts_s: Series
    left: Series
    right: Series
    side: Series
    coherence: Series
    delay_us: Series
    peak: Series
    zero: Series

    @property
    def audible(self) -> NDArray[np.bool_]:
        """(n, bands) where there is sound."""
        return self.left + self.right > 10 ** (_AUDIBLE_DBFS / 10)

    @property
    def mid(self) -> Series:
        """(n, bands) mean squares of half the sum."""
        return np.maximum((self.left + self.right) / 2 - self.side, 0.0)

    @property
    def cross(self) -> Series:
        """(n, bands) mean products of both channels, within what their powers allow."""
        most = np.sqrt(self.left * self.right)
        return np.clip((self.left + self.right) / 2 - 2 * self.side, -most, most)

    @property
    def parts(self) -> Split:
        """(n, bands) source and ambience."""
        return split(self.left, self.right, self.cross)


@dataclass(frozen=True, slots=True)
class Image:
    """What a listener between two loudspeakers at ±30 degrees hears, block by block, (n,) each.

    Attributes:
        middle_deg: Direction of the middle, positive to the left.
        width_deg: Angular width.
        direct_db: Energy with a direction over that without, decibels.
        centre: Share of the energy that both channels have alike.
    """

    middle_deg: Series
    width_deg: Series
    direct_db: Series
    centre: Series


def blocks_from(table: Table) -> Blocks:
    """Reads the table of blocks."""

    def stacked(name: str) -> NDArray[Any]:
        codes = [column(table, f"{name}_{band}") for band in range(BANDS)]
        return to_power(np.stack(codes, axis=1))

    return Blocks(
        times_s(table),
        stacked("left"),
        stacked("right"),
        stacked("side"),
        column(table, "coherence") / SHARES,
        column(table, "delay_us").astype(np.float64),
        column(table, "peak") / SHARES,
        column(table, "zero") / SHARES,
    )


def image_of(blocks: Blocks) -> Image:
    """Returns width, middle, depth and centre of every block."""
    parts = blocks.parts
    middle, width = image_deg(parts)
    totals = (np.sum(values, axis=1) for values in (blocks.left, blocks.right, blocks.cross))
    return Image(middle, width, direct_to_ambient_db(parts), panorama(*totals)[1])
