"""How block corruption is learned: what is prepared, drawn, minimised, scored and released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from defectscope.detectors.block_corruption.network import DEFAULT_WIDTH, BlockNet, scaled
from defectscope.simulate._damage_mask import DAMAGED, LABEL_PX, UNSURE
from defectscope.training.contract import (
    CacheView,
    Item,
    Job,
    Recording,
    Release,
    Schedule,
    Split,
)
from defectscope.training.recipes.block_examples import ClipPlan, LeftOut, choose, items
from defectscope.training.recipes.block_pairs import (
    MeasuredPairs,
    Pair,
    draw,
    stacked,
    still,
    varied,
)
from defectscope.training.recipes.block_sources import STILL_SUFFIXES, VIDEO_SUFFIXES
from defectscope.training.recipes.block_targets import figures, targets

# Pairs with less damage than this (share of the stored crop) are drawn less often.
_FAINT_SHARE = 0.01
# Share of the batches that show pictures at half their size.
_HALVED_SHARE = 0.3


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set on the command line.

    Attributes:
        width: Channels of the first stage.
        still_clips: Clips made of every still.
        clips_per_s: Clips made of every second of a recording.
        most_clips: Clips of one recording, at most.
        frames: Pictures in a clip.
        pairs: Pairs of pictures taken from a clip.
        stored_px: Side of the crops in the cache.
        crop_px: Side of the crops that are trained on.
        left_out_generator: Way of damaging that only the test split sees.
        left_out_codec: Encoder likewise.
        left_out_concealment: Decoder setting likewise.
        with_previous: The network sees what changed since the picture before.
    """

    width: int = DEFAULT_WIDTH
    still_clips: int = 8
    clips_per_s: float = 4.0
    most_clips: int = 80
    frames: int = 40
    pairs: int = 8
    stored_px: int = 256
    crop_px: int = 192
    left_out_generator: str = "slice_loss"
    left_out_codec: str = "libx265"
    left_out_concealment: str = "none"
    with_previous: bool = True


class BlockCorruptionRecipe:
    """Block corruption for the training system."""

    name: ClassVar[str] = "block_corruption"
    suffixes: ClassVar[frozenset[str]] = STILL_SUFFIXES | VIDEO_SUFFIXES

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._pairs = MeasuredPairs(self.settings.stored_px)

    def preparation(self) -> Mapping[str, Any]:
        """Gives the settings that decide what is in the cache."""
        trained = ("width", "crop_px", "with_previous")
        return {k: v for k, v in asdict(self.settings).items() if k not in trained}

    def schedule(self) -> Schedule:
        """Gives the default schedule."""
        return Schedule(steps=4000, batch=48, peak_rate=2e-3, score_every=400, patience=0)

    def jobs(self, recordings: Sequence[Recording], seed: int) -> Sequence[Job]:
        """Gives one job a clip, ordered so that the first of them hold every recording already."""
        plans: list[tuple[float, ClipPlan]] = []
        for recording in recordings:
            count = self._clips(recording)
            mates = [r for r in recordings if r.split == recording.split]
            for number in range(count):
                plan = self._plan(recording, mates, number, seed)
                plans.append(((number + 0.5) / count, plan))
        plans.sort(key=lambda pair: (pair[0], pair[1].key))
        return [Job(plan.key, _maker(plan)) for _, plan in plans]

    def _clips(self, recording: Recording) -> int:
        if recording.path.suffix.lower() in STILL_SUFFIXES:
            return self.settings.still_clips
        # By size rather than by length: it is known without opening the file, and a recording
        # with more in it gives more. 250 kB are about a second of the corpora used here.
        seconds = recording.path.stat().st_size / 250_000
        return max(12, min(self.settings.most_clips, round(seconds * self.settings.clips_per_s)))

    def _plan(
        self, recording: Recording, mates: Sequence[Recording], number: int, seed: int
    ) -> ClipPlan:
        s = self.settings
        left_out = LeftOut(s.left_out_generator, s.left_out_codec, s.left_out_concealment)
        blank = ClipPlan(
            recording, recording, number, "", "", "motion", s.frames, s.pairs, s.stored_px, seed
        )
        rng = blank.rng()
        generator, codec, concealment = choose(recording.split, left_out, rng)
        other = mates[int(rng.integers(len(mates)))]
        return ClipPlan(
            recording, other, number, generator, codec, concealment,
            s.frames, s.pairs, s.stored_px, seed,
        )  # fmt: skip

    def build(self) -> torch.nn.Module:
        """Gives a fresh network, laid out as CPUs like it."""
        network = BlockNet(self.settings.width)
        return cast("torch.nn.Module", cast("Any", network).to(memory_format=torch.channels_last))

    def batch(
        self, cache: CacheView, rng: np.random.Generator, size: int
    ) -> Mapping[str, torch.Tensor]:
        """Draws pairs, half of them with damage, and varies them.

        Some batches show pictures at half their size, as a detector sees high definition; they
        hold twice as many of smaller crops.
        """
        share = np.array([max(f["damaged"]) for f in cache.facts("train")])
        weight = np.where(share >= _FAINT_SHARE, 1.0, 0.4) * (share > 0)
        halved = bool(rng.random() < _HALVED_SHARE)
        side = self.settings.stored_px // 2 if halved else self.settings.crop_px
        count = 2 * size if halved else size
        half = count // 2
        chosen = np.concatenate(
            [
                rng.choice(len(share), half, p=weight / weight.sum()),
                rng.choice(np.flatnonzero(share == 0), count - half),
            ]
        )
        drawn: list[Pair] = []
        for index in chosen.tolist():
            pair = self._pairs.get(cache, "train", index, halved=halved)
            measured, mask = draw(pair, side // LABEL_PX, rng)
            drawn.append((varied(measured, rng), mask))
        measured, masks = stacked(drawn)
        return {
            "measured": torch.from_numpy(measured),
            "block": torch.from_numpy((masks == DAMAGED).astype(np.float32)),
            "block_weight": torch.from_numpy((masks != UNSURE).astype(np.float32)),
            **targets(masks),
        }

    def loss(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Gives the sum of what the map and the decision get wrong."""
        x = self.input(batch["measured"])
        logits, decision, blocks = cast("BlockNet", model).both(x)
        cells = _cross_entropy(logits, batch["cell"], batch["cell_weight"] * (1 + batch["cell"]))
        fine = _cross_entropy(blocks, batch["block"], batch["block_weight"] * (1 + batch["block"]))
        frames = _cross_entropy(decision, batch["hit"], batch["hit_weight"])
        return cells + fine + 0.5 * frames, {
            "map_loss": float(cells.detach()),
            "block_loss": float(fine.detach()),
            "decision_loss": float(frames.detach()),
        }

    def input(self, measured: torch.Tensor) -> torch.Tensor:
        """Gives what the network takes of (n, INPUTS, rows, columns) measures."""
        if not self.settings.with_previous:
            measured = torch.from_numpy(still(measured.cpu().numpy())).to(measured.device)
        return scaled(measured).contiguous(memory_format=torch.channels_last)

    def predict(
        self, model: torch.nn.Module, cache: CacheView, split: Split
    ) -> dict[str, NDArray[Any]]:
        """Gives logits and targets of every pair of a split, whole crops."""
        parts: list[dict[str, NDArray[Any]]] = []
        count = len(cache.facts(split))
        device = next(model.parameters()).device
        for first in range(0, count, 32):
            rows = range(first, min(count, first + 32))
            measured, masks = stacked([self._pairs.get(cache, split, k) for k in rows])
            x = self.input(torch.from_numpy(measured).to(device))
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
                logits, decision = model(x)
            parts.append(
                {k: v.numpy() for k, v in targets(masks).items()}
                | {"map": logits.float().cpu().numpy(), "decision": decision.float().cpu().numpy()}
            )
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}

    def score(self, model: torch.nn.Module, cache: CacheView, split: Split) -> Mapping[str, float]:
        """Scores a split: AUC of the decision and of the map's cells, and the map's IoU."""
        return figures(self.predict(model.eval(), cache, split))

    def release(self, model: torch.nn.Module, cache: CacheView) -> Release:
        """Chooses thresholds on validation, measures on test, and describes."""
        # The card belongs to what is shipped; training itself has no use for it.
        from defectscope.training.recipes.block_release import release

        return release(self, model, cache)


def _cross_entropy(logits: torch.Tensor, truth: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Gives the weighted mean of the cross entropy."""
    total = functional.binary_cross_entropy_with_logits(
        logits.float(), truth, weight, reduction="sum"
    )
    return total / weight.sum().clamp(min=1)


def _maker(plan: ClipPlan) -> Any:
    def make() -> Iterator[Item]:
        return items(plan)

    return make


RECIPE = BlockCorruptionRecipe

__all__ = ["RECIPE", "BlockCorruptionRecipe", "Settings"]
