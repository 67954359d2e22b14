"""A run goes on elsewhere as if it had stayed: one file holds all that it needs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.handover import MOST_BYTES, hand_over, take_up
from defectscope.training.journal import Journal
from defectscope.training.loop import train


def _weights(folder: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(folder)
    assert state is not None
    return state["averaged"]


def test_a_run_that_is_taken_up_elsewhere_ends_as_one_that_was_not(
    toy: Any, toy_cache: Any, tmp_path: Path
) -> None:
    # The learning rate follows the share that is done, so the plan is the same on both machines.
    plan = dataclasses.replace(toy.schedule(), checkpoint_s=0.0)
    train(toy, toy_cache, tmp_path / "whole", plan)
    stopped = tmp_path / "whole" / "step-000000059.pt"
    (tmp_path / "here").mkdir()
    stopped.rename(tmp_path / "here" / stopped.name)
    metrics = (tmp_path / "whole" / "metrics.jsonl").read_text()
    (tmp_path / "here" / "metrics.jsonl").write_text(metrics)
    file = tmp_path / "run.pt"
    assert hand_over(tmp_path / "here", file) == file.stat().st_size < MOST_BYTES
    assert take_up(file, tmp_path / "there")
    assert Journal(tmp_path / "there").rows() == Journal(tmp_path / "here").rows()
    outcome = train(toy, toy_cache, tmp_path / "there", plan)
    assert outcome.finished
    whole, there = _weights(tmp_path / "whole"), _weights(tmp_path / "there")
    assert all(torch.equal(whole[name], there[name]) for name in whole)


def test_a_run_that_is_farther_is_left_alone(toy: Any, toy_cache: Any, tmp_path: Path) -> None:
    short = dataclasses.replace(toy.schedule(), steps=20)
    train(toy, toy_cache, tmp_path / "short", short)
    hand_over(tmp_path / "short", tmp_path / "run.pt")
    train(toy, toy_cache, tmp_path / "long", toy.schedule())
    assert not take_up(tmp_path / "run.pt", tmp_path / "long")
    assert checkpoint.load(tmp_path / "long")["step"] == 60  # type: ignore[index]


@pytest.mark.parametrize("harm", ["missing", "cut", "other", "code"])
def test_what_is_no_run_is_refused(toy: Any, toy_cache: Any, tmp_path: Path, harm: str) -> None:
    file = tmp_path / "run.pt"
    train(toy, toy_cache, tmp_path / "run", dataclasses.replace(toy.schedule(), steps=2))
    hand_over(tmp_path / "run", file)
    if harm == "missing":
        file.unlink()
    elif harm == "cut":
        file.write_bytes(file.read_bytes()[:400])
    elif harm == "other":
        torch.save({"state": {"step": 3}}, file)
    else:
        torch.save({"state": Path("/"), "journal": [], "format": "defectscope/run/1"}, file)
    with pytest.raises(InvalidParameterError):
        take_up(file, tmp_path / "there")
    assert checkpoint.load(tmp_path / "there") is None


def test_nothing_is_handed_over_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError):
        hand_over(tmp_path / "run", tmp_path / "run.pt")
