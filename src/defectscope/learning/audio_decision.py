"""Refits the decision layer of audio_artifacts to labels, from what was measured.

The last step of the layer is fitted again, from its hidden units to log odds. What the layer said
of the titles of the queue before stands beside the labels, and counts as `ANCHOR` labels: what was
learned from simulated defects is kept where no label speaks against it, and the thresholds of
evidence keep their meaning. Nothing is decoded again, and no network runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from defectscope.detectors.audio_artifacts.analysis import COLUMNS
from defectscope.detectors.audio_artifacts.decision import WINDOW_S, Layer, features
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.detectors.audio_artifacts.stack import of_the_layer
from defectscope.errors import MalformedRequestError
from defectscope.findings import Interval
from defectscope.learning.items import ReviewItem
from defectscope.learning.labels import Label
from defectscope.measurements import Measurements
from defectscope.temporal.tables import column, times_s

Doubles = NDArray[np.float64]
DETECTOR = "audio_artifacts"
# How many labels the layer's own word on the queue's titles counts as, for each defect; this and
# the two below were chosen on the pieces that the decision itself was chosen on, see
# docs/results/learning.md.
ANCHOR = 200.0
# Precision of the change of each weight, in units of its hidden unit's spread.
_PRIOR = 10.0
# Of the bias less: a layer that is only moved up or down gives up what thresholds mean.
_BIAS_SCALE = 0.1
# Every so many steps of a title are enough to hold on to: neighbours say the same.
_ANCHOR_STEP = 4
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


def refit(
    artifact: Mapping[str, Any],
    examples: Sequence[Example],
    titles: Sequence[Measurements],
    anchor: float = ANCHOR,
) -> dict[str, Any]:
    """Returns the entry `decision` of detector.json, fitted to labels.

    Args:
        artifact: The detector.json to begin with.
        examples: What was labelled.
        titles: Measurements of what is in service, labelled or not; what the layer says of them
            is held on to.
        anchor: See `ANCHOR`.

    Raises:
        MalformedRequestError: The measurements are not of this detector.
    """
    layer = Layer.of(artifact["decision"])
    rows = [_hidden(layer, e.measurements, e.where) for e in examples]
    baseline = np.vstack(
        [_hidden(layer, m)[::_ANCHOR_STEP] for m in titles] or rows or [_none(layer)]
    )
    out, bias = layer.out.copy(), layer.out_bias.copy()
    for place, defect in enumerate(CLASSES):
        own = [
            (row, example.present[defect], example.trust)
            for row, example in zip(rows, examples, strict=True)
            if defect in example.present and len(row)
        ]
        if own:
            start = layer.out[:, place], float(layer.out_bias[place])
            out[:, place], bias[place] = _fitted(own, baseline, anchor, start)
    # What stands on the layer, the sum with classical measures, stays as it was released.
    return {**artifact["decision"], **_entry(layer, out, bias)}


def _none(layer: Layer) -> Doubles:
    return np.zeros((0, len(layer.hidden_bias)))


def _hidden(layer: Layer, measurements: Measurements, where: Interval | None = None) -> Doubles:
    """Returns the hidden units at the steps of an interval or of a whole title, (steps, units)."""
    table = measurements.tables.get("windows")
    if measurements.detector != DETECTOR or table is None:
        raise MalformedRequestError(f"these are not measurements of {DETECTOR}")
    starts_s = times_s(table)
    if not len(starts_s):
        return _none(layer)
    steps = features({name: column(table, name) for name in COLUMNS}, starts_s)
    if where is not None:
        middles_s = starts_s + WINDOW_S / 2
        inside = (middles_s >= where.start_s) & (middles_s < where.end_s)
        if not inside.any():
            inside[int(np.abs(middles_s - where.start_s).argmin())] = True
        steps = steps[inside]
    return np.maximum(of_the_layer(steps) @ layer.hidden + layer.hidden_bias, 0)


def _fitted(
    own: Sequence[tuple[Doubles, bool, float]],
    baseline: Doubles,
    anchor: float,
    start: tuple[Doubles, float],
) -> tuple[Doubles, float]:
    """Returns weights and bias of one defect that are likeliest after the labels."""
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


def _entry(layer: Layer, out: Doubles, bias: Doubles) -> dict[str, Any]:
    named = {"hidden": layer.hidden, "hidden_bias": layer.hidden_bias, "out": out, "out_bias": bias}
    return {name: np.round(values, 4).tolist() for name, values in named.items()}


def present(item: ReviewItem, label: Label) -> dict[str, bool]:
    """Returns what an answer says of each defect; what it leaves open is not in it."""
    if label.is_there is None:
        return {}
    if label.is_there:
        named = label.defect or item.defect
        # Another defect than was asked about is there: that one is not.
        return ({item.defect: False} if item.defect else {}) | ({named: True} if named else {})
    return {item.defect: False} if item.defect else dict.fromkeys(CLASSES, False)
