"""Pairs of frames for training: cached ones, cropped, scaled and varied anew at every draw.

Some cached pairs without damage are dressed up: blocks are drawn on them, labelled as the simulator
labels its own, or something harmless appears that is as sudden. Either is coded again afterwards,
so that nothing but the damage tells the two apart.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from defectscope.simulate.effects.damage_mask import (
    CLEAN,
    DAMAGED,
    LABEL_PX,
    UNSURE,
    label,
    reduced,
)
from defectscope.simulate.effects.drawn_blocks import LOOKS, draw_patches, paint
from defectscope.training.block_corruption.grafts import (
    FILLS,
    damaged_blocks,
    filled,
    grafted,
    lost,
)
from defectscope.training.block_corruption.hard_negatives import HARD_NEGATIVES, hard_negative
from defectscope.training.block_corruption.sources import Yuv

# A harmless thing that shows from the first frame of a pair on needs no drawing at every draw:
# the cache has those. These appear, jump or change.
_SUDDEN = tuple(kind for kind in HARD_NEGATIVES if kind not in ("plain", "judder"))
# Sides of the blocks that are drawn, in pixels of the cached crops.
_BLOCKS_PX = (8, 16, 16, 16, 24, 32, 64)
_FINE = 4

Pair = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True, slots=True)
class Raw:
    """Two frames as they are cached: the frame, then the one before it.

    Attributes:
        yuv: (2, 3/2 side, side), luma above U and V side by side.
        mask: (2, rows, columns) labels by block of LABEL_PX.
    """

    yuv: NDArray[np.uint8]
    mask: NDArray[np.uint8]

    def planes(self, index: int) -> Yuv:
        """Returns one of the frames as planes."""
        side = self.yuv.shape[2]
        own = self.yuv[index]
        return own[:side], own[side:, : side // 2], own[side:, side // 2 :]

    def with_planes(self, now: Yuv, before: Yuv, mask: NDArray[np.uint8]) -> Raw:
        """Returns other frames of the same size."""
        both = [np.concatenate([y, np.concatenate([u, v], axis=1)]) for y, u, v in (now, before)]
        return Raw(np.stack(both), mask)


def damaged(raw: Raw, rng: np.random.Generator) -> Raw:
    """Returns a pair with blocks drawn on one frame or both, and their labels."""
    now, before = raw.planes(0), raw.planes(1)
    size = (raw.yuv.shape[2], raw.yuv.shape[2])
    block = int(rng.choice(_BLOCKS_PX))
    area = float(np.exp(rng.uniform(np.log(0.01), np.log(0.5))))
    look = LOOKS[int(rng.integers(len(LOOKS)))]
    patches = draw_patches(rng, size, block, area, look)
    path = rng.random()  # begins: 0.4, ends: 0.2, stays: 0.25, is drawn anew: 0.15
    on_now, on_before = path < 0.4 or path >= 0.6, path >= 0.4
    out_now, out_before = now, before
    if on_before:
        first, second, third = paint(list(before), list(now), patches, block)
        out_before = (first, second, third)
    if path >= 0.85:
        patches = draw_patches(rng, size, block, area, look)
    if on_now:
        first, second, third = paint(list(now), list(before), patches, block)
        out_now = (first, second, third)
    return _labelled(raw, out_now, out_before)


def refilled(raw: Raw, rng: np.random.Generator) -> Raw:
    """Returns a clean pair of which blocks were lost and filled, and their labels."""
    side = raw.yuv.shape[2]
    block = int(rng.choice((8, 16, 16, 16, 32)))
    fill = str(rng.choice(FILLS))
    area = float(np.exp(rng.uniform(np.log(0.01), np.log(0.6))))
    path = rng.random()
    on_now, on_before = path < 0.45 or path >= 0.65, path >= 0.45
    blocks, seed = lost(side, block, area, rng), int(rng.integers(2**63))
    out: list[Yuv] = []
    for index, damaged_too in ((1, on_before), (0, on_now)):
        own = raw.planes(index)
        # What stays stays as it is: prediction hands it on from frame to frame.
        own_rng = np.random.default_rng(seed)
        out.append(filled(own, blocks, fill, block, own_rng) if damaged_too else own)
    return _labelled(raw, out[1], out[0])


def transplanted(raw: Raw, donor: Raw, rng: np.random.Generator) -> Raw:
    """Returns a clean pair with the damage of another pair in it, and its labels."""
    mirrored = bool(rng.random() < 0.5)
    now, before = (
        grafted(
            raw.planes(k), donor.planes(k), damaged_blocks(donor.mask[k], rng), mirrored=mirrored
        )
        for k in range(2)
    )
    return _labelled(raw, now, before)


def _labelled(raw: Raw, now: Yuv, before: Yuv) -> Raw:
    """Returns a clean pair with other frames, labelled by what can be seen of the difference."""
    clean = [reduced(raw.planes(1)), reduced(raw.planes(0))]
    return raw.with_planes(now, before, np.stack([label(now, clean, 1), label(before, clean, 0)]))


def dressed(raw: Raw, other: Raw, rng: np.random.Generator) -> Raw:
    """Returns a clean pair in which something harmless appears, jumps or changes."""
    kind = str(rng.choice(_SUDDEN))
    pair = [raw.planes(1), raw.planes(0)]
    mates = [other.planes(1), other.planes(0)]
    if kind == "cut" or (kind == "dissolve" and rng.random() < 0.5):
        return raw.with_planes(pair[1], mates[0], np.zeros_like(raw.mask))
    before, now = hard_negative(kind, pair, mates, rng)
    return raw.with_planes(now, before, np.zeros_like(raw.mask))


def drawn(raw: Raw, side_px: int, smallest: float, rng: np.random.Generator) -> Pair:
    """Returns a pair scaled, cropped, mirrored, with time turned back or standing still, at random.

    Args:
        raw: The cached pair.
        side_px: Side of the crop.
        smallest: Least scale, of the cached crop's size.
        rng: Where chance comes from.

    Returns:
        RGB (2, 3, side, side) and labels (2, side / 8, side / 8).
    """
    full = raw.yuv.shape[2]
    scale = 1.0 if rng.random() < 0.2 else float(rng.uniform(smallest, 1.0))
    wide = max(side_px, round(full * scale))
    rgb = to_rgb(torch.from_numpy(unpacked(raw.yuv)).float())
    if wide != full:
        rgb = functional.interpolate(rgb, (wide, wide), mode="bilinear", antialias=True)
    top, left = (int(v) for v in rng.integers(0, wide - side_px + 1, 2))
    rgb = rgb[:, :, top : top + side_px, left : left + side_px]
    mask = relabelled(raw.mask, full / wide, top, left, side_px)
    out = rgb.round().clamp(0, 255).to(torch.uint8).numpy()
    if rng.random() < 0.5:
        out, mask = out[..., ::-1], mask[..., ::-1]
    chance = rng.random()
    if chance < 0.15:  # damage looks the same backwards
        out, mask = out[::-1], mask[::-1]
    elif chance < 0.19:  # nothing came before, or the frame stood still
        out, mask = out[[0, 0]], mask[[0, 0]]
    return out, mask


def relabelled(
    mask: NDArray[np.uint8], per_px: float, top: int, left: int, side_px: int
) -> NDArray[np.uint8]:
    """Returns labels by block of a crop of a scaled frame: damaged from half of a block on.

    Args:
        mask: (2, rows, columns) labels by block of the frame as it was.
        per_px: Pixels it had for each it has now.
        top: First row of the crop.
        left: First column of the crop.
        side_px: Side of the crop.
    """
    if per_px == 1 and top % LABEL_PX == 0 and left % LABEL_PX == 0:
        rows, columns, count = top // LABEL_PX, left // LABEL_PX, side_px // LABEL_PX
        return mask[:, rows : rows + count, columns : columns + count]
    step = LABEL_PX / _FINE
    at = (np.arange(side_px // LABEL_PX * _FINE) + 0.5) * step
    rows, columns = (
        np.minimum(((at + first) * per_px / LABEL_PX).astype(int), mask.shape[1] - 1)
        for first in (top, left)
    )
    fine = mask[:, rows][:, :, columns]
    count = side_px // LABEL_PX
    squares = fine.reshape(2, count, _FINE, count, _FINE)
    hit = (squares == DAMAGED).mean(axis=(2, 4)) >= 0.5
    touched = (squares != CLEAN).any(axis=(2, 4))
    return np.where(hit, DAMAGED, np.where(touched, UNSURE, CLEAN)).astype(np.uint8)


def varied(rgb: NDArray[np.uint8], rng: np.random.Generator, *, coded: bool) -> NDArray[np.uint8]:
    """Returns frames after a change of contrast, brightness and colour, perhaps coded again.

    Args:
        rgb: (2, 3, height, width).
        rng: Where chance comes from.
        coded: They have to be: something was drawn on them after they were coded.
    """
    gain, lift = float(rng.uniform(0.8, 1.2)), float(rng.uniform(-16, 16))
    colour = 0.0 if rng.random() < 0.06 else float(rng.uniform(0.5, 1.3))
    out = rgb.astype(np.float32)
    luma = np.tensordot(_LUMA, out, axes=(0, 1))[:, None]
    out = np.clip((luma + colour * (out - luma)) * gain + lift, 0, 255).astype(np.uint8)
    if rng.random() < (0.7 if coded else 0.1):
        quality = int(rng.integers(35, 96))
        return np.stack([_coded(frame, quality) for frame in out])
    return out


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def _coded(frame: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0)))
    image.save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file)).transpose(2, 0, 1)


def unpacked(yuv: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns stored pairs as (2, 3, side, side), chroma at luma's resolution."""
    side = yuv.shape[2]
    half = side // 2
    out = np.empty((2, 3, side, side), np.uint8)
    out[:, 0] = yuv[:, :side]
    for k in range(2):
        plane = yuv[:, side:, k * half : (k + 1) * half]
        out[:, 1 + k] = plane.repeat(2, axis=1).repeat(2, axis=2)
    return out


def to_rgb(yuv: torch.Tensor) -> torch.Tensor:
    """Returns RGB codes of limited-range YUV (..., 3, height, width).

    Source: ITU-R BT.601-7, 2.5 (the equations, and the ranges of the codes).
    """
    y = (yuv[..., 0:1, :, :] - 16) * (255 / 219)
    u = (yuv[..., 1:2, :, :] - 128) * (255 / 224)
    v = (yuv[..., 2:3, :, :] - 128) * (255 / 224)
    rgb = torch.cat([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], dim=-3)
    return rgb.clamp(0, 255)


def cached(cache: Any, split: str, index: int) -> Raw:
    """Returns a pair as it lies in the cache."""
    return Raw(
        cast("NDArray[np.uint8]", cache.array(split, index, "yuv")),
        cast("NDArray[np.uint8]", cache.array(split, index, "mask")),
    )


def intact(cache: Any, split: str, index: int) -> Raw | None:
    """Returns the pair that would have been there without the damage, None where none is kept."""
    if not cache.facts(split)[index].get("intact"):
        return None
    own = cast("NDArray[np.uint8]", cache.array(split, index, "intact"))
    mask = cast("NDArray[np.uint8]", cache.array(split, index, "mask"))
    return Raw(own, np.zeros_like(mask))
