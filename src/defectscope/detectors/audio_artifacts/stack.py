"""Weighs what the learned layer says and the classical measures: a few named numbers.

The layer learns from many features at once and needs many recordings to be trusted. What stands on
it is a straight sum for each defect, of the layer's log odds and of a handful of measures that the
field has long used for it, so that a few recordings settle it and anybody can read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.layout import CLASSES

Doubles = NDArray[np.float64]
# What is known of a step, in the order of `decision.signals`; the first nine are the layer's.
SIGNALS = (
    *CLASSES, "lines", "lines_beyond", "floor", "floor_below", "corners",
    "tops", "even",
)  # fmt: skip
LAYER_SIGNALS = 9
# The step itself, means over about one second and about four, the least of about two, and what it
# rises over the programme's floor and over its median.
VIEWS = ("here", "near", "wide", "least", "over_floor", "over_median")
INPUTS: Mapping[str, tuple[str, ...]] = {
    "audio_hum": (),
    "audio_hiss": (),
    "audio_distortion": (
        "audio_distortion near", "tops near", "even near", "tops least", "even least",
        "corners near", "tops over_median", "even over_median", "audio_distortion over_median",
    ),
    "audio_clicks": (),
}  # fmt: skip
# Log odds of the layer beyond these say no more.
_MOST_LOG_ODDS = 12.0


@dataclass(frozen=True, slots=True)
class Stack:
    """Weights of the layer's log odds and of each defect's inputs.

    Attributes:
        layer: Weight of the layer's own log odds, by defect.
        inputs: Weight of each of `INPUTS`, by defect and name.
        bias: Log odds where everything is nought, by defect.

    A defect without inputs is what the layer says.
    """

    layer: Mapping[str, float]
    inputs: Mapping[str, Mapping[str, float]]
    bias: Mapping[str, float]

    @staticmethod
    def of(entry: Mapping[str, Any]) -> Stack:
        """Returns the stack that detector.json holds."""
        return Stack(
            {name: float(entry[name]["layer"]) for name in CLASSES},
            {name: {k: float(v) for k, v in entry[name]["inputs"].items()} for name in CLASSES},
            {name: float(entry[name]["bias"]) for name in CLASSES},
        )

    def entry(self) -> dict[str, Any]:
        """Returns what detector.json holds of it."""
        return {
            name: {
                "layer": round(self.layer[name], 4),
                "inputs": {k: round(v, 4) for k, v in self.inputs[name].items()},
                "bias": round(self.bias[name], 4),
            }
            for name in CLASSES
        }

    def __call__(self, layer_log_odds: Doubles, features: Doubles) -> Doubles:
        """Returns log odds, (n, 4).

        Args:
            layer_log_odds: (n, 4) from the layer.
            features: (n, 66) from `decision.features`.
        """
        columns: list[Doubles] = []
        for name in CLASSES:
            if not self.inputs[name]:
                columns.append(layer_log_odds[:, CLASSES.index(name)])
                continue
            weights = np.array([self.layer[name], *self.inputs[name].values()])
            own = inputs_of(name, layer_log_odds, features, tuple(self.inputs[name]))
            columns.append(own @ weights + self.bias[name])
        return np.stack(columns, axis=1)


def inputs_of(
    defect: str, layer_log_odds: Doubles, features: Doubles, names: tuple[str, ...] | None = None
) -> Doubles:
    """Returns the layer's log odds and the inputs of a defect, (n, 1 + inputs)."""
    chosen = [place_of(name) for name in (INPUTS[defect] if names is None else names)]
    own = layer_log_odds[:, CLASSES.index(defect)].clip(-_MOST_LOG_ODDS, _MOST_LOG_ODDS)
    return np.column_stack([own, features[:, chosen]])


def place_of(name: str) -> int:
    """Returns the column of `decision.features` that an input's name stands for."""
    signal, view = name.split(" ")
    return VIEWS.index(view) * len(SIGNALS) + SIGNALS.index(signal)


def of_the_layer(features: Doubles) -> Doubles:
    """Returns the features that the layer takes, (n, 54) of (n, 66)."""
    views = features.reshape(len(features), len(VIEWS), len(SIGNALS))
    return views[:, :, :LAYER_SIGNALS].reshape(len(features), len(VIEWS) * LAYER_SIGNALS)
