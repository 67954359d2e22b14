"""Learns how a frame's tiles look in the other version, so that only true differences remain.

Gain, gamma and graphics change every frame in the same way. A regression from each tile of
the baseline (and its square) to the candidate's takes that out; what remains of a true pair is
noise of coding, and its size per tile is the unit in which pairs are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RIDGE = 1e-3
# Codes: no tile is believed to be truer than this.
_MIN_SIGMA_CODES = 0.1
# Squared residuals of one tile are counted up to this, in units of its variance.
_MAX_TILE = 400.0
# A residual r is counted as s ln(1 + r / s), up to a limit below the cost of leaving both frames.
_SLOW = 3.0
_MAX_COST = 13.0
# Frames are alien to each other when their mean squared difference is above this share of the
# candidate's contrast and above this many codes.
_ALIEN = 0.3
_ALIEN_CODES = 4.0
ALIEN_COST = 20.0
# A fit needs this many pairs; with fewer the tiles are compared as they are.
MIN_PAIRS = 60
_FIT_PAIRS = 6000


@dataclass(frozen=True)
class FittedPair:
    """Both versions in one unit: the noise of a true pair.

    Attributes:
        base: (frames, tiles) what the baseline's frames should look like in the candidate.
        candidate: (frames, tiles) what the candidate's look like.
        typical: Median squared residual of the pairs that it was fitted to.
        weights: (tiles,) turn squared residuals into mean squared codes.
        contrast: (frames,) variance of the candidate's tiles, squared codes.
        ones: (tiles,) of 1.
    """

    base: NDArray[np.float32]
    candidate: NDArray[np.float32]
    typical: float
    weights: NDArray[np.float32]
    contrast: NDArray[np.float32]
    ones: NDArray[np.float32]

    def costs(self, frame: int, first: int, last: int) -> NDArray[np.float64]:
        """Returns what it costs to pair a frame with each of the candidates [first, last).

        The squared residual (1 is typical of a true pair) grows ever slower, so that a pair that
        was coded badly is kept; frames that do not even look alike cost more than to leave both.
        """
        difference = self.candidate[first:last] - self.base[frame]
        np.square(difference, out=difference)
        codes = difference @ self.weights
        np.minimum(difference, _MAX_TILE, out=difference)
        # A product with ones adds up rows in a third of the time that their mean takes.
        residual = difference @ self.ones / (difference.shape[1] * self.typical)
        cost = np.minimum(_SLOW * np.log1p(residual / _SLOW), _MAX_COST)
        cost[codes > _ALIEN * self.contrast[first:last] + _ALIEN_CODES**2] = ALIEN_COST
        return cost


def fit_pair(
    base: NDArray[np.float32],
    candidate: NDArray[np.float32],
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> FittedPair:
    """Fits the baseline's tiles to the candidate's over pairs of frames.

    Args:
        base: (frames, tiles) mean luma codes of the baseline.
        candidate: (frames, tiles) of the candidate.
        pairs: Frame numbers of pairs, mostly right ones.
    """
    left, right = pairs
    if len(left) > _FIT_PAIRS:
        kept = np.linspace(0, len(left) - 1, _FIT_PAIRS).astype(np.int64)
        left, right = left[kept], right[kept]
    if len(left) < MIN_PAIRS:
        predicted = base - base.mean(axis=1, keepdims=True)
        target = candidate - candidate.mean(axis=1, keepdims=True)
    else:
        predicted, target = _predict(base, candidate, left, right), candidate
    error = np.abs(predicted[left] - target[right])
    # The median of |x| is 0.6745 sigma for a normal distribution.
    sigma = np.maximum(np.median(error, axis=0) / 0.6745, _MIN_SIGMA_CODES).astype(np.float32)
    residual = np.minimum(np.square(error / sigma), _MAX_TILE).mean(axis=1)
    return FittedPair(
        (predicted / sigma).astype(np.float32),
        (target / sigma).astype(np.float32),
        max(float(np.median(residual)), 0.25) if len(left) else 1.0,
        (sigma**2 / len(sigma)).astype(np.float32),
        candidate.var(axis=1),
        np.ones(len(sigma), np.float32),
    )


def _predict(
    base: NDArray[np.float32],
    candidate: NDArray[np.float32],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> NDArray[np.float32]:
    source = base.astype(np.float64) / 100.0
    target = candidate.astype(np.float64) / 100.0
    predicted = np.empty_like(base)
    for tile in range(base.shape[1]):
        own = source[:, tile, None]
        design = np.concatenate([own, own * own, np.ones_like(own)], axis=1)
        predicted[:, tile] = 100.0 * _robust_fit(design, target[:, tile], left, right)
    return predicted


def _robust_fit(
    design: NDArray[np.float64],
    target: NDArray[np.float64],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Fits twice: the second time without the tenth of the pairs that fitted worst."""
    x, y = design[left], target[right]
    weights = np.zeros(design.shape[1])
    for _ in range(2):
        gram = x.T @ x + _RIDGE * np.eye(x.shape[1])
        weights = np.linalg.solve(gram, x.T @ y)
        error = np.abs(x @ weights - y)
        kept = error <= np.quantile(error, 0.9)
        x, y = x[kept], y[kept]
    return design @ weights
