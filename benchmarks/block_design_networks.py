"""Three designs of the network of block corruption, for `block_designs.py`.

`content`: the released design; content cancels by pairs, damaged and whole, in every batch.
`residuals`: inputs that hardly depend on content alone: what is left of each frame when the other
one is moved onto it, seams in that and in the frames, texture, all relative to the frame's median.
`shot`: the released design with what the shot usually looks like, another pair of frames of the
same clip, subtracted from the features that map and decision are read from.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from defectscope.detectors.block_corruption import network as released
from defectscope.detectors.block_corruption import seams
from defectscope.training.block_corruption import pairs, recipe
from defectscope.training.block_corruption.loss import loss
from defectscope.training.contract import CacheView, Split
from defectscope.training.precision import autocast

HALF_WIDTH = 12
DESIGNS = ("content", "residuals", "shot")
# Block matching: farthest shift and side of what is matched, in pixels of frames reduced by 2.
_FARTHEST, _MATCHED = 5, 8
_JOINT = 128


def residual(now: Tensor, other: Tensor) -> Tensor:
    """Returns what is left of luma (n, 1, rows, columns) when the other frame is moved onto it."""
    padded = functional.pad(other, (_FARTHEST,) * 4, mode="replicate")
    rows, columns = now.shape[2:]
    least: Tensor | None = None
    best = now
    for down in range(2 * _FARTHEST + 1):
        for across in range(2 * _FARTHEST + 1):
            left = now - padded[:, :, down : down + rows, across : across + columns]
            # Windows overlap: a block's border is no border of the search.
            cost = functional.avg_pool2d(
                left.abs(), 2 * _MATCHED, _MATCHED, _MATCHED // 2, count_include_pad=False
            )
            cost = functional.interpolate(cost, (rows, columns))
            better = cost < (least if least is not None else cost + 1)
            best = torch.where(better, left, best)
            least = cost if least is None else torch.minimum(least, cost)
    return best


def residual_measures(now: Tensor, before: Tensor) -> Tensor:
    """Measures pairs (n, 3, height, width) by 4 x 4 pixels, each over the frame's own median.

    Returns:
        As many planes as `seams.measures` has; those of colour are empty.
    """
    luma = [functional.avg_pool2d(seams._luma(f.float()), 2, ceil_mode=True) for f in (now, before)]
    planes: list[Tensor] = []
    for own, other in (luma, luma[::-1]):
        left = residual(own, other)
        across, down = seams._steps(left)
        planes += [left.abs(), seams._isolated(across, 3), seams._isolated(down, 2)]
    for own in luma:
        across, down = seams._steps(own)
        planes += [torch.maximum(seams._isolated(across, 3), seams._isolated(down, 2))]
    # A step more in the frame than in the one before is what counts of texture.
    textures = [sum(seams._steps(own)) for own in luma]
    planes.append((textures[0] - textures[1]).abs())
    pooled = torch.cat([functional.avg_pool2d(p, 2, ceil_mode=True) for p in planes], dim=1)
    middle = pooled.flatten(2).median(dim=2).values[:, :, None, None]
    relative = torch.log1p(pooled / (middle + 0.5))
    return torch.cat([torch.zeros_like(relative[:, :6]), 16 * relative], dim=1)


class ResidualNet(released.BlockNet):
    """Sees residuals and seams, and nothing of what frames show."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        del self.backbone, self.middle, self.shown
        self.joint = released._layer(self.seams.outputs, _JOINT, 3, 1)

    def mapped(self, now: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As the released network's."""
        seen, blocks = self.seams(residual_measures(now, before))
        features = self.joint(seen)
        return self.to_map(features), features, blocks


class ShotNet(released.BlockNet):
    """Holds features against what the shot usually has."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.share = nn.Parameter(torch.full((_JOINT,), 0.5))
        # What the rows of the batch in hand usually look like: (n, _JOINT), NaN where unknown.
        self.usual: Tensor | None = None

    def against(self, features: Tensor, usual: Tensor) -> tuple[Tensor, Tensor]:
        """Returns map logits and features once what is usual is subtracted."""
        known = usual.nan_to_num()
        features = features - (self.share * known)[:, :, None, None].to(features.dtype)
        return self.to_map(features), features

    def mapped(self, now: Tensor, before: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """As the released network's."""
        logits, features, blocks = super().mapped(now, before)
        if self.usual is not None:
            logits, features = self.against(features, self.usual)
        return logits, features, blocks


class _Design(recipe.BlockCorruptionRecipe):
    def __init__(self, settings: Any, network: type[nn.Module]) -> None:
        super().__init__(settings)
        self._network = network

    def build(self) -> nn.Module:
        made: Any = self._network(self.settings.width)
        return made.to(memory_format=torch.channels_last)


class _Noting(recipe.BlockCorruptionRecipe):
    """Draws batches and notes another pair of the same clip for each row, cropped as the row is."""

    def __init__(self, settings: Any, smallest: float) -> None:
        super().__init__(settings)
        self.smallest = smallest
        self.others: list[pairs.Pair | None] = []

    def _raw(self, cache: CacheView, *rest: Any) -> Any:
        rng = rest[-1]
        first = _First(cache)
        raw, counterpart, fresh = super()._raw(first, *rest)
        # The seed that the row is about to be cropped by.
        own = np.random.default_rng(int(copy.deepcopy(rng).integers(2**63)))
        other = quiet_pair(cache, "train", first.index, own.spawn(1)[0])
        shown = None
        if other is not None:
            rgb, mask = pairs.drawn(other, self.settings.crop_px, self.smallest, own)
            shown = (pairs.varied(rgb, own, coded=fresh), mask)
        self.others += [shown] * (1 if counterpart is None else 2)
        return raw, counterpart, fresh


class _First:
    """A cache that notes which pair was taken first."""

    def __init__(self, cache: CacheView) -> None:
        self._cache, self.index, self.facts = cache, -1, cache.facts

    def array(self, split: Split, index: int, name: str) -> Any:
        self.index = index if self.index < 0 else self.index
        return self._cache.array(split, index, name)


def quiet_pair(
    cache: CacheView, split: Split, index: int, rng: np.random.Generator
) -> pairs.Raw | None:
    """Returns another pair of the same clip without its damage, None if there is none."""
    facts = cache.facts(split)
    named = ("recording", "generator", "codec", "rate", "scale", "capture")

    def clip(k: int) -> list[Any]:
        return [facts[k].get(name) for name in named]

    near = range(max(0, index - 8), min(len(facts), index + 9))
    mates = [
        k for k in near
        if k != index and clip(k) == clip(index)
        and (facts[k]["intact"] or not max(facts[k]["damaged"]))
    ]  # fmt: skip
    if not mates:
        return None
    chosen = int(rng.choice(mates))
    return pairs.intact(cache, split, chosen) or pairs.cached(cache, split, chosen)


class _Shot(_Design):
    def batch(
        self, cache: CacheView, rng: np.random.Generator, size: int
    ) -> Mapping[str, torch.Tensor]:
        reduced = copy.deepcopy(rng).random() < recipe._REDUCED_SHARE
        noting = _Noting(self.settings, recipe._REDUCED if reduced else recipe._FULL_SHARE)
        return {**noting.batch(cache, rng, size), **_others(noting.others)}

    def loss(self, model: nn.Module, batch: Mapping[str, Tensor]) -> Any:
        network: Any = model
        network.usual = self._usual(network, batch)
        try:
            return loss(network, self.frames(batch["rgb"]), batch, contrast=self.settings.contrast)
        finally:
            network.usual = None

    def _usual(self, network: Any, batch: Mapping[str, Tensor]) -> Tensor:
        """Returns (n, _JOINT), what each row is held against."""
        network.usual = None
        seen = network.mapped(*self.frames(batch["quiet"]))[1].float().mean(dim=(2, 3))
        nothing = torch.full_like(seen[:1], float("nan"))
        return torch.cat([seen, nothing])[batch["quiet_row"]]

    def predict(self, model: nn.Module, cache: CacheView, split: Split) -> dict[str, Any]:
        network: Any = model
        parts: list[dict[str, Any]] = []
        rng = np.random.default_rng(0)
        for first in range(0, len(cache.facts(split)), 32):
            rows = range(first, min(len(cache.facts(split)), first + 32))
            made = recipe._tensors([self._whole(pairs.cached(cache, split, k)) for k in rows])
            raws = [quiet_pair(cache, split, k, rng) for k in rows]
            quiet = _others([None if raw is None else self._whole(raw) for raw in raws])
            with torch.no_grad(), autocast("cpu"):
                network.usual = self._usual(network, quiet)
                logits, decision = network(*self.frames(made["rgb"]))
                network.usual = None
            named = ("cell", "cell_weight", "hit", "hit_weight")
            said = {"map": logits.float().numpy(), "decision": decision.float().numpy()}
            parts.append({k: made[k].numpy() for k in named} | said)
        return {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}


def _others(rows: list[pairs.Pair | None]) -> dict[str, torch.Tensor]:
    """Returns the distinct pairs among rows, and which of them each row has; their number: none."""
    known = list({id(row): row for row in rows if row is not None}.values())
    places = {id(row): k for k, row in enumerate(known)}
    return {
        "quiet": torch.from_numpy(np.stack([rgb for rgb, _ in known])),
        "quiet_row": torch.tensor([places.get(id(row), len(known)) for row in rows]),
    }


def design(name: str, settings: recipe.BlockCorruptionSettings) -> _Design:
    """Returns the recipe of a design."""
    kind = _Shot if name == "shot" else _Design
    networks = {"content": released.BlockNet, "residuals": ResidualNet, "shot": ShotNet}
    return kind(settings, networks[name])
