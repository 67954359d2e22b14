"""Teaches the painter of block corruption on real damage: a generator against a small critic.

The critic sees squares of frames with the damage that decoders left, or with the painter's, both
beside the intact frame, the mask, the way of damaging and the strength, and outside the mask both
are the intact frame. Training can be stopped at any moment and goes on from its last checkpoint.

Source: Lim and Ye 2017 (hinge loss); Miyato et al. 2018 (spectral normalisation); Isola et al.
2017 (a critic of patches, with a distance beside it); Heusel et al. 2017 (two paces).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from defectscope.errors import InvalidParameterError, MediaNotFoundError
from defectscope.simulate.effects.damage_mask import CLEAN, LABEL_PX
from defectscope.simulate.effects.painter import KINDS, Painter, Wish, units
from defectscope.training.block_corruption.patches import SIDE_PX, Patches, read, store
from defectscope.training.block_corruption.sources import VIDEO_SUFFIXES
from defectscope.training.contract import Recording

_KEEP_EVERY = 25
_SPREAD_LOSS = 0.5


@dataclass(frozen=True, slots=True)
class PainterPlan:
    """How the painter learns.

    Attributes:
        steps: Steps.
        batch: Squares a step.
        rate: Learning rate of the painter; the critic's is twice that.
        distance: Weight of the mean distance to the real damage.
        strength: Weight of the difference to the strength asked for.
        width: Of the painter.
        average: Of its weights, kept from step to step.
        seed: Of everything that is drawn.
    """

    steps: int = 800
    batch: int = 12
    rate: float = 4e-4
    distance: float = 0.0
    strength: float = 4.0
    width: int = 12
    average: float = 0.995
    seed: int = 1

    def __post_init__(self) -> None:
        if min(self.steps, self.batch, self.width) < 1 or self.rate <= 0 or self.seed < 0:
            raise InvalidParameterError("steps, batch, width and rate are more than nought")
        if not 0 <= self.average < 1 or min(self.distance, self.strength) < 0:
            raise InvalidParameterError("average is 0 to below 1, weights of the loss from 0 on")


class Critic(nn.Module):
    """Says of every part of a square how real its damage looks."""

    def __init__(self, width: int = 24) -> None:
        super().__init__()
        inputs = 3 + 3 + 1 + 1 + len(KINDS)
        sides = (inputs, width, 2 * width, 3 * width)
        self.steps = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(sides)
        )
        self.out = spectral_norm(nn.Conv2d(sides[-1], 1, 3, padding=1))

    def forward(self, shown: Tensor, wish: Wish) -> tuple[Tensor, list[Tensor]]:
        """Returns (n, 1, 8, 8) of how real it is, and what it saw on the way."""
        n, _, height, width = shown.shape
        kind = functional.one_hot(wish.kind, len(KINDS)).float()
        plane = torch.cat([kind, wish.strength[:, None]], 1)[:, :, None, None]
        x = torch.cat(
            [shown, shown - wish.intact, wish.mask, plane.expand(n, -1, height, width)], 1
        )
        features: list[Tensor] = []
        for step in self.steps:
            x = functional.leaky_relu(step(x), 0.2)
            features.append(x)
        return self.out(x), features


def wishes(patches: Patches) -> tuple[Wish, Tensor]:
    """Returns what was damaged in some patches as a wish, and the damage as a decoder left it."""

    def planes(crops: Any) -> Tensor:
        return torch.from_numpy(np.stack([units(uncropped(c)) for c in crops]))

    intact, shown = planes(patches.intact[:, 0]), planes(patches.shown[:, 0])
    mask = torch.from_numpy((patches.masks[:, 0] != CLEAN).astype(np.float32))[:, None]
    mask = mask.repeat_interleave(LABEL_PX, 2).repeat_interleave(LABEL_PX, 3)
    shown = mask * shown + (1 - mask) * intact
    kinds = torch.tensor(
        [KINDS.index(f["generator"]) if f["generator"] in KINDS else 0 for f in patches.facts]
    )
    wish = Wish(intact, planes(patches.intact[:, 1]), mask, kinds, torch.zeros(len(patches)))
    return Wish(*_parts(wish)[:-1], strength_of(shown, wish)), shown


def uncropped(crop: Any) -> tuple[Any, Any, Any]:
    """Returns the planes of what `examples.crop` made."""
    half = SIDE_PX // 2
    return crop[:SIDE_PX], crop[SIDE_PX:, :half], crop[SIDE_PX:, half:]


def strength_of(shown: Tensor, wish: Wish) -> Tensor:
    """Returns (n,): mean difference of luma within the mask, in units of the network."""
    apart = ((shown - wish.intact).abs() * wish.mask)[:, 0].sum((1, 2))
    return apart / wish.mask[:, 0].sum((1, 2)).clamp_min(1.0)


def _parts(wish: Wish) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    return wish.intact, wish.previous, wish.mask, wish.kind, wish.strength


def _taken(wish: Wish, rows: Tensor, flip: bool) -> Wish:
    intact, previous, mask, kind, strength = (part[rows] for part in _parts(wish))
    if flip:
        intact, previous, mask = (part.flip(-1) for part in (intact, previous, mask))
    return Wish(intact, previous, mask, kind, strength)


def train_painter(
    patches: Patches, plan: PainterPlan, work: Path, report: Callable[[str], None]
) -> Painter:
    """Returns the painter, averaged over the last steps.

    Args:
        patches: Real damage.
        plan: How.
        work: Folder of the checkpoint; another call goes on from it.
        report: Takes a line now and then.

    Raises:
        InvalidParameterError: There are fewer patches than a batch takes, or the checkpoint is of
            another plan.
    """
    if len(patches) < plan.batch:
        raise InvalidParameterError(f"{len(patches)} patches are fewer than a batch takes")
    work.mkdir(parents=True, exist_ok=True)
    file = work / "painter.pt"
    torch.manual_seed(plan.seed)
    painter, averaged, critic = Painter(plan.width), Painter(plan.width), Critic()
    averaged.load_state_dict(painter.state_dict())
    own = torch.optim.Adam(painter.parameters(), plan.rate, betas=(0.0, 0.99))
    against = torch.optim.Adam(critic.parameters(), 2 * plan.rate, betas=(0.0, 0.99))
    parts: dict[str, Any] = {
        "painter": painter, "averaged": averaged, "critic": critic, "own": own, "against": against,
    }  # fmt: skip
    first, same = 0, {k: v for k, v in asdict(plan).items() if k != "steps"}
    if file.exists():
        kept = _read(file)
        if kept["plan"] != same:
            raise InvalidParameterError(f"{file} is of another plan")
        for name, part in parts.items():
            part.load_state_dict(kept[name])
        first = kept["step"]
    wish, shown = wishes(patches)
    for step in range(first, plan.steps):
        torch.manual_seed(plan.seed * 1_000_003 + step)
        rows, flip = torch.randint(len(patches), (plan.batch,)), bool(step % 2)
        ask, real = _taken(wish, rows, flip), shown[rows].flip(-1) if flip else shown[rows]
        made = painter(ask)
        against.zero_grad()
        loud = functional.relu(1 - critic(real, ask)[0]).mean()
        loss = loud + functional.relu(1 + critic(made.detach(), ask)[0]).mean()
        loss.backward()
        against.step()
        own.zero_grad()
        says, features = critic(made, ask)
        with torch.no_grad():
            _, wanted = critic(real, ask)
        apart = (strength_of(made, ask) - ask.strength).abs().mean()
        like = sum((a.mean((0, 2, 3)) - b.mean((0, 2, 3))).abs().mean()
                   for a, b in zip(features, wanted, strict=True))  # fmt: skip
        total = -says.mean() + plan.strength * apart + _SPREAD_LOSS * like
        if plan.distance:
            inside = ask.mask.sum().clamp_min(1.0)
            total = total + plan.distance * ((made - real).abs() * ask.mask).sum() / inside
        total.backward()
        own.step()
        with torch.no_grad():
            for kept_weight, weight in zip(
                averaged.parameters(), painter.parameters(), strict=True
            ):
                kept_weight.lerp_(weight, 1 - plan.average)
        if (step + 1) % _KEEP_EVERY == 0 or step + 1 == plan.steps:
            report(f"step {step + 1}: critic {loss.item():.3f}, strength off by {apart.item():.3f}")
            state = {name: part.state_dict() for name, part in parts.items()}
            torch.save({**state, "plan": same, "step": step + 1}, file.with_suffix(".part"))
            os.replace(file.with_suffix(".part"), file)
    return averaged.eval().requires_grad_(False)


def _read(file: Path) -> Any:
    try:
        return torch.load(file, weights_only=True)
    except Exception as error:  # whatever PyTorch makes of foreign contents
        raise InvalidParameterError(f"{file} is no checkpoint of a painter: {error}") from None


def write_painter(painter: Painter, path: Path, about: dict[str, str]) -> None:
    """Writes a painter in half precision, with what it was taught on."""
    tensors = {name: value.half().contiguous() for name, value in painter.state_dict().items()}
    data = save(tensors, {"width": str(painter.width), **about})
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    os.replace(part, path)


def recordings_in(roots: Sequence[Path]) -> list[Recording]:
    """Returns the recordings of some folders, in order.

    Raises:
        MediaNotFoundError: A folder is missing.
        InvalidParameterError: There are fewer than two recordings.
    """
    missing = [root for root in roots if not root.is_dir()]
    if missing:
        raise MediaNotFoundError(f"{missing[0]}: no such folder")
    every = [file for root in roots for file in root.iterdir()]
    # By name, so that the place of the folders does not matter.
    shown = [file for file in every if file.suffix.lower() in VIDEO_SUFFIXES]
    files = sorted(shown, key=lambda file: (file.name, file))
    if len(files) < 2:
        raise InvalidParameterError("damage and cuts want two recordings; name folders with --root")
    return [Recording(file, "painter", file.name, file.stem, "train") for file in files]


def taught(
    roots: Sequence[Path],
    work: Path,
    clips: int,
    plan: PainterPlan,
    out: Path,
    report: Callable[[str], None],
) -> None:
    """Makes broken clips, teaches a painter on them, and writes it.

    Args:
        roots: Folders of pristine recordings.
        work: Where patches and the checkpoint are kept; a second call goes on with them.
        clips: How many.
        plan: How it learns.
        out: A file.
        report: Takes a line now and then.

    Raises:
        MediaNotFoundError: A folder is missing.
        InvalidParameterError: There are too few recordings, or too little damage.
    """
    files = store(recordings_in(roots), work / "patches", clips, plan.seed, False, report)
    if not files:
        raise InvalidParameterError("the clips show too little damage to learn from; make more")
    found = read(files)
    painter = train_painter(found, plan, work, report)
    names = {f["recording"] for f in found.facts}
    about = {"patches": len(found), "recordings": len(names), "clips": len(files), **asdict(plan)}
    out.parent.mkdir(parents=True, exist_ok=True)
    write_painter(painter, out, {name: str(value) for name, value in about.items()})
    report(f"{out}: {len(found)} patches of {len(names)} recordings")
