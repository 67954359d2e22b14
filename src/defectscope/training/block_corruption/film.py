"""Harmless frames as films have them: dissolves, smoke, and displays drawn over the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from defectscope.training.block_corruption.sources import Yuv

_Plane = NDArray[np.float32]


def mixed(frame: Yuv, fresh: Yuv, share: float | _Plane) -> Yuv:
    """Returns a frame with another mixed in.

    Args:
        frame: What is there.
        fresh: What comes, same size.
        share: How much of it, 0 to 1: one number, or a luma-sized plane.
    """
    shares = [share] * 3
    if isinstance(share, np.ndarray):
        shares = [share, share[::2, ::2], share[::2, ::2]]
    y, u, v = (
        (a + (b.astype(np.float32) - a) * s).astype(np.uint8)
        for a, b, s in zip(frame, fresh, shares, strict=True)
    )
    return y, u, v


def dissolve(frames: list[Yuv], other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    """One scene turns into another."""
    start = int(rng.integers(0, max(1, len(frames) - 6)))
    long = int(rng.integers(3, 25))
    return [
        mixed(a, b, min(1.0, max(0.0, (k - start) / long)))
        for k, (a, b) in enumerate(zip(frames, other, strict=True))
    ]


def smoke(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    """Smoke, fire or spray: soft clouds that grow, drift and cover parts of the frame."""
    height, width = frames[0][0].shape
    cell = int(rng.integers(16, 97))
    rows, columns = height // cell + 3, width // cell + 3
    clouds = rng.uniform(0, 1, (2, rows, columns)).astype(np.float32)
    drift = rng.normal(0, 6.0, 2)
    pace, dense = float(rng.uniform(0.02, 0.4)), float(rng.uniform(0.5, 1.0))
    tone = (int(rng.integers(30, 236)), int(rng.integers(90, 150)), int(rng.integers(110, 190)))
    out: list[Yuv] = []
    for index, frame in enumerate(frames):
        phase = (index * pace) % 2
        weight = phase if phase < 1 else 2 - phase
        field = Image.fromarray(clouds[0] * (1 - weight) + clouds[1] * weight)
        left, top = (float(v) for v in np.mod(drift * index, 2 * cell) / cell)
        box = (left, top, left + width / cell, top + height / cell)
        thick = np.asarray(field.resize((width, height), Image.Resampling.BICUBIC, box=box))
        alpha = np.clip((thick - 0.45) * 4, 0, 1) * np.float32(dense)
        flat = [np.full(p.shape, t, np.uint8) for p, t in zip(frame, tone, strict=True)]
        out.append(mixed(frame, (flat[0], flat[1], flat[2]), alpha.astype(np.float32)))
    return out


def display(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    """A display drawn over the frame: bars, frames and grids of light that jump about."""
    height, width = frames[0][0].shape
    hold, opaque = int(rng.integers(1, 9)), float(rng.uniform(0.4, 1.0))
    start = 0 if rng.random() < 0.4 else int(rng.integers(0, len(frames)))
    count = int(rng.integers(3, 25))
    tone = (int(rng.integers(80, 236)), int(rng.integers(60, 200)), int(rng.integers(60, 200)))
    shapes = rng.uniform(0, 1, (count, 5))
    alpha = np.zeros((height, width), np.float32)
    out: list[Yuv] = []
    for index, frame in enumerate(frames):
        if index < start:
            out.append(frame)
            continue
        if (index - start) % hold == 0:
            moved = rng.random(count) < 0.5
            shapes[moved] = rng.uniform(0, 1, (int(moved.sum()), 5))
            sheet = Image.new("L", (width, height), 0)
            pen = ImageDraw.Draw(sheet)
            for y, x, h, w, kind in shapes.tolist():
                top, left = int(y * height), int(x * width)
                box = (left, top, left + int(w * w * width), top + 2 + int(h * h * 0.4 * height))
                if kind < 0.45:
                    pen.rectangle(box, outline=255)
                elif kind < 0.7:
                    pen.rectangle(box, fill=int(120 + 135 * h))
                else:
                    for step in range(left, box[2], max(4, int(16 * h))):
                        pen.line((step, top, step, box[3]), fill=220)
            alpha = np.asarray(sheet, np.float32) * np.float32(opaque / 255)
        flat = [np.full(p.shape, t, np.uint8) for p, t in zip(frame, tone, strict=True)]
        out.append(mixed(frame, (flat[0], flat[1], flat[2]), alpha))
    return out
