"""How av_sync's network is trained: lips and speech in step against the same out of step.

First on simulated mouths alone (`clip_share=0`), then, with `--start`, on real clips among them.
Both times every window of five frames has to find its own sound among all offsets of up to 15
frames and among other speakers' sound, and means over many windows have to find it, too: that
is what the detector does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from defectscope.detectors.av_sync.network import SyncNet, unit
from defectscope.errors import InvalidParameterError
from defectscope.parameters import number, parameters, text
from defectscope.training.av_sync import examples as examples
from defectscope.training.av_sync.batches import FRAMES, OFFSETS, Example, batch
from defectscope.training.av_sync.scores import score_examples
from defectscope.training.contract import (
    CacheView,
    PreparationJob,
    Recording,
    Release,
    Schedule,
    Split,
)

WINDOWS = FRAMES - 4
# Windows that are averaged before they are compared, and how sharply.
_SPANS = ((1, 14.0, 0.5), (9, 24.0, 0.7), (WINDOWS, 36.0, 1.0))
# One frame beside the true offset is hardly wrong; two are.
_NEAR = {-1: 0.15, 0: 0.7, 1: 0.15}


@parameters
class AvSyncSettings:
    """Settings of the training data and of the network."""

    train_takes: Annotated[
        int, number(1, 10000000, "Simulated fragments of four seconds prepared for training.")
    ] = 1200
    validation_takes: Annotated[int, number(0, 10000000, "Likewise for validation.")] = 100
    clip_share: Annotated[
        float, number(0, 1, "Share of a batch that is taken from real clips.")
    ] = 0.0
    held_out: Annotated[
        tuple[str, ...], text("Names of clips that are never trained on, without suffix.")
    ] = ()
    late: Annotated[
        tuple[str, ...], text("Clips whose sound is not in step, as `name:2` for two frames late.")
    ] = ()
    reading: Annotated[
        float,
        number(0, 1000, "Weight of reading the simulated mouth's gestures off either vector."),
    ] = 2.0
    widths: Annotated[
        str, text("Channels of the four stages of the frame stream.", r"^\d+(,\d+){3}$")
    ] = "12,24,48,96"


class AvSync:
    """The recipe of av_sync."""

    name: ClassVar[str] = "av_sync"
    suffixes: ClassVar[frozenset[str]] = examples.SOUND_SUFFIXES | examples.CLIP_SUFFIXES

    def __init__(self, settings: AvSyncSettings | None = None) -> None:
        self.settings = settings or AvSyncSettings()

    def schedule(self) -> Schedule:
        """Returns the schedule of the first stage."""
        return Schedule(
            steps=700, batch=10, peak_rate=2e-3, weight_decay=0.02, score_every=100, patience=0,
            averaging=0.98,
        )  # fmt: skip

    def preparation(self) -> Mapping[str, Any]:
        """Returns what decides the takes."""
        return {"train": self.settings.train_takes, "validation": self.settings.validation_takes}

    def jobs(self, recordings: Sequence[Recording], seed: int) -> Sequence[PreparationJob]:
        """Returns a unit for every twenty takes and for every clip."""
        wanted: dict[Split, int] = {
            "train": self.settings.train_takes,
            "validation": self.settings.validation_takes,
        }
        return examples.jobs(recordings, wanted, seed)

    def build(self) -> torch.nn.Module:
        """Returns a fresh network."""
        a, b, c, d = (int(w) for w in self.settings.widths.split(","))
        network: Any = SyncNet((a, b, c, d))
        return network.to(memory_format=torch.channels_last)

    def batch(
        self, cache: CacheView, rng: np.random.Generator, size: int
    ) -> Mapping[str, torch.Tensor]:
        """Draws windows of takes and clips; every clip comes as often as any other."""
        takes, clips = self.places(cache)
        real = round(size * self.settings.clip_share) if clips else 0
        if not takes:
            real = size
        windows: list[Any] = []
        names = sorted(clips)
        for row in range(size):
            if row < real:
                pieces = clips[names[int(rng.integers(len(names)))]]
                # Pieces of a clip by their length, so that every frame is as likely.
                lengths = np.array([length for _, length in pieces], np.float64)
                place = pieces[int(rng.choice(len(pieces), p=lengths / lengths.sum()))][0]
            else:
                place = takes[int(rng.integers(len(takes)))]
            windows.append(self.example(cache, "train", place).window(rng))
        return batch(windows, rng)

    def places(self, cache: CacheView) -> tuple[list[int], dict[str, list[tuple[int, int]]]]:
        """Returns the takes' places in the training split, and the clips' with their lengths.

        Raises:
            InvalidParameterError: There is nothing to train on.
        """
        takes: list[int] = []
        clips: dict[str, list[tuple[int, int]]] = {}
        for place, facts in enumerate(cache.facts("train")):
            if facts["kind"] == "take":
                takes.append(place)
            elif facts["voice"] not in self.settings.held_out:
                length = len(cache.array("train", place, "crops"))
                clips.setdefault(facts["voice"], []).append((place, length))
        if not takes and not clips:
            raise InvalidParameterError("the cache holds nothing to train on")
        return takes, clips

    def example(self, cache: CacheView, split: Split, place: int) -> Example:
        """Returns a prepared item as training sees it."""
        facts = cache.facts(split)[place]
        late = dict(entry.split(":") for entry in self.settings.late)
        return Example(
            cache.array(split, place, "crops"),
            cache.array(split, place, "sound"),
            int(facts["first"]),
            float(late.get(str(facts["voice"]), 0)),
            cache.array(split, place, "gestures") if facts["kind"] == "take" else None,
        )

    def loss(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Returns the cross-entropy of the true offset, by windows and by means over them."""
        network = cast("SyncNet", model)
        seen, sound_embeddings = network.mouth_raw(batch["crops"]), network.sound_raw(batch["mel"])
        loss, figures = contrast(unit(seen, 0), unit(sound_embeddings, 1), batch["there"])
        read = _reading(seen, sound_embeddings[:, OFFSETS : OFFSETS + WINDOWS], batch)
        return loss + self.settings.reading * read, {**figures, "reading": float(read.detach())}

    def score(self, model: torch.nn.Module, cache: CacheView, split: Split) -> Mapping[str, float]:
        """Finds the offsets of a split's takes; the objective is the share within one frame."""
        examples = [self.example(cache, split, i) for i in range(len(cache.facts(split)))]
        return score_examples(cast("SyncNet", model), examples)

    def release(self, model: torch.nn.Module, cache: CacheView) -> Release:
        """Measures on held-out takes and, where clips were held out, on them."""
        from defectscope.training.av_sync.release import describe

        return describe(self, cast("SyncNet", model), cache)


def _reading(seen: Tensor, sound_embeddings: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """Returns how far the first numbers of both vectors are from the gestures in their middle."""
    gestures = batch["gestures"][:, 2:-2]
    count = gestures.shape[2]
    weight = batch["known"].float()[:, None, None]
    seen_off = functional.smooth_l1_loss(seen[..., :count], gestures, reduction="none")
    sound_loss = functional.smooth_l1_loss(
        sound_embeddings[..., :count], gestures, reduction="none"
    )
    return ((seen_off + sound_loss) * weight).sum() / (weight.sum() * WINDOWS * count).clamp_min(1)


def contrast(mouth: Tensor, sound: Tensor, there: Tensor) -> tuple[Tensor, Mapping[str, float]]:
    """Returns the loss of vectors in step.

    Args:
        mouth: (n, 44, 128).
        sound: (n, 74, 128); vector 15 + i belongs to frame vector i.
        there: (n, 78) whether there is sound under a frame.
    """
    n = len(mouth)
    every = torch.einsum("nid,njd->nij", mouth, sound)  # (n, 44, 74)
    steps = torch.arange(2 * OFFSETS + 1, device=mouth.device)
    index = torch.arange(WINDOWS, device=mouth.device)[:, None] + steps
    likeness = torch.gather(every, 2, index.expand(n, -1, -1))  # (n, 44, 31)
    sound_embeddings = there.unfold(1, 5, 1).all(dim=2)  # (n, 74)
    valid = sound_embeddings[:, index].float()  # (n, 44, 31)
    target = torch.zeros(2 * OFFSETS + 1, device=mouth.device)
    for offset, share in _NEAR.items():
        target[OFFSETS + offset] = share
    total = mouth.new_zeros(())
    right = 0.0
    for span, scale, weight in _SPANS:
        shape = (1, 1, span)
        kernel = torch.ones(shape, device=mouth.device)
        flat, known = ((likeness * valid).transpose(1, 2), valid.transpose(1, 2))
        summed = functional.conv1d(flat.reshape(-1, 1, WINDOWS), kernel)
        counted = functional.conv1d(known.reshape(-1, 1, WINDOWS), kernel)
        mean = (summed / counted.clamp_min(1)).reshape(n, 2 * OFFSETS + 1, -1).transpose(1, 2)
        enough = (counted > 0.5 * span).reshape(n, 2 * OFFSETS + 1, -1).transpose(1, 2)
        logits = (scale * mean).masked_fill(~enough, -1e4)
        each = -(functional.log_softmax(logits, dim=2).clamp_min(-30) * target).sum(dim=2)
        sure = enough[:, :, OFFSETS].float()
        total = total + weight * (each * sure).sum() / sure.sum().clamp_min(1)
        if span == WINDOWS:
            right = float(((logits.argmax(dim=2) - OFFSETS).abs() <= 1).float().mean())
    # Other speakers' sound: the same places of the other rows.
    own = sound[:, OFFSETS : OFFSETS + WINDOWS].reshape(-1, sound.shape[2])
    chosen = torch.arange(0, len(own), 7, device=own.device)
    across = 14.0 * mouth.reshape(-1, mouth.shape[2]) @ own[chosen].T
    rows = torch.arange(len(own), device=own.device)
    same = rows[:, None] // WINDOWS == chosen[None] // WINDOWS
    aligned = 14.0 * (mouth.reshape(-1, mouth.shape[2]) * own).sum(dim=1, keepdim=True)
    joint = torch.cat([aligned, across.masked_fill(same, -1e4)], dim=1)
    others = -functional.log_softmax(joint, dim=1)[:, 0].mean()
    return total + 0.2 * others, {"within_one": right, "others": float(others.detach())}


RECIPE = AvSync
