"""The decision of audio_artifacts: how it is fitted and chosen, on made-up measurements."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest

from defectscope.detectors.audio_artifacts.analysis import COLUMNS
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.registry import load
from defectscope.findings import Interval
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.audibility import ABSENT
from defectscope.training.audio_artifacts.decision import choose, found, rules_of, truth
from defectscope.training.audio_artifacts.measured import Piece
from defectscope.training.audio_artifacts.release import (
    clean_table,
    false_alarms,
    recall,
    rules_as,
)


def _piece(number: int, defect: str = "", *, seconds: int = 20) -> Piece:
    """Returns a piece whose logits of a defect rise from 5 to 10 seconds, faintly where clean."""
    rng = np.random.default_rng([number, len(defect)])
    count = seconds * 4 - 3
    noisy = [name for name in COLUMNS if name != "supply"]
    columns = {name: rng.normal(0, 40, count).round().astype(np.int16) for name in noisy}
    columns["supply"] = np.zeros(count, np.int16)
    for name in CLASSES:
        columns[f"logit_{name}"] -= 400
    columns["corners"] = np.zeros(count, np.int16)
    events: tuple[Interval, ...] = ()
    levels = None
    if defect:
        columns[f"logit_{defect}"][18:39] += 700
        columns["isolated"][18:39] = 200
        columns["tops"][18:39] = 250
        events, levels = (Interval(5.0, 10.0),), np.full(seconds * 20, ABSENT, np.int8)
        levels[100:200] = 20
    starts_s = np.arange(count) / 4
    return Piece(f"mine/{number}", "mine", float(seconds), columns, starts_s,
                 defect, "made", 4 if defect else 0, events, levels)  # fmt: skip


@pytest.fixture(scope="module")
def pieces() -> list[Piece]:
    clean = [_piece(k) for k in range(8)]
    return clean + [_piece(10 + k, name) for k in range(6) for name in CLASSES]


@pytest.fixture(scope="module")
def rules(pieces: list[Piece]) -> decision.Rules:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decision, "_STEPS", 60)
        return choose(pieces, 1)


def test_what_rises_is_found_where_it_is_and_clean_sound_is_not(rules: decision.Rules) -> None:
    for name in CLASSES:
        evidence, interval = max(found(_piece(99, name), rules)[name])
        assert evidence > rules.thresholds[f"{name}_low"]
        assert interval.iou(Interval(5.0, 10.0)) > 0.5
        # So few pieces teach little; the defect that is there leads all the same.
        others = found(_piece(99, name), rules)
        assert all(e < evidence / 2 for n in CLASSES if n != name for e, _ in others[n])
    counts = false_alarms([_piece(k) for k in range(100, 106)], rules)["all"]
    assert sum(counts["findings"].values()) == 0
    assert recall([_piece(120 + k, n) for k in range(3) for n in CLASSES], rules)["audio_hum"] == {
        "value": 1.0, "n": 3, "low": pytest.approx(0.4385, abs=1e-3), "high": 1.0
    }  # fmt: skip


def test_a_higher_sensitivity_asks_for_no_more_evidence(rules: decision.Rules) -> None:
    for name in CLASSES:
        low, normal, high = (rules.thresholds[f"{name}_{s}"] for s in ("low", "normal", "high"))
        assert low >= normal >= high > 0


def test_the_same_pieces_choose_the_same(pieces: list[Piece], rules: decision.Rules) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decision, "_STEPS", 60)
        assert decision.entries(choose(pieces, 1)) == decision.entries(rules)
    again = rules_of(decision.entries(rules))
    assert np.allclose(again.layer.hidden, rules.layer.hidden, atol=1e-4)


def test_without_recordings_rates_are_unknown(rules: decision.Rules) -> None:
    entry = false_alarms([], rules)
    assert entry["all"]["per_10_min"] is None
    assert recall([], rules)["audio_hum"]["value"] is None
    assert "unknown" in clean_table({"clean_programmes": entry})


def test_truth_of_a_step() -> None:
    piece = _piece(1, "audio_hum")
    target, weight = truth(piece)
    # Steps whose middle lies inside: windows from 4.5 to 9.5 s; at the ends nobody can say.
    assert target[20:36, 0].all()
    assert not target[:17].any()
    assert not target[39:].any()
    assert weight[:16].all()
    assert weight[44:].all()
    assert not target[:, 1:].any()
    faint = dataclasses.replace(
        piece, audibility_db=np.where(piece.audibility_db == ABSENT, ABSENT, -40)
    )
    target, weight = truth(faint)
    assert not target.any()
    assert not weight[20:36, 0].any()
    assert weight[:, 1:].all()
    assert not faint.is_audible(Interval(5.0, 10.0))


def test_a_released_decision_is_kept_whatever_a_cache_holds(toy_cache: Any) -> None:
    detector = cast("AudioArtifacts", load("audio_artifacts"))
    kept = rules_as("released", cast("Scorer", detector.scorer), toy_cache)
    assert dict(kept.thresholds) == dict(detector.tuned.artifact["thresholds"])
    assert np.array_equal(kept.layer.hidden, detector.layer.hidden)
