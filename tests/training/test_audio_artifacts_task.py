"""The five-class task, on evaluations made up for it."""

from __future__ import annotations

import numpy as np

from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.training.audio_artifacts import task as task
from defectscope.training.audio_artifacts.windows import Evaluated
from defectscope.training.scores import Platt

FITS = {name: Platt(1.0, 0.0) for name in CLASSES}
EVEN = dict.fromkeys(CLASSES, 0.0)


def _evaluated(shift: float = 0.0) -> Evaluated:
    """Fifty windows of each class; each defect's own logit is 3 + shift, the others -3."""
    rng = np.random.default_rng(1)
    truth = np.repeat(np.arange(5), 50)
    target = np.zeros((250, 4))
    target[truth > 0, truth[truth > 0] - 1] = 1
    logits = np.where(target > 0, 3.0 + shift, -3.0) + rng.normal(0, 0.2, (250, 4))
    facts = [
        {"damages": [{"severity": 1 + i % 5, "family": f"f{i % 2}"}] if c else []}
        for i, c in enumerate(truth)
    ]
    return Evaluated(np.arange(250), np.zeros(250, int), logits, target, np.ones((250, 4)), facts)


def test_what_is_told_apart_is_counted_right() -> None:
    metrics = task.measure(_evaluated(), FITS, EVEN)
    assert metrics["balanced_accuracy"] == 1.0
    assert metrics["windows"] == 250
    assert metrics["recall_by_level"]["audio_hum"]["3"]["n"] == 10
    assert set(metrics["recall_by_family"]) == {f"{n}:f{k}" for n in CLASSES for k in (0, 1)}
    text = task.tables(metrics)
    assert "| audio_hiss | 1.000 | 0.929 to 1.000 | 50 |" in text
    assert "1.0000 over all five levels" in task.headline(metrics)


def test_calls_make_up_for_shy_logits() -> None:
    shy = _evaluated(shift=-4.5)
    assert task.measure(shy, FITS, EVEN)["balanced_accuracy"] < 0.3
    calls = task.choose_calls(shy, FITS)
    assert task.measure(shy, FITS, calls)["balanced_accuracy"] > 0.98
    assert task.choose_calls(_evaluated(), FITS) == EVEN


def test_only_what_is_chosen_counts() -> None:
    evaluated = _evaluated()
    chosen = evaluated.target[:, 0] == 0
    metrics = task.measure(evaluated, FITS, EVEN, chosen)
    assert metrics["windows"] == 200
    assert metrics["recall"]["audio_hum"]["value"] is None
