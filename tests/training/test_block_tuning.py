"""Calibration and thresholds of block corruption: chosen in training, then in use."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.detectors import load
from defectscope.engine.artifacts import artifact_folder
from defectscope.errors import EXIT_OK, MediaNotFoundError
from defectscope.findings import Interval
from defectscope.training.block_corruption import tuning
from defectscope.training.block_corruption.programmes import match
from defectscope.training.cli import main


def test_a_logistic_regression_finds_the_weights_it_was_made_with():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(20_000, 2))
    odds = values @ [2.0, -1.0] + 0.5
    hit = (rng.random(len(odds)) < 1 / (1 + np.exp(-odds))).astype(float)
    assert tuning.fit_logistic(values, hit) == pytest.approx([2.0, -1.0, 0.5], abs=0.1)


def test_events_are_matched_one_to_one():
    truth = [Interval(0, 2), Interval(5, 6)]
    assert match(truth, [Interval(0, 2), Interval(0.1, 2), Interval(5.9, 9)]) == 1
    assert match(truth, []) == 0


def test_without_recordings_it_says_so(tmp_path: Any, capsys: Any):
    arguments = ["tune", "block_corruption", "--root", str(tmp_path), "--work", str(tmp_path / "w")]
    assert main(arguments) == MediaNotFoundError.exit_code
    assert "lies under none of the roots given" in capsys.readouterr().err


def test_what_was_chosen_is_what_the_detector_then_uses(tmp_path: Any, monkeypatch: Any):
    folder = tmp_path / "own" / "block_corruption"
    shutil.copytree(artifact_folder("block_corruption"), folder)
    monkeypatch.setenv("DEFECTSCOPE_ARTIFACTS", str(folder.parent))
    found = {
        "calibration": {**json.loads((folder / "detector.json").read_text())["calibration"]},
        "thresholds": {"change": 4.0, "brief": 3.5},
    }
    found["calibration"]["offset"] = -1.25

    def chosen(*_: Any) -> Any:
        return found

    def none(*_: Any) -> Iterator[Any]:
        return iter(())

    monkeypatch.setattr(tuning, "tune", chosen)
    monkeypatch.setattr(tuning, "make_clips", none)
    monkeypatch.setattr(tuning, "recordings", none)
    arguments = ["tune", "block_corruption", "--folder", str(tmp_path)]
    assert main([*arguments, "--work", str(tmp_path / "w")]) == EXIT_OK
    detector: Any = load("block_corruption")
    tuned = detector.tuned
    assert tuned.thresholds["change"] == 4.0
    assert tuned.artifact["calibration"]["offset"] == -1.25
    released = json.loads(Path(artifact_folder("block_corruption") / "detector.json").read_text())
    assert tuned.thresholds["cell"] == released["thresholds"]["cell"]
