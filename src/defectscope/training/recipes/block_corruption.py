"""How block corruption is learned: what is prepared, drawn, minimised, scored and released."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from defectscope.detectors.block_corruption.network import CELL_PX, BlockNet, network_input
from defectscope.simulate._damage_mask import CLEAN, DAMAGED, LABEL_PX, UNSURE
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
from defectscope.training.recipes.block_sources import STILL_SUFFIXES, VIDEO_SUFFIXES
from defectscope.training.scores import auc

_PER_CELL = CELL_PX // LABEL_PX
# A cell counts as damaged from four of its sixteen blocks on: one macroblock.
_DAMAGED_SHARE = 0.25
# Pairs with less damage than this (share of the stored crop) are drawn half as often.
_FAINT_SHARE = 0.01


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set on the command line.

    Attributes:
        width: Channels of the first stage; 64 is the published network.
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

    width: int = 24
    still_clips: int = 8
    clips_per_s: float = 4.0
    most_clips: int = 80
    frames: int = 40
    pairs: int = 8
    stored_px: int = 256
    crop_px: int = 224
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
        """Draws pairs, half of them with damage, and varies them."""
        share = np.array([max(f["damaged"]) for f in cache.facts("train")])
        weight = np.where(share >= _FAINT_SHARE, 1.0, 0.5) * (share > 0)
        half = size // 2
        chosen = np.concatenate(
            [
                rng.choice(len(share), half, p=weight / weight.sum()),
                rng.choice(np.flatnonzero(share == 0), size - half),
            ]
        )
        side = self.settings.crop_px
        blocks = side // LABEL_PX
        spare = (self.settings.stored_px - side) // LABEL_PX
        pictures = np.empty((size, 2, 3, side, side), np.uint8)
        masks = np.empty((size, 2, blocks, blocks), np.uint8)
        for k, index in enumerate(chosen):
            yuv = cache.array("train", int(index), "yuv")
            mask = cache.array("train", int(index), "mask")
            row, column = (int(v) for v in rng.integers(0, spare + 1, 2))
            view = unpacked(yuv, row * LABEL_PX, column * LABEL_PX, side)
            mask = mask[:, row : row + blocks, column : column + blocks]
            if rng.random() < 0.5:
                view, mask = view[..., ::-1], mask[..., ::-1]
            draw = rng.random()
            if draw < 0.15:  # damage looks the same backwards
                view, mask = view[::-1], mask[::-1]
            elif draw < 0.21:  # nothing came before, or the picture stood still
                view, mask = view[[0, 0]], mask[[0, 0]]
            pictures[k], masks[k] = view, mask
        jitter = np.stack(
            [rng.uniform(0.8, 1.2, size), rng.uniform(-16, 16, size), rng.uniform(0.5, 1.3, size)]
        ).astype(np.float32)
        jitter[2, rng.random(size) < 0.06] = 0.0  # black and white
        return {
            "yuv": torch.from_numpy(pictures),
            "jitter": torch.from_numpy(jitter),
            "block": torch.from_numpy((masks == DAMAGED).astype(np.float32)),
            "block_weight": torch.from_numpy((masks != UNSURE).astype(np.float32)),
            **targets(masks),
        }

    def loss(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]
    ) -> tuple[torch.Tensor, Mapping[str, float]]:
        """Gives the sum of what the map and the decision get wrong."""
        gain, lift, colour = batch["jitter"][:, :, None, None, None, None]
        rgb = to_rgb(batch["yuv"].float(), gain, lift, colour)
        logits, decision, blocks = cast("BlockNet", model).both(self.input(rgb))
        cells = _cross_entropy(logits, batch["cell"], batch["cell_weight"] * (1 + batch["cell"]))
        fine = _cross_entropy(blocks, batch["block"], batch["block_weight"] * (1 + batch["block"]))
        frames = _cross_entropy(decision, batch["hit"], batch["hit_weight"])
        return cells + fine + 0.5 * frames, {
            "map_loss": float(cells.detach()),
            "block_loss": float(fine.detach()),
            "decision_loss": float(frames.detach()),
        }

    def input(self, rgb: torch.Tensor) -> torch.Tensor:
        """Gives what the network takes of (n, 2, 3, height, width) RGB codes."""
        previous = rgb[:, 1] if self.settings.with_previous else rgb[:, 0]
        x = network_input(rgb[:, 0], previous)
        return x.contiguous(memory_format=torch.channels_last)

    def predict(
        self, model: torch.nn.Module, cache: CacheView, split: Split
    ) -> dict[str, NDArray[Any]]:
        """Gives logits and targets of every pair of a split, whole crops."""
        side = self.settings.stored_px
        parts: list[dict[str, NDArray[Any]]] = []
        count = len(cache.facts(split))
        device = next(model.parameters()).device
        for first in range(0, count, 32):
            rows = range(first, min(count, first + 32))
            yuv = np.stack([unpacked(cache.array(split, k, "yuv"), 0, 0, side) for k in rows])
            masks = np.stack([cache.array(split, k, "mask") for k in rows])
            rgb = to_rgb(torch.from_numpy(yuv).to(device).float(), 1.0, 0.0, 1.0)
            with torch.no_grad(), torch.autocast(device.type, torch.bfloat16):
                logits, decision = model(self.input(rgb))
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


def unpacked(yuv: Any, top: int, left: int, side_px: int) -> NDArray[np.uint8]:
    """Gives stored pairs as (2, 3, side, side), chroma at luma's resolution."""
    full = yuv.shape[2]
    half = full // 2
    out = np.empty((2, 3, side_px, side_px), np.uint8)
    out[:, 0] = yuv[:, top : top + side_px, left : left + side_px]
    for k in range(2):
        plane = yuv[:, full:, k * half : (k + 1) * half]
        part = plane[:, top // 2 : (top + side_px) // 2, left // 2 : (left + side_px) // 2]
        out[:, 1 + k] = part.repeat(2, axis=1).repeat(2, axis=2)
    return out


def to_rgb(yuv: torch.Tensor, gain: Any, lift: Any, colour: Any) -> torch.Tensor:
    """Gives RGB codes of limited-range YUV (..., 3, height, width), varied.

    Source: ITU-R BT.601-7, 2.5 (the equations, and the ranges of the codes).
    """
    y = (yuv[..., 0:1, :, :] - 16) * (255 / 219) * gain + lift
    u = (yuv[..., 1:2, :, :] - 128) * (255 / 224) * colour
    v = (yuv[..., 2:3, :, :] - 128) * (255 / 224) * colour
    rgb = torch.cat([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], dim=-3)
    return rgb.clamp(0, 255)


def targets(masks: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
    """Gives what map and decision shall say, with weight 0 where the truth is unsure.

    Args:
        masks: (n, 2, rows, columns) labels by block.
    """
    n, two, rows, columns = masks.shape
    cells = masks.reshape(n, two, rows // _PER_CELL, _PER_CELL, columns // _PER_CELL, _PER_CELL)
    damaged = (cells == DAMAGED).mean(axis=(3, 5))
    touched = (cells != CLEAN).mean(axis=(3, 5))
    cell = damaged >= _DAMAGED_SHARE
    sure = cell | ((damaged == 0) & (touched <= 0.25))
    hit = cell.any(axis=(2, 3))  # shape (n, 2)
    # A picture is surely clean when nothing in it is damaged and next to nothing differs.
    hit_sure = hit | ((damaged.sum(axis=(2, 3)) == 0) & (touched.mean(axis=(2, 3)) < 0.02))
    return {
        "cell": torch.from_numpy(cell.astype(np.float32)),
        "cell_weight": torch.from_numpy(sure.astype(np.float32)),
        "hit": torch.from_numpy(hit.astype(np.float32)),
        "hit_weight": torch.from_numpy(hit_sure.astype(np.float32)),
    }


def figures(said: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """Gives scores of predictions; `objective` is what training maximises."""
    sure = said["hit_weight"][:, 0] > 0
    frame_auc = auc(said["decision"][sure, 0].astype(np.float64), said["hit"][sure, 0].astype(bool))
    before = said["hit_weight"][:, 1] > 0
    before_auc = auc(
        said["decision"][before, 1].astype(np.float64), said["hit"][before, 1].astype(bool)
    )
    cell_sure = said["cell_weight"][:, 0] > 0
    cell, logit = said["cell"][:, 0][cell_sure] > 0, said["map"][:, 0][cell_sure]
    shown = logit > 0
    iou = float((cell & shown).sum() / max(1, (cell | shown).sum()))
    scores = {
        "frame_auc": frame_auc,
        "previous_auc": before_auc,
        "cell_auc": auc(logit.astype(np.float64), cell),
        "map_iou": iou,
    }
    return scores | {"objective": (frame_auc + before_auc + 2 * iou) / 4}


RECIPE = BlockCorruptionRecipe

__all__ = ["RECIPE", "BlockCorruptionRecipe", "Settings"]
