"""Refits the decision layer of audio_artifacts to labels, from what was measured.

The last step of the layer is fitted again, from its hidden units to log odds. What the layer said
of the titles of the queue before stands beside the labels, and counts as `ANCHOR` labels: what was
learned from simulated defects is kept where no label speaks against it, and the thresholds of
evidence keep their meaning. Nothing is decoded again, and no network runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from defectscope.detectors.audio_artifacts.analysis import COLUMNS
from defectscope.detectors.audio_artifacts.decision import WINDOW_S, Layer, features
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.detectors.audio_artifacts.stack import of_the_layer
from defectscope.errors import MalformedRequestError
from defectscope.findings import Interval
from defectscope.learning import evaluation
from defectscope.learning.anchored import ANCHOR, ANCHOR_STEP, Doubles, Example, fitted, within
from defectscope.learning.evaluation import Hits
from defectscope.learning.held_out import HeldOut
from defectscope.measurements import Measurements
from defectscope.temporal.tables import column, times_s
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.measured import Piece

DETECTOR = "audio_artifacts"


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
        [_hidden(layer, m)[::ANCHOR_STEP] for m in titles] or rows or [_none(layer)]
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
            out[:, place], bias[place] = fitted(own, baseline, anchor, start)
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
        steps = steps[within(middles_s, where)]
    return np.maximum(of_the_layer(steps) @ layer.hidden + layer.hidden_bias, 0)


def _entry(layer: Layer, out: Doubles, bias: Doubles) -> dict[str, Any]:
    named = {"hidden": layer.hidden, "hidden_bias": layer.hidden_bias, "out": out, "out_bias": bias}
    return {name: np.round(values, 4).tolist() for name, values in named.items()}


def found(titles: Sequence[HeldOut], artifact: Mapping[str, Any]) -> dict[str, list[Hits]]:
    """Returns what a decision says of every title, by defect."""
    rules = decision.rules_of(artifact)
    out: dict[str, list[Hits]] = {defect: [] for defect in CLASSES}
    for title in titles:
        runs = decision.found(_piece(title), rules)
        for defect in CLASSES:
            out[defect].append(evaluation.hits(runs[defect], title.truth.get(defect, ())))
    return out


def threshold(artifact: Mapping[str, Any], defect: str) -> float:
    """Returns the evidence that a finding needs."""
    return float(artifact["thresholds"][f"{defect}_normal"])


def kept(
    changed: Mapping[str, Any], before: Mapping[str, Any], left: Sequence[str]
) -> dict[str, Any]:
    """Returns a layer in which the defects that nobody can evaluate are as they were."""
    out, bias = np.array(changed["out"]), np.array(changed["out_bias"])
    old, old_bias = np.array(before["out"]), np.array(before["out_bias"])
    for defect in left:
        place = CLASSES.index(defect)
        out[:, place], bias[place] = old[:, place], old_bias[place]
    return {**changed, "out": out.tolist(), "out_bias": bias.tolist()}


def _piece(title: HeldOut) -> Piece:
    table = title.measurements.tables["windows"]
    columns = {name: column(table, name) for name in list(table.columns)[1:]}
    return Piece(title.name, "", title.seconds, columns, times_s(table))
