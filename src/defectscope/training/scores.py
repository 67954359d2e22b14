"""Scores with their uncertainty: balanced accuracy, AUC, intervals, calibration, thresholds."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def auc(scores: Floats, positive: Flags) -> float:
    """Returns the area under the ROC curve, ties counted half; NaN when a class is missing."""
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return math.nan
    ranks = stats.rankdata(scores)
    above = float(ranks[positive].sum()) - n_positive * (n_positive + 1) / 2
    return above / (n_positive * n_negative)


def confusion(
    truth: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """Returns the counts, (true class, class said)."""
    out = np.zeros((classes, classes), np.int64)
    np.add.at(out, (truth, predicted), 1)
    return out


def balanced_accuracy(counts: NDArray[np.int64]) -> float:
    """Returns the mean recall over the classes that occur, from `confusion`'s counts."""
    totals = counts.sum(axis=1)
    recalls = np.diag(counts)[totals > 0] / totals[totals > 0]
    return float(recalls.mean())


def wilson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Returns the interval of a proportion.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22(158).
    """
    if trials == 0:
        return 0.0, 1.0
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    share = successes / trials
    centre = share + z * z / (2 * trials)
    spread = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def poisson_upper(events: int, confidence: float = 0.95) -> float:
    """Returns the one-sided upper bound of a Poisson mean after so many events.

    Source: Garwood 1936, Biometrika 28(3/4).
    """
    return float(stats.chi2.ppf(confidence, 2 * (events + 1)) / 2)


@dataclass(frozen=True, slots=True)
class Platt:
    """Turns logits into calibrated probabilities: sigmoid(slope * logit + offset).

    Source: Platt 1999, Advances in Large Margin Classifiers, with his smoothed targets.
    """

    slope: float
    offset: float

    def __call__(self, logits: Floats) -> Floats:
        """Returns probabilities of the shape of `logits`."""
        return special.expit(self.slope * logits + self.offset)


def fit_platt(logits: Floats, positive: Flags, weights: Floats | None = None) -> Platt:
    """Fits the two parameters by maximum likelihood with smoothed targets."""
    n_positive, n_negative = float(positive.sum()), float((~positive).sum())
    high, low = (n_positive + 1) / (n_positive + 2), 1 / (n_negative + 2)
    target = np.where(positive, high, low)
    weight = np.ones_like(logits) if weights is None else weights

    def cost(parameters: Floats) -> tuple[float, Floats]:
        z = parameters[0] * logits + parameters[1]
        value = weight * (np.logaddexp(0.0, z) - target * z)
        slope = weight * (special.expit(z) - target)
        return float(value.mean()), np.array([(slope * logits).mean(), slope.mean()])

    start = np.array([1.0, 0.0])
    # A slope of zero or below would turn the ranking round.
    found = optimize.minimize(
        cost, start, jac=True, method="L-BFGS-B", bounds=[(0.05, 20), (-30, 30)]
    )
    return Platt(float(found.x[0]), float(found.x[1]))


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability diagram: mean prediction, observed frequency and count."""

    predicted: float
    observed: float
    count: int


def reliability(probabilities: Floats, positive: Flags, bins: int = 10) -> list[ReliabilityBin]:
    """Returns the bins that hold anything, equally wide over 0 to 1."""
    place = np.clip((probabilities * bins).astype(int), 0, bins - 1)
    return [
        ReliabilityBin(
            float(probabilities[place == b].mean()),
            float(positive[place == b].mean()),
            int((place == b).sum()),
        )
        for b in range(bins)
        if (place == b).any()
    ]


def calibration_error(bins: Sequence[ReliabilityBin]) -> float:
    """Returns the expected calibration error: mean |said - observed| weighted by count."""
    total = sum(b.count for b in bins)
    return sum(abs(b.predicted - b.observed) * b.count for b in bins) / max(total, 1)


def reliability_plot(curves: dict[str, Sequence[ReliabilityBin]]) -> bytes:
    """Returns a reliability diagram as PNG, one line per curve."""
    # Imported here: nothing else in this module needs it, and it takes a second to load.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    for name, bins in curves.items():
        axes.plot([b.predicted for b in bins], [b.observed for b in bins], marker="o", label=name)
    axes.set_xlabel("probability said")
    axes.set_ylabel("share that was so")
    axes.legend(fontsize=8)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=90)
    return out.getvalue()
