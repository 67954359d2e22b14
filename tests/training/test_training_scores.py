import numpy as np
import pytest

from defectscope.training.scores import (
    auc,
    balanced_accuracy,
    calibration_error,
    confusion,
    fit_platt,
    poisson_upper,
    reliability,
    reliability_plot,
    wilson,
)


def test_auc_against_counting_pairs() -> None:
    rng = np.random.default_rng(1)
    scores = rng.integers(0, 6, 80).astype(float)
    positive = rng.uniform(size=80) < 0.4
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[positive] for b in scores[~positive]]
    assert auc(scores, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(auc(scores, np.ones(80, bool)))


def test_balanced_accuracy_ignores_class_sizes() -> None:
    truth = np.array([0] * 90 + [1] * 10)
    predicted = np.zeros(100, int)
    assert balanced_accuracy(confusion(truth, predicted, 3)) == pytest.approx(0.5)


def test_intervals_against_published_values() -> None:
    # Newcombe 1998, Statistics in Medicine 17: 81 of 263 by Wilson's score.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)
    # The rule of three: no event, upper bound -ln(0.05).
    assert poisson_upper(0) == pytest.approx(2.9957, abs=1e-4)


def test_platt_undoes_a_known_distortion() -> None:
    rng = np.random.default_rng(2)
    truth = rng.normal(0, 2, 40_000)
    positive = rng.uniform(size=len(truth)) < 1 / (1 + np.exp(-truth))
    fitted = fit_platt((truth - 1) * 3, positive)
    assert fitted.slope == pytest.approx(1 / 3, rel=0.05)
    assert fitted.offset == pytest.approx(1, abs=0.05)
    bins = reliability(fitted((truth - 1) * 3), positive)
    assert calibration_error(bins) < 0.01
    assert sum(b.count for b in bins) == len(truth)
    assert reliability_plot({"x": bins}).startswith(b"\x89PNG")
