import dataclasses
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.loop import best_model, train
from defectscope.training.run import Progress


def _state(folder: Path) -> dict[str, Any]:
    state = checkpoint.load(folder)
    assert state is not None
    return state


def test_it_learns(toy: Any, toy_cache: Any, tmp_path: Path) -> None:
    seen: list[Progress] = []
    outcome = train(toy, toy_cache, tmp_path / "run", toy.schedule(), report=seen.append)
    assert outcome.finished
    assert outcome.step == 60
    assert outcome.best >= 0.85
    assert not outcome.model.training
    assert seen[-1].steps == 60
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if r["kind"] == "validation"] == [20, 40, 60]
    assert (tmp_path / "run/metrics.png").stat().st_size > 1000


def test_a_killed_run_ends_as_one_that_was_not(
    toy: Any, toy_cache: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule = dataclasses.replace(toy.schedule(), checkpoint_s=0.0)
    train(toy, toy_cache, tmp_path / "whole", schedule)

    class Killed(BaseException):
        pass

    plain = toy.batch
    counted = {"n": 0}
    killed_at = 0

    def batch(cache: Any, rng: np.random.Generator, size: int) -> Any:
        if counted["n"] == killed_at:
            raise Killed
        counted["n"] += 1
        return plain(cache, rng, size)

    monkeypatch.setattr(toy, "batch", batch)
    for killed_at in (1, 33, 59):
        with pytest.raises(Killed):
            train(toy, toy_cache, tmp_path / "killed", schedule)
        assert _state(tmp_path / "killed")["step"] == killed_at
        with (tmp_path / "killed/metrics.jsonl").open("a") as out:
            out.write('{"step": 59, "kind": "tra')  # the line that the kill cut short
    killed_at = -1
    outcome = train(toy, toy_cache, tmp_path / "killed", schedule)
    assert outcome.finished
    whole, resumed = _state(tmp_path / "whole"), _state(tmp_path / "killed")
    for name, tensor in whole["model"].items():
        assert torch.equal(tensor, resumed["model"][name]), name
    for name, tensor in whole["averaged"].items():
        assert torch.equal(tensor, resumed["averaged"][name]), name
    journals = [
        [json.loads(x) for x in (tmp_path / f / "metrics.jsonl").read_text().splitlines()]
        for f in ("whole", "killed")
    ]
    scored = [[r for r in j if r["kind"] == "validation"] for j in journals]
    assert scored[0] == scored[1]


def test_sigterm_ends_with_a_checkpoint(
    toy: Any, toy_cache: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, count = toy.loss, {"n": 0}

    def loss(model: Any, batch: Any) -> Any:
        count["n"] += 1
        if count["n"] == 10:
            os.kill(os.getpid(), signal.SIGTERM)
        return plain(model, batch)

    monkeypatch.setattr(toy, "loss", loss)
    before = signal.getsignal(signal.SIGTERM)
    outcome = train(toy, toy_cache, tmp_path / "run", toy.schedule())
    assert not outcome.finished
    assert _state(tmp_path / "run")["step"] == outcome.step == 10
    assert signal.getsignal(signal.SIGTERM) is before


def test_an_unreadable_checkpoint_falls_back_to_the_one_before(tmp_path: Path) -> None:
    for step in (1, 2, 3):
        checkpoint.save(tmp_path, step, {"step": step})
    kept = sorted(p.name for p in tmp_path.glob("step-*"))
    assert len(kept) == 2
    newest = tmp_path / kept[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    assert _state(tmp_path)["step"] == 2
    newest.write_bytes(b"")
    assert _state(tmp_path)["step"] == 2


def test_early_stopping(
    toy: Any, toy_cache: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy, "score", lambda *_: {"objective": 0.5})
    schedule = dataclasses.replace(toy.schedule(), score_every=5, patience=3)
    outcome = train(toy, toy_cache, tmp_path / "run", schedule)
    assert outcome.finished
    assert outcome.step == 20
    assert outcome.best_step == 5


def test_another_schedule_does_not_go_on_silently(toy: Any, toy_cache: Any, tmp_path: Path) -> None:
    schedule = dataclasses.replace(toy.schedule(), steps=5)
    train(toy, toy_cache, tmp_path / "run", schedule)
    with pytest.raises(InvalidParameterError, match="another schedule"):
        train(toy, toy_cache, tmp_path / "run", dataclasses.replace(schedule, peak_rate=0.5))


def test_pretrained_weights_are_taken_where_they_fit(
    toy: Any, toy_cache: Any, tmp_path: Path
) -> None:
    start = {"0.weight": torch.full((8, 2), 7.0), "3.weight": torch.ones(9, 9), "x": torch.ones(1)}
    schedule = dataclasses.replace(toy.schedule(), steps=1, peak_rate=1e-9, averaging=0.0)
    outcome = train(toy, toy_cache, tmp_path / "run", schedule, start=start)
    weights = outcome.model.state_dict()
    assert torch.allclose(weights["0.weight"], torch.full((8, 2), 7.0))
    assert weights["3.weight"].shape == (1, 8)


def test_a_network_that_has_grown_says_at_first_what_it_said(
    toy: Any, toy_cache: Any, tmp_path: Path
) -> None:
    small = toy.build().eval()
    wider = type(toy)(dataclasses.replace(toy.settings, width=20))
    schedule = dataclasses.replace(toy.schedule(), steps=1, peak_rate=1e-9, averaging=0.0)
    outcome = train(wider, toy_cache, tmp_path / "run", schedule, start=small.state_dict())
    pairs = torch.rand(50, 2)
    assert torch.allclose(outcome.model(pairs), small(pairs), atol=1e-5)
    # The new units are alive: they were drawn, not zeroed.
    assert outcome.model.state_dict()["0.weight"][8:].abs().min() > 0


def test_best_model_needs_a_checkpoint(toy: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="train first"):
        best_model(toy, tmp_path)
