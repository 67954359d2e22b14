"""A small conditional generator that paints block corruption as decoders leave it.

A stream that lost bytes shows blocks moved from an earlier frame, wrong coefficients on them, and
smears that follow. The generator begins with the first, blocks of the frame before moved at random
as simple concealment does, and adds what it learned of the rest: how much of the moved block is
seen, and a residual on it. Which blocks, which way of damaging and how strong are inputs; outside
the blocks asked for nothing changes.

Source: Ronneberger, Fischer and Brox 2015 (U-Net); Goodfellow et al. 2014 (generator and critic).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from defectscope.errors import ArtifactError
from defectscope.simulate.effects.bitstream_damage import DAMAGES

KINDS = DAMAGES
# Codes are taken as (code - 128) / _CODE.
CODE = 64.0
# Blocks that move together, and the spread of how far.
_MOVED_PX, _REACH_PX = 16, 6.0
# Noise that is the same all over a block, by sides; what lies within a block has noise of its own.
_NOISE_PX = (8, 16, 1, 1)
_INPUTS = 3 + 3 + 3 + 1 + 1 + len(KINDS) + len(_NOISE_PX)
# Sides of what the network takes are whole multiples of this.
WHOLE_PX = 16

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be painted.

    Attributes:
        intact: (n, 3, height, width) the frame, Y, U, V at full size, in units of the network.
        previous: Likewise, the frame before.
        mask: (n, 1, height, width) 1 where it is to be painted.
        kind: (n,) places in KINDS.
        strength: (n,) mean difference within the mask, in units of the network.
    """

    intact: Tensor
    previous: Tensor
    mask: Tensor
    kind: Tensor
    strength: Tensor


class Painter(nn.Module):
    """The generator: three scales, about 60,000 weights at the default width."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.width = width
        self.first = _Step(_INPUTS, width)
        self.second = _Step(width, 2 * width)
        self.third = _Step(2 * width, 4 * width)
        self.back = _Step(6 * width, 2 * width)
        self.last = _Step(3 * width, width)
        self.out = nn.Conv2d(width, 4, 3, padding=1)

    def forward(self, wish: Wish, generator: torch.Generator | None = None) -> Tensor:
        """Returns (n, 3, height, width): the frame, painted."""
        moved = concealed(wish.previous, generator)
        n, _, height, width = wish.intact.shape
        kind = functional.one_hot(wish.kind, len(KINDS)).float()
        plane = torch.cat([kind, wish.strength[:, None]], 1)[:, :, None, None]
        seen = torch.cat(
            [
                wish.intact, wish.previous, moved, wish.mask,
                plane.expand(n, -1, height, width), _noise(wish.intact, generator),
            ],
            1,
        )  # fmt: skip
        fine = self.first(seen)
        middle = self.second(functional.avg_pool2d(fine, 2))
        coarse = self.third(functional.avg_pool2d(middle, 2))
        up = functional.interpolate(coarse, scale_factor=2.0)
        up = self.back(torch.cat([up, middle], 1))
        up = functional.interpolate(up, scale_factor=2.0)
        found = self.out(self.last(torch.cat([up, fine], 1)))
        share, residual = found[:, :1].sigmoid(), found[:, 1:]
        painted = share * moved + (1 - share) * wish.intact + residual
        painted = painted.clamp(-2.0, 2.0)
        return wish.mask * painted + (1 - wish.mask) * wish.intact


class _Step(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.two = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.one(x), 0.2)
        return functional.leaky_relu(self.two(x), 0.2)


def concealed(previous: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Returns frames whose blocks of 16 pixels come from elsewhere near by, each its own way."""
    n, planes, height, width = previous.shape
    size = (n, 2, -(-height // _MOVED_PX), -(-width // _MOVED_PX))
    shift = torch.randn(size, generator=generator) * _REACH_PX
    # A lost vector is nought as often as not.
    shift = shift * (torch.rand((n, 1, *size[2:]), generator=generator) < 0.7)
    shift = shift.round().long().repeat_interleave(_MOVED_PX, 2).repeat_interleave(_MOVED_PX, 3)
    shift = shift[:, :, :height, :width]
    down = (torch.arange(height)[None, :, None] + shift[:, 0]).clamp(0, height - 1)
    across = (torch.arange(width)[None, None, :] + shift[:, 1]).clamp(0, width - 1)
    at = (down * width + across).flatten(1)[:, None].expand(n, planes, -1)
    return previous.flatten(2).gather(2, at).reshape(previous.shape)


def _noise(like: Tensor, generator: torch.Generator | None) -> Tensor:
    n, _, height, width = like.shape
    out: list[Tensor] = []
    for side in _NOISE_PX:
        plane = torch.randn((n, 1, -(-height // side), -(-width // side)), generator=generator)
        plane = plane.repeat_interleave(side, 2).repeat_interleave(side, 3)
        out.append(plane[:, :, :height, :width])
    return torch.cat(out, 1)


def units(planes: tuple[Bytes, Bytes, Bytes]) -> NDArray[np.float32]:
    """Returns (3, height, width) of a 4:2:0 frame, in units of the network."""
    full = [planes[0], *(p.repeat(2, 0).repeat(2, 1) for p in planes[1:])]
    return (np.stack(full).astype(np.float32) - 128) / CODE


def codes(painted: NDArray[np.float32]) -> tuple[Bytes, Bytes, Bytes]:
    """Returns the 4:2:0 frame of what the network gives."""
    y, u, v = painted * CODE + 128
    small = [
        (p[::2, ::2] + p[1::2, ::2] + p[::2, 1::2] + p[1::2, 1::2]) / 4 for p in (u, v)
    ]  # fmt: skip
    luma, blue, red = (np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in (y, *small))
    return luma, blue, red


def paint_planes(
    painter: Painter,
    planes: Sequence[Bytes],
    previous: Sequence[Bytes],
    mask: NDArray[np.float32],
    kind: str,
    strength: float,
    seed: int,
) -> list[Bytes]:
    """Returns the planes of a 4:2:0 frame with blocks painted on them.

    Args:
        painter: In evaluation mode.
        planes: Y, U, V, 8 bits, even sides.
        previous: The frame before it.
        mask: (height, width) 1 where to paint, in whole blocks of an even side.
        kind: One of KINDS.
        strength: Mean difference of luma within the mask that is asked for, in codes.
        seed: Of the noise.
    """
    out = [plane.copy() for plane in planes]
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return out
    # Only what surrounds the blocks is computed, in whole steps of the network.
    top, bottom, pad_down = _around(rows, mask.shape[0])
    left, right, pad_across = _around(columns, mask.shape[1])
    fill = ((0, 0), (0, pad_down), (0, pad_across))

    def tensor(own: Sequence[Bytes]) -> Tensor:
        full = units((own[0], own[1], own[2]))[:, top:bottom, left:right]
        return torch.from_numpy(np.pad(full, fill, mode="edge"))[None]

    asked = np.pad(mask[None, top:bottom, left:right], fill)
    wish = Wish(
        tensor(planes), tensor(previous), torch.from_numpy(asked)[None],
        torch.tensor([KINDS.index(kind)]), torch.tensor([strength / CODE]),
    )  # fmt: skip
    with torch.inference_mode():
        painted = painter(wish, torch.Generator().manual_seed(seed))[0].numpy()
    own = codes(painted[:, : bottom - top, : right - left])
    for k, plane in enumerate(own):
        step = 1 if k == 0 else 2
        cut = (slice(top // step, bottom // step), slice(left // step, right // step))
        there = mask[top:bottom:step, left:right:step] > 0
        out[k][cut] = np.where(there, plane, out[k][cut])
    return out


def _around(places: NDArray[Any], size: int) -> tuple[int, int, int]:
    """Returns first and last pixel to compute along a side, and how many are to be added."""
    first = max(0, int(places[0]) - WHOLE_PX) // WHOLE_PX * WHOLE_PX
    last = min(size, int(places[-1]) + 1 + WHOLE_PX)
    return first, last, -(last - first) % WHOLE_PX


def load_painter(path: Path) -> Painter:
    """Returns the generator that `defectscope-train painter` wrote.

    Raises:
        ArtifactError: The file is missing, or holds something else.
    """
    from safetensors import safe_open

    try:
        with safe_open(path, "pt") as stored:
            about: Any = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
        painter = Painter(int(about["width"]))
        painter.load_state_dict(tensors)
    except FileNotFoundError:
        raise ArtifactError(f"{path}: missing") from None
    except Exception as error:  # whatever safetensors and PyTorch make of foreign contents
        raise ArtifactError(f"{path}: not a painter of block corruption: {error}") from None
    return painter.eval().requires_grad_(False)
