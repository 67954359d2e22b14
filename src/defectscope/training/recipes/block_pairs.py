"""Cached pairs of pictures as the network takes them: measured once, varied at every draw."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from defectscope.detectors.block_corruption.network import INPUTS, POOL_PX, measures
from defectscope.simulate._damage_mask import CLEAN, DAMAGED, LABEL_PX, UNSURE
from defectscope.training.contract import CacheView, Split

# What `measures` gives: the picture's colours, the earlier ones, and of all others which of the
# picture belongs to which of the one before.
_NOW, _BEFORE = slice(0, 3), slice(3, 6)
_SWAPPED = [3, 4, 5, 0, 1, 2, 6, 9, 10, 7, 8, 11, 12, 14, 13]
_OWN = [0, 1, 2, 7, 8, 13]
_EARLIER = [3, 4, 5, 9, 10, 14]
_CHANGE = [6, 11, 12]
# Source: ITU-R BT.601-7, 2.5.1.
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)[:, None, None]

Pair = tuple[NDArray[Any], NDArray[np.uint8]]


class MeasuredPairs:
    """What the network takes of every cached pair, kept once it has been measured.

    Measuring costs about as much as a training step does, and gain, saturation, mirroring, cropping
    to whole squares and turning time back commute with it: they are done on what was measured. A
    cache of 6,000 pairs takes about 1 GB of memory.

    Args:
        stored_px: Side of the crops in the cache.
    """

    def __init__(self, stored_px: int) -> None:
        self._stored_px = stored_px
        self._kept: dict[tuple[int, Split, int, bool], Pair] = {}

    def get(self, cache: CacheView, split: Split, index: int, *, halved: bool = False) -> Pair:
        """Gives measures (INPUTS, rows, columns) and labels by block of 8 px (2, rows, columns).

        Args:
            cache: Where the pair is.
            split: Of which split.
            index: Which pair.
            halved: The pair at half its size, as a detector sees high definition.
        """
        key = (id(cache), split, index, halved)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = self._measure(cache, split, index, halved=halved)
        return kept

    def _measure(self, cache: CacheView, split: Split, index: int, *, halved: bool) -> Pair:
        yuv = unpacked(cache.array(split, index, "yuv"), 0, 0, self._stored_px)
        mask = cache.array(split, index, "mask")
        rgb = to_rgb(torch.from_numpy(yuv).float())
        if halved:
            rgb = functional.avg_pool2d(rgb, 2)
            mask = halved_labels(mask)
        # Codes as a detector gets them.
        rgb = rgb.round()
        found = measures(rgb[:1], rgb[1:])[0]
        return found.numpy().astype(np.float16), np.array(mask)


def halved_labels(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Gives labels (2, rows, columns) for pictures of half the size: damaged from half on."""
    two, rows, columns = mask.shape
    squares = mask.reshape(two, rows // 2, 2, columns // 2, 2)
    damaged = (squares == DAMAGED).mean(axis=(2, 4)) >= 0.5
    touched = (squares != CLEAN).any(axis=(2, 4))
    return np.where(damaged, DAMAGED, np.where(touched, UNSURE, CLEAN)).astype(np.uint8)


def draw(pair: Pair, side_blocks: int, rng: np.random.Generator) -> Pair:
    """Gives a pair cropped, mirrored, with time turned back or standing still, at random.

    Args:
        pair: Measures and labels.
        side_blocks: Side of the crop in blocks of 8 px.
        rng: Where chance comes from.
    """
    measured, mask = pair
    per_block = LABEL_PX // POOL_PX
    row, column = (int(v) for v in rng.integers(0, mask.shape[1] - side_blocks + 1, 2))
    side = side_blocks * per_block
    top, left = row * per_block, column * per_block
    out = measured[:, top : top + side, left : left + side]
    mask = mask[:, row : row + side_blocks, column : column + side_blocks]
    if rng.random() < 0.5:
        out, mask = out[..., ::-1], mask[..., ::-1]
    chance = rng.random()
    if chance < 0.15:  # damage looks the same backwards
        out, mask = out[_SWAPPED], mask[::-1]
    elif chance < 0.21:  # nothing came before, or the picture stood still
        out, mask = still(out), mask[[0, 0]]
    return out, mask


def still(measured: NDArray[Any]) -> NDArray[Any]:
    """Gives measures (..., INPUTS, rows, columns) of a picture that nothing came before."""
    out = np.array(measured)
    out[..., _EARLIER, :, :] = out[..., _OWN, :, :]
    out[..., _CHANGE, :, :] = 0
    return out


def varied(measured: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    """Gives measures as they are after a change of contrast, brightness and colour."""
    out = measured.astype(np.float32)
    gain, lift = float(rng.uniform(0.8, 1.2)), float(rng.uniform(-16, 16))
    colour = 0.0 if rng.random() < 0.06 else float(rng.uniform(0.5, 1.3))
    for own in (_NOW, _BEFORE):
        luma = (out[own] * _LUMA).sum(axis=0, keepdims=True)
        out[own] = np.clip((luma + colour * (out[own] - luma)) * gain + lift, 0, 255)
    out[6:] *= gain
    return out


def stacked(pairs: list[Pair]) -> Pair:
    """Gives pairs as one array of measures and one of labels."""
    side = pairs[0][0].shape[1]
    assert side % (32 // POOL_PX) == 0, "crops hold whole cells"
    measured = np.empty((len(pairs), INPUTS, side, side), np.float32)
    masks = np.empty((len(pairs), *pairs[0][1].shape), np.uint8)
    for k, (each, mask) in enumerate(pairs):
        measured[k], masks[k] = each, mask
    return measured, masks


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


def to_rgb(yuv: torch.Tensor) -> torch.Tensor:
    """Gives RGB codes of limited-range YUV (..., 3, height, width).

    Source: ITU-R BT.601-7, 2.5 (the equations, and the ranges of the codes).
    """
    y = (yuv[..., 0:1, :, :] - 16) * (255 / 219)
    u = (yuv[..., 1:2, :, :] - 128) * (255 / 224)
    v = (yuv[..., 2:3, :, :] - 128) * (255 / 224)
    rgb = torch.cat([y + 1.402 * v, y - 0.344136 * u - 0.714136 * v, y + 1.772 * u], dim=-3)
    return rgb.clamp(0, 255)
