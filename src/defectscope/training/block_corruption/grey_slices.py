"""Slices that fade to grey and back: what decoders show whose reference frame is missing.

A missing reference is taken as mid grey; what the stream then adds is a mix of grey and content,
and the mix changes with every frame that is predicted from it. Drawn on intact frames of one
codec, it teaches the look without the stream of the codec that leaves it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.simulate.effects.damage_mask import blocks_of, label, reduced
from defectscope.training.block_corruption.clips import Coding, Made, through
from defectscope.training.block_corruption.sources import Yuv

GREY_SLICES = "grey_slices"
_BLOCKS_PX = (16, 32, 64)
# Share of the frame's blocks that are lost, and the most of a frame that comes before them.
_SHARE, _LATEST_START = (0.02, 0.7), 0.9
# Share of content in the mix, what it gains with every frame, and the most it reaches.
_CONTENT, _GAIN, _MOST_CONTENT = (0.0, 0.9), (-0.02, 0.06), 0.95
# How often a frame keeps the blocks of the frame before.
_KEPT = (0.0, 0.5, 0.85, 1.0, 1.0)
_MID_GREY, _BLACK = (128, 128, 128), (16, 128, 128)
_GREY_SHARE, _STALE_SHARE = 0.8, 0.5


@dataclass(frozen=True, slots=True)
class _Loss:
    """The blocks that are lost: a mask of luma samples, and how much content is left in them."""

    mask: NDArray[np.bool_]
    content: float


def with_grey_slices(
    frames: Sequence[Yuv], coding: Coding, span: tuple[int, int], rng: np.random.Generator
) -> Made:
    """Returns a clip, coded, in a span of whose frames slices mix with grey.

    Args:
        frames: Of the clip.
        coding: How it was coded before.
        span: First frame, and the one after the last.
        rng: Where chance comes from.
    """
    shown = through(frames, coding)
    size = shown[0][0].shape
    block_px = int(rng.choice(_BLOCKS_PX))
    loss = _drawn(size, block_px, rng)
    keep, gain = float(rng.choice(_KEPT)), float(rng.uniform(*_GAIN))
    grey = _MID_GREY if rng.random() < _GREY_SHARE else _BLACK
    stale = (
        shown[max(0, span[0] - int(rng.integers(1, 12)))] if rng.random() < _STALE_SHARE else None
    )
    clean = [reduced(frame) for frame in shown]
    seen: list[Yuv] = []
    masks = [np.zeros(blocks_of(size), np.uint8) for _ in shown]
    for index, frame in enumerate(shown):
        if not span[0] <= index < span[1]:
            seen.append(frame)
            continue
        if index > span[0] and rng.random() > keep:
            loss = _drawn(size, block_px, rng)
        content = float(np.clip(loss.content + gain * (index - span[0]), 0.0, _MOST_CONTENT))
        seen.append(_mixed(frame, frame if stale is None else stale, loss.mask, content, grey))
        masks[index] = label(seen[-1], clean, index)
    facts = {"generator": GREY_SLICES, "codec": coding.codec, "concealment": ""}
    return Made(seen, masks, {**facts, "block_px": block_px}, shown)


def _drawn(size: tuple[int, ...], block_px: int, rng: np.random.Generator) -> _Loss:
    """Draws one run of blocks in coding order."""
    rows, columns = (-(-side // block_px) for side in size)
    lost = np.zeros(rows * columns, bool)
    start = int(rng.integers(0, max(1, int(lost.size * _LATEST_START))))
    share = float(np.exp(rng.uniform(*np.log(_SHARE))))
    lost[start : start + max(1, int(lost.size * share))] = True
    blocks = lost.reshape(rows, columns)
    mask = blocks.repeat(block_px, axis=0).repeat(block_px, axis=1)[: size[0], : size[1]]
    return _Loss(mask, float(rng.uniform(*_CONTENT)))


def _mixed(
    frame: Yuv, source: Yuv, mask: NDArray[np.bool_], content: float, grey: tuple[int, int, int]
) -> Yuv:
    """Returns a frame whose masked samples are a mix of a source and grey."""
    planes: list[NDArray[np.uint8]] = []
    for plane, old, level in zip(frame, source, grey, strict=True):
        down, across = (-(-a // b) for a, b in zip(mask.shape, plane.shape, strict=True))
        lost = mask[::down, ::across][: plane.shape[0], : plane.shape[1]]
        mix = content * old[lost].astype(np.float32) + (1 - content) * level
        out = plane.copy()
        out[lost] = np.clip(np.rint(mix), 0, 255).astype(np.uint8)
        planes.append(out)
    y, u, v = planes
    return y, u, v
