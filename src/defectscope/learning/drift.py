"""Whether what a detector meets is still what it was calibrated on: two tests, one verdict each.

Scores or features of a reference (the titles held out, or a first month) are compared with those of
now: the population stability index over the reference's tenths, and the two-sample test of
Kolmogorov and Smirnov. Both must speak before there is an alarm: with thousands of values the test
alone finds differences that do not matter, with few the index alone is chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from defectscope.errors import InvalidParameterError

# Source: Siddiqi 2006, Credit Risk Scorecards: above 0.1 a shift, above 0.25 a large one.
SHIFTED, LARGE = 0.1, 0.25
SIGNIFICANCE = 0.01
# Below so many values on either side nothing is said.
LEAST = 50
_BINS = 10


@dataclass(frozen=True, slots=True)
class Drift:
    """How one quantity has moved.

    Attributes:
        name: Of the quantity.
        index: Population stability index.
        p_value: Of the two-sample test, corrected for how many quantities are watched (Holm).
        reference: How many values there were.
        current: How many there are.
    """

    name: str
    index: float
    p_value: float
    reference: int
    current: int

    @property
    def alarm(self) -> bool:
        """Whether it has left what the detector was calibrated on."""
        return self.index >= LARGE and self.p_value < SIGNIFICANCE


def stability_index(reference: Sequence[float], current: Sequence[float]) -> float:
    """Returns the population stability index over the tenths of the reference."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
    shares = [_shares(np.asarray(v, np.float64), edges) for v in (reference, current)]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def drift(
    reference: Mapping[str, Sequence[float]], current: Mapping[str, Sequence[float]]
) -> list[Drift]:
    """Returns how each quantity has moved that both sides have enough values of.

    Args:
        reference: Values by quantity, of what the detector was calibrated on.
        current: Values by quantity, of what it meets now.

    Raises:
        InvalidParameterError: A value is no number.
    """
    names = [n for n in reference if min(len(reference[n]), len(current.get(n, ()))) >= LEAST]
    for name in names:
        if not (np.isfinite(reference[name]).all() and np.isfinite(current[name]).all()):
            raise InvalidParameterError(f"{name}: a value is no number")
    tests: list[Any] = [stats.ks_2samp(reference[n], current[n]) for n in names]
    raw = [float(test.pvalue) for test in tests]
    return [
        Drift(n, stability_index(reference[n], current[n]), p, len(reference[n]), len(current[n]))
        for n, p in zip(names, _holm(raw), strict=True)
    ]


def metric_data(found: Sequence[Drift], detector: str) -> list[dict[str, object]]:
    """Returns the drift as CloudWatch's `MetricData`, for `put_metric_data`."""
    return [
        {
            "MetricName": name,
            "Dimensions": [
                {"Name": "Detector", "Value": detector},
                {"Name": "Quantity", "Value": own.name},
            ],
            "Value": value,
            "Unit": "None",
        }
        for own in found
        for name, value in (("DriftIndex", own.index), ("DriftAlarm", float(own.alarm)))
    ]


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
    # An empty tenth would make the index infinite.
    return np.asarray((counts + 0.5) / (len(values) + 0.5 * (len(edges) + 1)), np.float64)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Source: Holm 1979, Scandinavian Journal of Statistics 6(2)."""
    order = np.argsort(p_values)
    out, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        out[place] = highest
    return out
