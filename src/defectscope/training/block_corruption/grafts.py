"""Damage for training that no recording has to be damaged for: grafts, and what decoders make up.

A network that has seen each kind of damage on few recordings learns the recordings. Here the
damage of one cached pair is set into another, clean one, and blocks are filled as decoders fill
them that have lost the residual, the prediction or the colour. The simulator's own ways of drawing
(`_drawn_blocks`) are left to it; none of these is used to measure anything.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED, LABEL_PX
from defectscope.training.block_corruption.sources import Yuv

Blocks = NDArray[np.bool_]

# How lost blocks are filled: edges drawn out, coefficients of nothing in particular, the colour of
# elsewhere.
FILLS = ("smeared", "coefficients", "colour")


def damaged_blocks(mask: NDArray[np.uint8], rng: np.random.Generator) -> Blocks:
    """Returns which blocks of a damaged frame to take: the damaged and most of what adjoins them.

    Args:
        mask: (rows, columns) labels by block of LABEL_PX.
        rng: Where chance comes from.
    """
    hit = mask == DAMAGED
    if not hit.any():
        return hit
    # Whole macroblocks more often than not: that is what is lost.
    if rng.random() < 0.7:
        hit = hit.reshape(hit.shape[0] // 2, 2, -1, 2).any(axis=(1, 3)).repeat(2, 0).repeat(2, 1)
    grown = ndimage.binary_dilation(hit) if rng.random() < 0.3 else hit
    return hit | (grown & (mask != CLEAN))


def grafted(host: Yuv, donor: Yuv, blocks: Blocks, *, mirrored: bool) -> Yuv:
    """Returns the host with blocks of the donor in it.

    Args:
        host: Planes, 4:2:0.
        donor: Planes of the same size.
        blocks: (rows, columns) which of LABEL_PX to take.
        mirrored: The donor is mirrored first, blocks and all.
    """
    if mirrored:
        blocks = blocks[:, ::-1]
    out: list[NDArray[np.uint8]] = []
    for index, (own, other) in enumerate(zip(host, donor, strict=True)):
        where = _samples(blocks, index)
        other = other[:, ::-1] if mirrored else other
        out.append(np.where(where, other, own))
    return out[0], out[1], out[2]


def lost(size_px: int, block_px: int, share: float, rng: np.random.Generator) -> Blocks:
    """Returns blocks that a decoder lost: runs in coding order, (rows, columns) of LABEL_PX.

    Args:
        size_px: Side of the frame.
        block_px: Side of a coding block, a multiple of LABEL_PX.
        share: About how much of the frame.
        rng: Where chance comes from.
    """
    side = size_px // block_px
    hit = np.zeros(side * side, bool)
    wanted = max(1, round(share * side * side))
    while hit.sum() < wanted:
        run = int(rng.integers(1, max(2, wanted + 1)))
        first = int(rng.integers(0, side * side))
        hit[first : first + run] = True
    step = block_px // LABEL_PX
    return hit.reshape(side, side).repeat(step, 0).repeat(step, 1)


def filled(frame: Yuv, blocks: Blocks, fill: str, block_px: int, rng: np.random.Generator) -> Yuv:
    """Returns a frame whose lost blocks are filled one of FILLS' ways.

    Args:
        frame: Planes, 4:2:0.
        blocks: (rows, columns) of LABEL_PX.
        fill: One of FILLS.
        block_px: Side of a coding block.
        rng: Where chance comes from; the same state gives the same contents.
    """
    across = bool(rng.random() < 0.5)
    share, strength = float(rng.uniform(0.02, 0.3)), float(np.exp(rng.uniform(2.5, 5.0)))
    tint = rng.uniform(20, 100, 2) * rng.choice([-1, 1], 2)
    out: list[NDArray[np.uint8]] = []
    for index, plane in enumerate(frame):
        where = _samples(blocks, index)
        side = block_px if index == 0 else block_px // 2
        if fill == "smeared":
            made = _smeared(plane, where, across)
        elif fill == "coefficients":
            weaker = strength if index == 0 else strength * float(rng.uniform(0, 1))
            made = _coefficients(plane, side, share, weaker, rng)
        else:
            made = plane if index == 0 else plane + tint[index - 1]
        out.append(np.where(where, np.clip(made, 0, 255), plane).astype(np.uint8))
    return out[0], out[1], out[2]


def _samples(blocks: Blocks, index: int) -> Blocks:
    """Returns which samples of a plane belong to blocks: 0 is luma, the others half as wide."""
    step = LABEL_PX if index == 0 else LABEL_PX // 2
    return blocks.repeat(step, 0).repeat(step, 1)


def _smeared(plane: NDArray[np.uint8], lost: Blocks, across: bool) -> NDArray[np.uint8]:
    """Draws the last samples before a lost interval on through it, down or across."""
    if across:
        return _smeared(plane.T, lost.T, False).T
    rows = np.arange(len(plane))[:, None]
    # Of each sample, the last row at or above it that is not lost; the first row stands in.
    last = np.maximum.accumulate(np.where(lost, 0, rows), axis=0)
    return np.take_along_axis(plane, last, axis=0)


def _coefficients(
    plane: NDArray[np.uint8], side: int, share: float, strength: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Adds waves of the discrete cosine transform to every block of a plane."""
    rows, columns = plane.shape[0] // side, plane.shape[1] // side
    # Damaged coefficients are mostly coarse ones: fine ones cost the most bits.
    order = np.add.outer(np.arange(side), np.arange(side))
    odds = np.clip(4 * share * np.exp(-order / (0.5 * side)), 0, 1)
    chosen = rng.random((rows, columns, side, side)) < odds
    waves = chosen * rng.normal(0, strength, chosen.shape)
    k = np.arange(side)
    basis = np.cos(np.pi * (k[:, None] + 0.5) * k / side)
    drawn = np.einsum("xu,rcuv,yv->rxcy", basis, waves, basis, optimize=True)
    return plane + drawn.reshape(plane.shape)
