"""How what stands on the layer is fitted: one straight sum a defect, by logistic loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.stack import INPUTS, Stack, inputs_of

optimize = cast("Any", scipy.optimize)

Doubles = NDArray[np.float64]
# Of the squares of the weights, per unit of spread of their inputs.
_RIDGE = 1e-3
# What a spread of nothing counts as.
_LEAST_SPREAD = 1e-3

# Layer's log odds (n, 4), features (n, 66), target (n, 4), weight (n, 4).
Steps = tuple[Doubles, Doubles, NDArray[Any], NDArray[Any]]


def fit_stack(steps: Sequence[Steps]) -> Stack:
    """Returns the weights for the steps of some pieces, which the layer had not learned from."""
    odds, features, target, weight = (np.vstack([s[k] for s in steps]) for k in range(4))
    layer: dict[str, float] = {}
    inputs: dict[str, dict[str, float]] = {}
    bias: dict[str, float] = {}
    for place, name in enumerate(CLASSES):
        if not INPUTS[name]:
            layer[name], inputs[name], bias[name] = 1.0, {}, 0.0
            continue
        own = inputs_of(name, odds, features)
        weights, bias[name] = _logistic(own, target[:, place] > 0.5, weight[:, place])
        layer[name] = float(weights[0])
        inputs[name] = dict(zip(INPUTS[name], weights[1:].tolist(), strict=True))
    return Stack(layer, inputs, bias)


def _logistic(
    own: Doubles, there: NDArray[np.bool_], weight: NDArray[Any]
) -> tuple[Doubles, float]:
    """Returns weights and bias: as many damaged steps as clean ones, put right in the bias."""
    known = weight > 0
    own, there = own[known], there[known]
    if not len(own) or there.all() or not there.any():
        # Nothing to learn from: the layer's word stands.
        return np.r_[1.0, np.zeros(own.shape[1] - 1)], 0.0
    centre, spread = own.mean(axis=0), own.std(axis=0) + _LEAST_SPREAD
    inputs = (own - centre) / spread
    often = (~there).sum() / there.sum()
    counts = np.where(there, often, 1.0) / (2 * (~there).sum())
    sign = there.astype(np.float64)

    def loss(point: Doubles) -> tuple[float, Doubles]:
        weights = point[:-1]
        odds = inputs @ weights + point[-1]
        each = (np.logaddexp(0, odds) - sign * odds) * counts
        slope = (1 / (1 + np.exp(-odds)) - sign) * counts
        total = float(each.sum() + _RIDGE * weights @ weights)
        return total, np.r_[inputs.T @ slope + 2 * _RIDGE * weights, slope.sum()]

    point = optimize.minimize(loss, np.zeros(inputs.shape[1] + 1), jac=True, method="L-BFGS-B").x
    weights = point[:-1] / spread
    return weights, float(point[-1] - weights @ centre - np.log(often))
