"""How block corruption is learned: what is prepared, drawn, minimised, scored and released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from defectscope.detectors.block_corruption.network import BlockNet
from defectscope.simulate.effects.damage_mask import DAMAGED, UNSURE
from defectscope.training.block_corruption.examples import (
    ClipPlan,
    LeftOut,
    choose,
    choose_other,
    items,
)
from defectscope.training.block_corruption.loss import loss
from defectscope.training.block_corruption.pairs import (
    Pair,
    Raw,
    cached,
    damaged,
    drawn,
    dressed,
    intact,
    refilled,
    relabelled,
    to_rgb,
    transplanted,
    unpacked,
    varied,
)
from defectscope.training.block_corruption.settings import BlockCorruptionSettings
from defectscope.training.block_corruption.sources import STILL_SUFFIXES, VIDEO_SUFFIXES
from defectscope.training.block_corruption.targets import figures, targets
from defectscope.training.contract import (
    CacheView,
    Item,
    PreparationJob,
    Recording,
    Release,
    Schedule,
    Split,
)
from defectscope.training.corpora import require_every_split
from defectscope.training.precision import autocast

# Pairs with less damage than this (share of the stored crop) are drawn less often.
_FAINT_SHARE = 0.01
# Shares of a batch: cached damage; on clean pairs drawn damage, lost blocks, damage of another pair
# and harmless things; the others are clean as they are.
_CACHED, _DRAWN, _REFILLED, _TRANSPLANTED, _DRESSED = 0.3, 0.08, 0.06, 0.1, 0.18
_PLACES = np.cumsum([_CACHED, _DRAWN, _REFILLED, _TRANSPLANTED, _DRESSED])
# Batches of smaller crops show frames further reduced, as a detector sees high definition.
_REDUCED_SHARE = 0.3
_REDUCED, _FULL_SHARE = 0.5, 0.75
# Share of the rows of a batch that are drawn; the others are the same rows without their damage.
_SOURCES = 0.62
# Validation is scored on whole cached crops at this scale.
_SCORED = 0.75


class BlockCorruptionRecipe:
    """Block corruption for the training system."""

    name: ClassVar[str] = "block_corruption"
    suffixes: ClassVar[frozenset[str]] = STILL_SUFFIXES | VIDEO_SUFFIXES

    def __init__(self, settings: BlockCorruptionSettings | None = None) -> None:
        self.settings = settings or BlockCorruptionSettings()

    def preparation(self) -> Mapping[str, Any]:
        """Returns the settings that decide what is in the cache."""
        trained = ("width", "crop_px", "with_previous", "contrast")
        return {k: v for k, v in asdict(self.settings).items() if k not in trained}

    def schedule(self) -> Schedule:
        """Returns the default schedule."""
        return Schedule(steps=3000, batch=24, peak_rate=8e-4, score_every=500, patience=0)

    def jobs(self, recordings: Sequence[Recording], seed: int) -> Sequence[PreparationJob]:
        """Returns one job a clip, ordered so that the first ones hold every recording already.

        Raises:
            InvalidParameterError: A split has no recording.
        """
        require_every_split(recordings)
        plans: list[tuple[float, ClipPlan]] = []
        for recording in recordings:
            count = self._clips(recording)
            mates = [r for r in recordings if r.split == recording.split]
            others = self.settings.other_codec_clips
            for index in range(count + others):
                plan = self._plan(recording, mates, index, seed, other_codec=index >= count)
                place = (index - count + 0.5) / others if index >= count else (index + 0.5) / count
                plans.append((place, plan))
        plans.sort(key=lambda pair: (pair[0], pair[1].key))
        return [PreparationJob(plan.key, _maker(plan)) for _, plan in plans]

    def _clips(self, recording: Recording) -> int:
        if recording.path.suffix.lower() in STILL_SUFFIXES:
            return self.settings.still_clips
        # By size rather than by length: it is known without opening the file, and a recording
        # with more in it gives more. 250 kB are about a second of the corpora used here.
        seconds = recording.path.stat().st_size / 250_000
        return min(self.settings.most_clips, max(12, round(seconds * self.settings.clips_per_s)))

    def _plan(
        self,
        recording: Recording,
        mates: Sequence[Recording],
        index: int,
        seed: int,
        *,
        other_codec: bool,
    ) -> ClipPlan:
        s = self.settings
        left_out = LeftOut(s.left_out_generator, s.left_out_codec, s.left_out_concealment)
        blank = ClipPlan(
            recording, recording, index, "", "", "motion", s.frames, s.pairs, s.stored_px, seed
        )
        rng = blank.rng()
        chosen = choose_other if other_codec else choose
        generator, codec, concealment = chosen(recording.split, left_out, rng)
        other = mates[int(rng.integers(len(mates)))]
        return ClipPlan(
            recording, other, index, generator, codec, concealment,
            s.frames, s.pairs, s.stored_px, seed,
        )  # fmt: skip

    def build(self) -> torch.nn.Module:
        """Returns a fresh network, laid out as CPUs like it."""
        network = BlockNet(self.settings.width)
        return cast("torch.nn.Module", cast("Any", network).to(memory_format=torch.channels_last))

    def batch(
        self, cache: CacheView, rng: np.random.Generator, size: int
    ) -> Mapping[str, torch.Tensor]:
        """Draws pairs, about half of them with damage, and varies them."""
        share = np.array([max(f["damaged"]) for f in cache.facts("train")])
        hit = np.where(share >= _FAINT_SHARE, 1.0, 0.3) * (share > 0)
        hit, whole = hit / hit.sum(), np.flatnonzero(share == 0)
        reduced = bool(rng.random() < _REDUCED_SHARE)
        side = self.settings.stored_px // 2 if reduced else self.settings.crop_px
        count = round(size * (self.settings.crop_px / side) ** 2)
        paired = self.settings.contrast > 0
        count = round(count * _SOURCES) if paired else count
        pairs: list[Pair] = []
        same: list[tuple[int, int]] = []
        for part in (np.arange(count) + rng.random(count)) / count:
            raw, counterpart, fresh = self._raw(cache, part, hit, whole, rng)
            seed = int(rng.integers(2**63))
            rows = [raw] if counterpart is None or not paired else [raw, counterpart]
            if len(rows) == 2:
                same.append((len(pairs), len(pairs) + 1))
            for each in rows:
                own = np.random.default_rng(seed)
                rgb, mask = drawn(each, side, _REDUCED if reduced else _FULL_SHARE, own)
                pairs.append((varied(rgb, own, coded=fresh), mask))
        return {**_tensors(pairs), "same": torch.tensor(same, dtype=torch.long).reshape(-1, 2)}

    def _raw(
        self,
        cache: CacheView,
        part: float,
        hit: NDArray[np.float64],
        whole: NDArray[np.int64],
        rng: np.random.Generator,
    ) -> tuple[Raw, Raw | None, bool]:
        """Returns the pair for one place in a batch, and whether anything was drawn on it.

        Between them stands the same pair without what was done to it, where it is known.

        Args:
            cache: Where pairs are.
            part: The place, from 0 to 1.
            hit: How likely each damaged pair is taken.
            whole: Which pairs are clean.
            rng: Where chance comes from.
        """

        def taken(damaged: bool) -> tuple[Raw, Raw | None]:
            index = int(rng.choice(len(hit), p=hit) if damaged else rng.choice(whole))
            return cached(cache, "train", index), intact(cache, "train", index)

        own, counterpart = taken(part < _CACHED)
        match int(np.searchsorted(_PLACES, part, side="right")):
            case 1:
                return damaged(own, rng), own, True
            case 2:
                return refilled(own, rng), own, True
            case 3:
                return transplanted(own, taken(True)[0], rng), own, True
            case 4:
                return dressed(own, taken(False)[0], rng), None, True
            case _:
                return own, counterpart, False

    def loss(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Returns the sum of what the map and the decision get wrong."""
        network, inputs = cast("BlockNet", model), self.frames(batch["rgb"])
        return loss(network, inputs, batch, contrast=self.settings.contrast)

    def frames(self, rgb: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns what the network takes of (n, 2, 3, height, width): frames, and those before."""
        now, before = (
            rgb[:, k].float().contiguous(memory_format=torch.channels_last) for k in range(2)
        )
        return now, before if self.settings.with_previous else now

    def predict(
        self, model: torch.nn.Module, cache: CacheView, split: Split
    ) -> dict[str, NDArray[Any]]:
        """Returns logits and targets of every pair of a split, whole crops."""
        parts: list[dict[str, NDArray[Any]]] = []
        count = len(cache.facts(split))
        device = next(model.parameters()).device
        for first in range(0, count, 32):
            rows = range(first, min(count, first + 32))
            made = _tensors([self._whole(cached(cache, split, k)) for k in rows])
            with torch.no_grad(), autocast(str(device)):
                logits, decision = model(*self.frames(made["rgb"].to(device)))
            parts.append(
                {k: made[k].numpy() for k in ("cell", "cell_weight", "hit", "hit_weight")}
                | {"map": logits.float().cpu().numpy(), "decision": decision.float().cpu().numpy()}
            )
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def _whole(self, raw: Raw) -> Pair:
        full = self.settings.stored_px
        side = round(full * _SCORED)
        rgb = to_rgb(torch.from_numpy(unpacked(raw.yuv)).float())
        rgb = functional.interpolate(rgb, (side, side), mode="bilinear", antialias=True)
        mask = relabelled(raw.mask, full / side, 0, 0, side)
        return rgb.round().to(torch.uint8).numpy(), mask

    def score(self, model: torch.nn.Module, cache: CacheView, split: Split) -> Mapping[str, float]:
        """Scores a split: AUC of the decision and of the map's cells, and the map's IoU."""
        return figures(self.predict(model.eval(), cache, split))

    def release(self, model: torch.nn.Module, cache: CacheView) -> Release:
        """Chooses thresholds on validation, measures on test, and describes."""
        # The card belongs to what is shipped; training itself has no use for it.
        from defectscope.training.block_corruption.release import release

        return release(self, model, cache)


def _tensors(pairs: Sequence[Pair]) -> dict[str, torch.Tensor]:
    """Returns a batch: frames, and what is to be said of them."""
    masks = np.stack([mask for _, mask in pairs])
    return {
        "rgb": torch.from_numpy(np.stack([rgb for rgb, _ in pairs])),
        "block": torch.from_numpy((masks == DAMAGED).astype(np.float32)),
        "block_weight": torch.from_numpy((masks != UNSURE).astype(np.float32)),
        **targets(masks),
    }


def _maker(plan: ClipPlan) -> Any:
    def make() -> Iterator[Item]:
        return items(plan)

    return make


RECIPE = BlockCorruptionRecipe

__all__ = ["RECIPE", "BlockCorruptionRecipe", "BlockCorruptionSettings"]
