"""Harmless frames that look like block corruption, or change as suddenly as it does."""

from __future__ import annotations

import string

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from defectscope.training.block_corruption.film import display, dissolve, smoke
from defectscope.training.block_corruption.sources import Yuv, from_rgb, resize

HARD_NEGATIVES = (
    "plain",
    "cut",
    "flash",
    "censor",
    "mosaic",
    "credits",
    "banner",
    "pixel_art",
    "grain",
    "judder",
    "window",
    "fade",
    "dissolve",
    "smoke",
    "display",
)
# Those that show a second recording.
JOINED = ("cut", "window", "dissolve")


def hard_negative(
    kind: str, frames: list[Yuv], other: list[Yuv], rng: np.random.Generator
) -> list[Yuv]:
    """Returns a clean clip dressed as one of ALIKES.

    Args:
        kind: One of ALIKES.
        frames: The clip.
        other: Another clip of the same length and size, for JOINED.
        rng: Where chance comes from.
    """
    makers = {
        "cut": _cut,
        "flash": _flash,
        "censor": _censor,
        "mosaic": _mosaic,
        "credits": _credits,
        "banner": _banner,
        "pixel_art": _pixel_art,
        "grain": _grain,
        "judder": _judder,
        "window": _window,
        "fade": _fade,
        "dissolve": dissolve,
        "smoke": smoke,
        "display": display,
    }
    return makers[kind](frames, other, rng) if kind in makers else frames


def _levels(frame: Yuv, gain: float, lift: float) -> Yuv:
    y = np.clip((frame[0].astype(np.float32) - 16) * gain + 16 + lift, 16, 235)
    out = [y.astype(np.uint8)]
    for plane in frame[1:]:
        out.append(np.clip((plane.astype(np.float32) - 128) * gain + 128, 16, 240).astype(np.uint8))
    return out[0], out[1], out[2]


def _cut(frames: list[Yuv], other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    out: list[Yuv] = []
    source, index = 0, 0
    while len(out) < len(frames):
        run = int(rng.integers(2, 16))
        out += (frames, other)[source][index : index + run]
        index, source = index + run, 1 - source
    return out[: len(frames)]


def _flash(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    out = list(frames)
    for start in rng.integers(0, len(frames), 4):
        gain, lift = float(rng.uniform(0.6, 2.0)), float(rng.uniform(-20, 120))
        for index in range(start, min(len(frames), start + int(rng.integers(1, 5)))):
            out[index] = _levels(out[index], gain, lift)
    return out


def _fade(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    slope = float(rng.uniform(0.5, 1.5)) / len(frames)
    order = range(len(frames)) if rng.random() < 0.5 else range(len(frames) - 1, -1, -1)
    gains = {k: max(0.0, 1 - slope * i) for i, k in enumerate(order)}
    return [_levels(frame, gains[k], 0.0) for k, frame in enumerate(frames)]


def _pixelate(frame: Yuv, box: tuple[int, int, int, int], block_px: int) -> Yuv:
    """Averages blocks inside a box (top, left, bottom, right), as censors do."""
    out: list[NDArray[np.uint8]] = []
    for index, plane in enumerate(frame):
        scale = 1 if index == 0 else 2
        top, left, bottom, right = (v // scale for v in box)
        block = max(1, block_px // scale)
        part = plane[top:bottom, left:right]
        if part.size:
            small = (max(1, part.shape[1] // block), max(1, part.shape[0] // block))
            coarse = Image.fromarray(np.ascontiguousarray(part)).resize(small, Image.Resampling.BOX)
            plane = plane.copy()
            plane[top:bottom, left:right] = np.asarray(
                coarse.resize((part.shape[1], part.shape[0]), Image.Resampling.NEAREST)
            )
        out.append(plane)
    return out[0], out[1], out[2]


def _censor(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    height, width = frames[0][0].shape
    block = int(rng.integers(3, 20)) * 2
    h, w = (int(rng.uniform(0.1, 0.45) * v) for v in (height, width))
    at = rng.uniform(0, 1, 2) * [height - h, width - w]
    speed = rng.normal(0, 1.5, 2) * float(rng.random() < 0.6)
    start = 0 if rng.random() < 0.6 else int(rng.integers(0, len(frames)))
    out: list[Yuv] = []
    for index, frame in enumerate(frames):
        top, left = np.clip(at + speed * index, 0, [height - h, width - w]).astype(int)
        box = (int(top), int(left), int(top) + h, int(left) + w)
        out.append(_pixelate(frame, box, block) if index >= start else frame)
    return out


def _mosaic(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    block = int(rng.integers(3, 16)) * 2
    height, width = frames[0][0].shape
    return [_pixelate(frame, (0, 0, height, width), block) for frame in frames]


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _words(rng: np.random.Generator, count: int) -> str:
    letters = list(string.ascii_letters + string.digits + "    .,-")
    return "".join(rng.choice(letters, count))


def _overlay(
    frame: Yuv, image: Image.Image, alpha: NDArray[np.float32], at: tuple[int, int]
) -> Yuv:
    """Lays a frame of even size over another at an even place."""
    drawn = from_rgb(image)
    out: list[NDArray[np.uint8]] = []
    for index, (plane, own) in enumerate(zip(frame, drawn, strict=True)):
        scale = 1 if index == 0 else 2
        top, left = at[0] // scale, at[1] // scale
        part_alpha = alpha if index == 0 else alpha[::2, ::2]
        part = plane[top : top + own.shape[0], left : left + own.shape[1]]
        mask, fresh = (
            part_alpha[: part.shape[0], : part.shape[1]],
            own[: part.shape[0], : part.shape[1]],
        )
        plane = plane.copy()
        mixed = part * (1 - mask) + fresh * mask
        plane[top : top + own.shape[0], left : left + own.shape[1]] = mixed.astype(np.uint8)
        out.append(plane)
    return out[0], out[1], out[2]


def _credits(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    height, width = frames[0][0].shape
    size = int(rng.uniform(0.03, 0.09) * height)
    tall = height * 2
    roll = Image.new("RGB", (width, tall), (0, 0, 0))
    pen = ImageDraw.Draw(roll)
    tint = tuple(int(v) for v in rng.integers(150, 256, 3))
    for row in range(0, tall, int(size * 1.6)):
        text = _words(rng, int(rng.integers(4, 30)))
        pen.text((int(rng.uniform(0.02, 0.4) * width), row), text, tint, font=_font(size))
    pixels = np.asarray(roll)
    speed = float(rng.choice([0.0, 1.0, 2.0, 3.5]))
    plain = rng.random() < 0.4
    out: list[Yuv] = []
    for index, frame in enumerate(frames):
        top = int(speed * index) % height
        view = np.ascontiguousarray(pixels[top : top + height])
        alpha = (
            np.ones((height, width), np.float32) if plain else view.max(axis=2) / np.float32(255)
        )
        out.append(_overlay(frame, Image.fromarray(view), alpha.astype(np.float32), (0, 0)))
    return out


def _banner(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    height, width = frames[0][0].shape
    h, w = int(rng.uniform(0.06, 0.3) * height) // 2 * 2, int(rng.uniform(0.15, 1) * width) // 2 * 2
    image = Image.new("RGB", (w, h), tuple(int(v) for v in rng.integers(0, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 4))):
        x0, y0 = int(rng.integers(0, w)), int(rng.integers(0, h))
        box = (x0, y0, x0 + int(rng.integers(1, w)), y0 + int(rng.integers(1, h)))
        pen.rectangle(box, fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    text = _words(rng, int(rng.integers(5, 40)))
    pen.text((4, h // 4), text, (255, 255, 255), font=_font(max(8, h // 2)))
    at = (
        int(rng.integers(0, height - h + 1)) // 2 * 2,
        int(rng.integers(0, width - w + 1)) // 2 * 2,
    )
    alpha = np.full((h, w), float(rng.uniform(0.6, 1)), np.float32)
    start = int(rng.integers(0, len(frames)))
    end = start + int(rng.integers(8, len(frames) + 8))
    return [_overlay(f, image, alpha, at) if start <= k < end else f for k, f in enumerate(frames)]


def _pixel_art(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    height, width = frames[0][0].shape
    cell = int(rng.integers(3, 13)) * 2
    rows, columns = height // cell + 2, width // cell + 2
    palette = rng.integers(0, 256, (int(rng.integers(3, 10)), 3), dtype=np.uint8)
    coarse = rng.integers(0, len(palette), (rows // 3 + 1, columns // 3 + 1))
    ground = np.kron(coarse, np.ones((3, 3), int))[:rows, :columns]
    sprites = rng.integers(0, len(palette), (4, 4, 4))
    places = rng.uniform(0, 1, (4, 2)) * [rows - 4, columns - 4]
    steps = rng.normal(0, 0.4, (4, 2))
    scroll = int(rng.choice([0, 0, 1, 2])) * 2
    out: list[Yuv] = []
    for index in range(len(frames)):
        board = np.roll(ground, -(scroll * index // cell), axis=1).copy()
        for sprite, place, step in zip(sprites, places, steps, strict=True):
            top, left = np.mod(place + step * index, [rows - 4, columns - 4]).astype(int)
            board[top : top + 4, left : left + 4] = sprite
        image = np.kron(palette[board], np.ones((cell, cell, 1), np.uint8))
        out.append(from_rgb(Image.fromarray(np.ascontiguousarray(image[:height, :width]))))
    return out


def _grain(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    sigma = float(rng.uniform(3, 14))
    out: list[Yuv] = []
    for y, u, v in frames:
        noise = rng.standard_normal(y.shape, np.float32) * sigma
        out.append((np.clip(y + noise, 0, 255).astype(np.uint8), u, v))
    return out


def _judder(frames: list[Yuv], _other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    """Frames held and skipped, as a stuttering player shows them."""
    out: list[Yuv] = []
    while len(out) < len(frames):
        out += [frames[len(out)]] * int(rng.integers(1, 6))
    return out[: len(frames)]


def _window(frames: list[Yuv], other: list[Yuv], rng: np.random.Generator) -> list[Yuv]:
    """A second programme in a window or beside the first, perhaps appearing suddenly."""
    height, width = frames[0][0].shape
    h, w = (int(rng.uniform(0.2, 0.6) * v) // 2 * 2 for v in (height, width))
    top, left = int(rng.integers(0, height - h)) // 2 * 2, int(rng.integers(0, width - w)) // 2 * 2
    start = 0 if rng.random() < 0.4 else int(rng.integers(0, len(frames)))
    out: list[Yuv] = []
    for index, (frame, second) in enumerate(zip(frames, other, strict=True)):
        if index < start:
            out.append(frame)
            continue
        planes = [plane.copy() for plane in frame]
        for k, small in enumerate(resize(second, (h, w))):
            s = 1 if k == 0 else 2
            planes[k][top // s : (top + h) // s, left // s : (left + w) // s] = small
        out.append((planes[0], planes[1], planes[2]))
    return out
