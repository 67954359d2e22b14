import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from defectscope.detectors.weights import load_weights, sha256_of
from defectscope.errors import InvalidParameterError
from defectscope.training import checkpoint
from defectscope.training.corpora import Corpus
from defectscope.training.export import export
from defectscope.training.loop import train


def test_artifact_is_complete_and_loads(toy: Any, toy_cache: Any, tmp_path: Path) -> None:
    outcome = train(toy, toy_cache, tmp_path / "run", toy.schedule())
    out = tmp_path / "artifact"
    corpora = [Corpus("mine", tmp_path, "own content", "me")]
    entry = export(toy, toy_cache, tmp_path / "run", out, corpora, 1)
    data = (out / "weights.safetensors").read_bytes()
    assert entry["sha256"] == hashlib.sha256(data).hexdigest()
    document = json.loads((out / "detector.json").read_text())
    assert document["thresholds"] == {"larger": 0.5}
    assert document["training"]["data"] == [
        {"name": "mine", "licence": "own content", "source": "me"}
    ]
    assert document["training"]["best_step"] == outcome.best_step
    assert document["training"]["run"]["schedule"]["batch"] == toy.schedule().batch
    loaded = load_weights(toy.build(), out, document)
    assert toy.score(loaded, toy_cache, "test")["objective"] == document["metrics"]["accuracy"]
    card = (out / "CARD.md").read_text()
    assert entry["sha256"] in card
    assert "| mine | own content | me |" in card


def test_half_precision_is_refused_where_it_costs(
    toy: Any, toy_cache: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    train(toy, toy_cache, tmp_path / "run", toy.schedule())

    def score(model: torch.nn.Module, *_: Any) -> dict[str, float]:
        exact = any(bool((p != p.half().float()).any()) for p in model.parameters())
        return {"objective": 0.9 if exact else 0.8}

    monkeypatch.setattr(toy, "score", score)
    entry = export(toy, toy_cache, tmp_path / "run", tmp_path / "artifact", [], 1)
    assert entry["precision"] == "float32"


def test_the_mean_of_kept_checkpoints_is_what_ships(
    toy: Any, toy_cache: Any, tmp_path: Path
) -> None:
    train(toy, toy_cache, tmp_path / "run", toy.schedule())
    last = checkpoint.load(tmp_path / "run")
    assert last is not None
    shares = (1.0, 0.5)
    for number, share in enumerate(shares):
        kept = {name: share * value for name, value in last["averaged"].items()}
        checkpoint.save(tmp_path / "kept", number + 1, {**last, "averaged": kept})
    files = sorted((tmp_path / "kept").glob("*.pt"))
    out = tmp_path / "artifact"
    export(toy, toy_cache, tmp_path / "run", out, [], 1, files)
    document = json.loads((out / "detector.json").read_text())
    shipped = load_weights(toy.build(), out, document).state_dict()
    for name, value in last["averaged"].items():
        assert torch.allclose(shipped[name], 0.75 * value, rtol=1e-3, atol=1e-4)
    assert document["training"]["mean_of"] == ["step-000000001", "step-000000002"]
    assert "Mean of the weights at 1, 2 of" in (out / "CARD.md").read_text()


def test_halfway_lies_between_the_run_and_the_weights_it_began_with(
    toy: Any, toy_cache: Any, tmp_path: Path
) -> None:
    train(toy, toy_cache, tmp_path / "run", toy.schedule())
    last = max((tmp_path / "run").glob("step-*.pt"))
    own = checkpoint.mean([last])
    began, out = tmp_path / "began.safetensors", tmp_path / "artifact"
    save_file({name: torch.zeros_like(value) for name, value in own.items()}, began)
    export(toy, toy_cache, tmp_path / "run", out, [], 1, [last], began)
    document = json.loads((out / "detector.json").read_text())
    shipped = load_weights(toy.build(), out, document).state_dict()
    for name, value in own.items():
        assert torch.allclose(shipped[name], 0.5 * value, rtol=1e-3, atol=1e-4)
    assert document["training"]["halfway_to"] == sha256_of(began.read_bytes())
    assert "halfway back to the weights" in (out / "CARD.md").read_text()


def test_halfway_wants_weights_of_the_same_network(
    toy: Any, toy_cache: Any, tmp_path: Path
) -> None:
    train(toy, toy_cache, tmp_path / "run", toy.schedule())
    other, text = tmp_path / "other.safetensors", tmp_path / "text.safetensors"
    save_file({"lone": torch.zeros(3)}, other)
    text.write_text("no weights")
    for file, why in ((other, "another network"), (text, "no weights"), (tmp_path / "x", "no wei")):
        with pytest.raises(InvalidParameterError, match=why):
            export(toy, toy_cache, tmp_path / "run", tmp_path / "out", [], 1, [], file)
    assert not (tmp_path / "out").exists()


def test_a_mean_wants_checkpoints_of_one_run(toy: Any, toy_cache: Any, tmp_path: Path) -> None:
    train(toy, toy_cache, tmp_path / "run", toy.schedule())
    own = max((tmp_path / "run").glob("step-*.pt"))
    (tmp_path / "text.pt").write_text("no checkpoint")
    for file in (tmp_path / "text.pt", tmp_path / "none.pt"):
        with pytest.raises(InvalidParameterError, match="is not a checkpoint"):
            checkpoint.mean([own, file])
    state = checkpoint.load(tmp_path / "run")
    assert state is not None
    checkpoint.save(tmp_path / "other", 1, {**state, "identity": "another"})
    with pytest.raises(InvalidParameterError, match="several runs"):
        checkpoint.mean([own, tmp_path / "other" / "step-000000001.pt"])
