import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from defectscope.detectors.weights import load_weights
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
