"""Refits a straight sum, from inputs to log odds, to labels, anchored to what it said before.

What the sum says of the queue's titles stands beside the labels, and counts as `ANCHOR` of them:
what was learned from simulated defects is kept where no label speaks against it, and thresholds
keep their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from defectscope.findings import Interval
from defectscope.learning.items import ReviewItem
from defectscope.learning.labels import Label
from defectscope.measurements import Measurements

Doubles = NDArray[np.float64]
# How many labels a decision's own word on the queue's titles counts as, for each defect; this and
# those below were chosen on the pieces that the decision of audio_artifacts itself was chosen on,
# see docs/results/learning.md.
ANCHOR = 200.0
# Every so many steps of a title are enough to hold on to: neighbours say the same.
ANCHOR_STEP = 4
# Precision of the change of each weight, in units of its input's spread.
_PRIOR = 10.0
# Of the bias less: a sum that is only moved up or down gives up what thresholds mean.
_BIAS_SCALE = 0.1
# One reviewer in ten errs: no label asks for more certainty than this leaves.
ERRS = 0.1
# Share of an interval's steps, the likeliest, that must show what a reviewer says is in it: of a
# click in four seconds most steps show nothing.
_SHOWS = 0.5


@dataclass(frozen=True, slots=True)
class Example:
    """What one label teaches.

    Attributes:
        measurements: Of the whole title: a step is seen beside its programme.
        where: The interval that was labelled.
        present: Whether each defect named is there; of others nothing is known.
        trust: Weight, above 0 to 1.
    """

    measurements: Measurements
    where: Interval
    present: Mapping[str, bool]
    trust: float = 1.0


def present(item: ReviewItem, label: Label, defects: Sequence[str]) -> dict[str, bool]:
    """Returns what an answer says of each defect; what it leaves open is not in it.

    Args:
        item: What was asked.
        label: The answer.
        defects: All that the detector can find: a piece in which nothing is has none of them.
    """
    if label.is_there is None:
        return {}
    if label.is_there:
        named = label.defect or item.defect
        # Another defect than was asked about is there: that one is not.
        return ({item.defect: False} if item.defect else {}) | ({named: True} if named else {})
    return {item.defect: False} if item.defect else dict.fromkeys(defects, False)


def within(instants_s: Doubles, where: Interval) -> NDArray[np.bool_]:
    """Returns which instants lie in an interval, or the one nearest to its start."""
    inside = (instants_s >= where.start_s) & (instants_s < where.end_s)
    if len(inside) and not inside.any():
        inside[int(np.abs(instants_s - where.start_s).argmin())] = True
    return inside


def fitted(
    own: Sequence[tuple[Doubles, bool, float]],
    baseline: Doubles,
    anchor: float,
    start: tuple[Doubles, float],
) -> tuple[Doubles, float]:
    """Returns weights and bias of one defect that are likeliest after the labels.

    Args:
        own: Of each label, the inputs of its steps (steps, inputs), whether the defect is there,
            and the trust in that.
        baseline: Inputs of steps that the sum's own word is held on to.
        anchor: How many labels that word counts as.
        start: Weights and bias to begin with.
    """
    out, bias = start
    inputs, targets, weights = [baseline], [special.expit(baseline @ out + bias)], []
    weights.append(np.full(len(baseline), anchor / max(len(baseline), 1)))
    for row, there, trust in own:
        if there:
            row = row[np.argsort(-(row @ out))[: max(1, round(len(row) * _SHOWS))]]
        inputs.append(row)
        # Who agrees with what the layer is sure of teaches nothing: only doubt is moved.
        predicted = special.expit(row @ out + bias)
        targets.append(np.maximum(predicted, 1 - ERRS) if there else np.minimum(predicted, ERRS))
        weights.append(np.full(len(row), trust / len(row)))
    steps, target, weight = np.vstack(inputs), np.concatenate(targets), np.concatenate(weights)
    spread = baseline.std(axis=0) if len(baseline) else steps.std(axis=0)
    # A unit that never moves has nothing to say.
    scale = np.append(np.where(spread > 1e-6, 1 / np.maximum(spread, 1e-6), 0), _BIAS_SCALE)
    wide = np.hstack([steps, np.ones((len(steps), 1))]) * scale
    before = steps @ out + bias

    def cost(change: Doubles) -> tuple[float, Doubles]:
        odds = before + wide @ change
        value = weight @ (np.logaddexp(0, odds) - target * odds) + _PRIOR / 2 * change @ change
        return float(value), wide.T @ (weight * (special.expit(odds) - target)) + _PRIOR * change

    found = optimize.minimize(cost, np.zeros(wide.shape[1]), jac=True, method="L-BFGS-B")
    change = np.asarray(found.x) * scale
    return out + change[:-1], bias + float(change[-1])
