"""How audio_artifacts is trained: clips of three seconds, windows of one, four logits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.layout import CLASSES, NEAR, REACH
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.parameters import number, parameters, text
from defectscope.training.audio_artifacts.units import (
    CLIPS_PER_UNIT,
    first_of,
    make_unit,
    piece,
    programme,
)
from defectscope.training.audio_artifacts.windows import (
    SPECTRA,
    around,
    families_of,
    score_windows,
    sequences,
    without,
)
from defectscope.training.contract import (
    CacheView,
    PreparationJob,
    Recording,
    Release,
    Schedule,
    Split,
)
from defectscope.training.corpora import require_every_split
from defectscope.training.scores import auc

# Share of training windows that are evaluated with half of their surroundings, and how much what
# windows say by themselves counts in the loss.
_ALONE = 0.3
_ALONE_WEIGHT = 0.33


@parameters
class AudioArtifactsSettings:
    """Settings of the training data and of the network."""

    train_clips: Annotated[
        int, number(1, 10000000, "Clips of three seconds prepared for training.")
    ] = 14400
    validation_clips: Annotated[int, number(0, 10000000, "Likewise for validation.")] = 720
    test_clips: Annotated[int, number(0, 10000000, "Likewise for the test.")] = 1440
    pieces: Annotated[
        int,
        number(
            0,
            1000000,
            "Pieces of programmes with each defect, in validation and test each, "
            "that the decision is chosen and measured on.",
        ),
    ] = 60
    left_out: Annotated[
        tuple[str, ...],
        text("Families never trained on, as `hum:buzz`; their clips stay in the test."),
    ] = ()
    decision: Annotated[
        str,
        text(
            "What export does with decision and thresholds: `chosen` anew on the validation "
            "split, or `released`, kept as they ship.",
            r"^(chosen|released)$",
        ),
    ] = "chosen"
    widths: Annotated[
        str, text("Channels of the four stages of the mel branch.", r"^\d+(,\d+){3}$")
    ] = "24,48,96,128"
    masking: Annotated[
        float,
        number(
            0,
            1,
            "Share of training windows with a band or an interval of the mel spectrogram blanked.",
        ),
    ] = 0.3


class AudioArtifacts:
    """The recipe of audio_artifacts."""

    name: ClassVar[str] = "audio_artifacts"
    suffixes: ClassVar[frozenset[str]] = frozenset(
        {".ogg", ".flac", ".wav", ".mp3", ".m4a", ".opus", ".mp4", ".mkv", ".mov", ".webm"}
    )

    def __init__(self, settings: AudioArtifactsSettings | None = None) -> None:
        self.settings = settings or AudioArtifactsSettings()
        self._drawable: NDArray[np.int64] | None = None

    def schedule(self) -> Schedule:
        """Returns the schedule of the released weights."""
        return Schedule(
            steps=8000, batch=120, peak_rate=3e-3, weight_decay=0.05, score_every=500, patience=0
        )

    def preparation(self) -> Mapping[str, Any]:
        """Returns what decides the clips."""
        s = self.settings
        return {
            "train": s.train_clips,
            "validation": s.validation_clips,
            "test": s.test_clips,
            "pieces": s.pieces,
        }

    def jobs(self, recordings: Sequence[Recording], seed: int) -> Sequence[PreparationJob]:
        """Returns units of 24 clips, one codec each.

        Raises:
            InvalidParameterError: A split has no recording.
        """
        require_every_split(recordings)
        by_split: dict[Split, list[Recording]] = {"train": [], "validation": [], "test": []}
        for recording in recordings:
            if "vinyl_hiss" not in recording.key:
                by_split[recording.split].append(recording)
        s = self.settings
        wanted: dict[Split, int] = {
            "train": s.train_clips,
            "validation": s.validation_clips,
            "test": s.test_clips,
        }
        jobs: list[PreparationJob] = []
        for index, split in enumerate(by_split):
            drawn = by_split[split] if split == "train" else first_of(by_split[split])
            for unit in range(-(-wanted[split] // CLIPS_PER_UNIT)):
                make = partial(make_unit, drawn, split, unit, [seed, index, unit])
                jobs.append(PreparationJob(f"{split}/{unit:05d}", make))
        # Interleaved, so that a cache stopped by its size limit still holds every split.
        jobs.sort(key=lambda job: (int(job.key[-5:]) * 7919 % 100_003, job.key))
        held_out = [*by_split["validation"], *by_split["test"]]
        for index, split in enumerate(("validation", "test")):
            for unit in range(s.pieces if by_split[split] else 0):
                make = partial(piece, by_split[split], split, unit, [seed, 7, index, unit])
                jobs.append(PreparationJob(f"piece/{split}/{unit:05d}", make))
        return [
            *jobs,
            *(PreparationJob(f"programme/{r.name}", partial(programme, r)) for r in held_out),
        ]

    def build(self) -> torch.nn.Module:
        """Returns a fresh network."""
        a, b, c, d = (int(w) for w in self.settings.widths.split(","))
        network: Any = Network((a, b, c, d))
        return network.to(memory_format=torch.channels_last)

    def batch(
        self, cache: CacheView, rng: np.random.Generator, size: int
    ) -> Mapping[str, torch.Tensor]:
        """Draws clips, five windows of each, beginning anywhere in its first half second."""
        if self._drawable is None:
            self._drawable = self._usable(cache)
        usable = self._drawable
        clips = max(1, size // NEAR)
        places = [int(usable[i]) for i in rng.integers(0, len(usable), clips)]
        # Short sounds have little around them: so has a share of these windows.
        alone = rng.uniform(size=(clips * NEAR, 1)) < _ALONE
        lost = torch.from_numpy(alone & (rng.uniform(size=(clips * NEAR, NEAR)) < 0.5))
        lost[:, REACH] = False
        # Half of the clips from their first window on, with room for five.
        firsts = rng.integers(1, 11, clips) * (rng.uniform(size=clips) < 0.5)
        batch = sequences(cache, "train", places, [int(f) for f in firsts])
        if self.settings.masking > 0:
            _mask(batch["mel"], self.settings.masking, rng)
        return {**batch, "lost": lost}

    def _usable(self, cache: CacheView) -> NDArray[np.int64]:
        out, facts = set(self.settings.left_out), cache.facts("train")
        return np.array([i for i, f in enumerate(facts) if not (out & set(families_of(f)))])

    def loss(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Returns binary cross-entropy per defect; windows that only touch one do not count.

        What single windows say is evaluated as well, at a third of the weight.
        """
        network = cast("Network", model)
        embeddings = network.embed_windows(*(batch[k] for k in SPECTRA)).unflatten(0, (-1, NEAR))
        target, weight = batch["target"], batch["weight"]
        near, present = around(embeddings, batch["present"])
        logits = network(near, present & ~batch["lost"]).float()
        alone = embeddings.flatten(0, 1)[:, : len(CLASSES)]
        loss = _cross_entropy(logits, target, weight)
        loss = loss + _ALONE_WEIGHT * _cross_entropy(alone, target, weight)
        right = ((logits > 0) == (target > 0.5)).float()
        return loss, {"accuracy": float((right * weight).sum() / weight.sum().clamp_min(1.0))}

    def score(self, model: torch.nn.Module, cache: CacheView, split: Split) -> Mapping[str, float]:
        """Scores every clip's first, middle and last window; the objective is the mean AUC.

        Families that are left out of training do not help to choose weights either.
        """
        evaluated = without(score_windows(model, cache, split), self.settings.left_out)
        out: dict[str, float] = {}
        for place, name in enumerate(CLASSES):
            known = evaluated.weight[:, place] > 0
            out[f"auc_{name}"] = auc(
                evaluated.logits[known, place], evaluated.target[known, place] > 0.5
            )
        out["balanced_accuracy"] = evaluated.balanced_accuracy()
        # A handful of recordings may lack a defect: the others tell.
        known = [value for name in CLASSES if not math.isnan(value := out[f"auc_{name}"])]
        out["objective"] = float(np.mean(known)) if known else 0.5
        return out

    def release(self, model: torch.nn.Module, cache: CacheView) -> Release:
        """Chooses thresholds and calibration on validation and measures on the test split."""
        from defectscope.training.audio_artifacts.release import describe

        return describe(model, cache, asdict(self.settings))


def _cross_entropy(
    logits: torch.Tensor, target: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    smooth = target * 0.98 + 0.01
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, smooth, reduction="none")
    return (each * weight).sum() / weight.sum().clamp_min(1.0)


def _mask(mel: torch.Tensor, share: float, rng: np.random.Generator) -> None:
    """Blanks a band or an interval of some spectrograms, in place."""
    for row in np.flatnonzero(rng.uniform(size=len(mel)) < share):
        floor = mel[row].mean(dim=(0, 1))
        if rng.uniform() < 0.5:
            low = int(rng.integers(0, 56))
            mel[row, :, low : low + int(rng.integers(2, 9))] = floor
        else:
            low = int(rng.integers(0, 85))
            mel[row, low : low + int(rng.integers(4, 13))] = floor


RECIPE = AudioArtifacts
