"""How the fields of neighbouring frames fit into each other, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

# One frame alone can be a counting accident: the median of five decides, and of nine the fields'
# order must be the same. Letters that roll by three rows in two frames fit one order, then the
# other, every few frames.
_MEDIAN_REACH = 2
_ORDER_REACH = 4


@dataclass(frozen=True, slots=True)
class Fields:
    """Shares of samples that stand out between the rows above and below, one per frame.

    Attributes:
        within: Rows of a frame between rows of the same frame: the comb.
        control: Rows between the rows two above and two below, of the same field.
        top_first: Bottom rows of the frame before between top rows of this one, and top rows of
            this one between bottom rows of the one before: small when the top field is the older.
        bottom_first: The same with top and bottom exchanged.
    """

    within: Series
    control: Series
    top_first: Series
    bottom_first: Series


@dataclass(frozen=True, slots=True)
class FieldScores:
    """What the fields say.

    Attributes:
        score: 0 to 1 per frame; 0.5 is as far from progressive as the threshold.
        woven: (n,) bool, the frame shows two instants.
    """

    score: Series
    woven: NDArray[np.bool_]


def evaluate_fields(fields: Fields, thresholds: Mapping[str, float]) -> FieldScores:
    """Tells which frames are woven from fields of two instants.

    In a progressive frame both orders fit alike, whatever moves and whatever the texture: the
    difference of the two is the noise of counting. In a woven one they differ by as much as the
    frame moves in a field's time or more.

    Args:
        fields: (n,) shares.
        thresholds: `order_share` (absolute difference that counts), `order_ratio` (the same
            relative to their sum) and `order_agreement` (how much of the differences around a
            frame must have one sign).
    """
    difference = fields.top_first - fields.bottom_first
    total = _median(fields.top_first + fields.bottom_first)
    bar = thresholds["order_share"] + thresholds["order_ratio"] * total
    lasting = np.abs(_around(difference, _ORDER_REACH).sum(axis=1))
    either = np.abs(_around(difference, _ORDER_REACH)).sum(axis=1)
    agreed = lasting >= thresholds["order_agreement"] * either
    ratio = np.where(agreed, np.abs(_median(difference)) / np.maximum(bar, 1e-9), 0.0)
    return FieldScores(score=ratio / (1.0 + ratio), woven=ratio >= 1.0)


def _around(values: Series, reach: int) -> Series:
    """Returns each frame's value and its neighbours', (n, 2 reach + 1); ends repeat."""
    if not len(values):
        return np.empty((0, 2 * reach + 1))
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)


def _median(values: Series) -> Series:
    return np.asarray(np.median(_around(values, _MEDIAN_REACH), axis=1), np.float64)
