"""Tests two builds over a matrix: sessions are exchanged within a device and title, never across.

Devices and titles differ far more than builds do. So labels are permuted within each cell of the
matrix, and the difference of the means of ranks is summed over cells.
Source: P. Good, Permutation, Parametric and Bootstrap Tests of Hypotheses, 3rd ed., 2005, 3.7;
the statistic is that of E. van Elteren, 1960.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

# Enough that a thousand measures can be tested together.
_PERMUTATIONS = 20_000
_BOOTSTRAPS = 2_000
_SEED = 20_240_501

# By cell: the baseline's values and the candidate's.
Cells = Mapping[str, tuple[Sequence[float], Sequence[float]]]


@dataclass(frozen=True)
class Difference:
    """Candidate less baseline.

    Attributes:
        p_value: Two-sided.
        least_p: The least that the number of sessions allows.
        shift: Sum over cells of how far the candidate's ranks lie above the middle.
        mean: Of the cells' differences of means, weighted by their sessions.
        low: Lower end of its interval of 95 %, by bootstrap within cells.
        high: Upper end.
    """

    p_value: float
    least_p: float
    shift: float
    mean: float
    low: float
    high: float


def difference(cells: Cells) -> Difference | None:
    """Returns how a candidate differs, or None where no cell has both.

    Args:
        cells: Values by cell; those with one side alone are left out.
    """
    rng = np.random.default_rng(_SEED)
    both = [
        (np.asarray(base, np.float64), np.asarray(candidate, np.float64))
        for _, (base, candidate) in sorted(cells.items())
        if len(base) and len(candidate)
    ]
    if not both:
        return None
    seen = 0.0
    permuted = np.zeros(_PERMUTATIONS)
    arrangements = 1
    for base, candidate in both:
        ranks = rankdata(np.concatenate([base, candidate]))
        weight = 1.0 / (len(ranks) + 1)
        centre = len(candidate) * ranks.mean()
        seen += weight * (float(ranks[len(base) :].sum()) - centre)
        drawn = rng.permuted(np.tile(ranks, (_PERMUTATIONS, 1)), axis=1)[:, len(base) :]
        permuted += weight * (drawn.sum(axis=1) - centre)
        arrangements *= comb(len(ranks), len(base))
    # The arrangement that was seen is one of them. Source: Phipson and Smyth, 2010.
    as_far = np.abs(permuted) >= abs(seen) - 1e-9
    mean, low, high = _interval(both, rng)
    p_value = (1 + int(as_far.sum())) / (1 + _PERMUTATIONS)
    return Difference(p_value, 2 / arrangements, seen, mean, low, high)


def _interval(
    both: list[tuple[NDArray[np.float64], NDArray[np.float64]]], rng: np.random.Generator
) -> tuple[float, float, float]:
    weights = np.array([len(base) + len(candidate) for base, candidate in both], np.float64)
    weights /= weights.sum()
    mean = sum(w * (c.mean() - b.mean()) for w, (b, c) in zip(weights, both, strict=True))
    drawn = np.zeros(_BOOTSTRAPS)
    for weight, (base, candidate) in zip(weights, both, strict=True):
        sides = [
            side[rng.integers(0, len(side), (_BOOTSTRAPS, len(side)))].mean(axis=1)
            for side in (base, candidate)
        ]
        drawn += weight * (sides[1] - sides[0])
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(mean), float(low), float(high)
