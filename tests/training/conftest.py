"""A recipe that learns in a second: which of two numbers is larger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from defectscope.training.cache import Cache
from defectscope.training.contract import Item, PreparationJob, Recording, Release, Schedule, Split


@dataclass(frozen=True)
class Settings:
    width: int = 8
    names: tuple[str, ...] = ()


class Toy:
    name = "toy"
    suffixes = frozenset({".wav"})

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()

    def schedule(self) -> Schedule:
        return Schedule(steps=60, batch=16, peak_rate=0.02, score_every=20, seed=3)

    def preparation(self) -> Mapping[str, Any]:
        return {}

    def jobs(self, recordings: Sequence[Recording], seed: int) -> Sequence[PreparationJob]:
        def make(split: Split, number: int) -> Iterator[Item]:
            rng = np.random.default_rng([seed, number])
            for k in range(8):
                pair = rng.uniform(size=2).astype(np.float32)
                yield Item(
                    f"{number}/{k}", split, {"pair": pair}, {"label": int(pair[0] > pair[1])}
                )

        splits: tuple[Split, ...] = ("train", "validation", "test")
        return [
            PreparationJob(f"{split}/{n}", lambda split=split, n=n, s=s: make(split, 100 * s + n))
            for s, split in enumerate(splits)
            for n in range(4)
        ]

    def build(self) -> torch.nn.Module:
        return torch.nn.Sequential(
            torch.nn.Linear(2, self.settings.width),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.1),
            torch.nn.Linear(self.settings.width, 1),
        )

    def batch(self, cache: Any, rng: np.random.Generator, size: int) -> dict[str, torch.Tensor]:
        facts = cache.facts("train")
        places = rng.integers(0, len(facts), size)
        pairs = np.stack([cache.array("train", int(p), "pair") for p in places])
        labels = np.array([facts[p]["label"] for p in places], np.float32)
        return {"pair": torch.from_numpy(pairs), "label": torch.from_numpy(labels)}

    def loss(self, model: torch.nn.Module, batch: Any) -> tuple[torch.Tensor, dict[str, float]]:
        logits = model(batch["pair"]).float()[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, batch["label"])
        return loss, {}

    def score(self, model: torch.nn.Module, cache: Any, split: Split) -> dict[str, float]:
        facts = cache.facts(split)
        pairs = np.stack([cache.array(split, i, "pair") for i in range(len(facts))])
        predicted = model.eval()(torch.from_numpy(pairs))[:, 0] > 0
        truth = torch.tensor([f["label"] for f in facts]) > 0
        return {"objective": float((predicted == truth).float().mean())}

    def release(self, model: torch.nn.Module, cache: Any) -> Release:
        accuracy = self.score(model, cache, "test")["objective"]
        return Release(
            version="0.0.1",
            thresholds={"larger": 0.5},
            severity={"toy": {"always": "minor"}},
            calibration={},
            metrics={"accuracy": accuracy},
            card={"How well": f"accuracy {accuracy:.2f}"},
        )


@pytest.fixture
def toy() -> Toy:
    return Toy()


@pytest.fixture
def toy_cache(tmp_path: Path, toy: Toy) -> Cache:
    cache = Cache(tmp_path / "cache", {"toy": 1})
    assert cache.fill(toy.jobs([], 1), max_bytes=10**6)
    return cache
