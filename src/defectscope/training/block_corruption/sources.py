"""Frames to be damaged: intervals of recordings, and stills that a camera pans over."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from defectscope.media.frames import Frame
from defectscope.media.opening import open_media
from defectscope.media.pixels import convert, planes_of

Yuv = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]
STILL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".webm", ".mov", ".mkv", ".mpg", ".mts", ".m2ts", ".mxf", ".ts", ".avi"}
)

# Larger stills are reduced when they are read; no clip shows more of them.
_STILL_SIDE_PX = 2560


def excerpt(
    path: Path, frames: int, size_px: tuple[int, int], rng: np.random.Generator
) -> list[Yuv]:
    """Returns consecutive frames of a recording, cropped to the shape and scaled to the size.

    Args:
        path: A video, or a still that is panned over.
        frames: How many.
        size_px: Height and width, even.
        rng: Chooses where.
    """
    if path.suffix.lower() in STILL_SUFFIXES:
        return _pan(path, frames, size_px, rng)
    with open_media(path) as reader:
        duration_s = reader.info.video_duration_s or reader.info.duration_s
        rate = float(reader.info.video.frame_rate) if reader.info.video else 25.0
        last_s = max(0.0, duration_s - (frames + 2) / rate)
        out: list[Yuv] = []
        for item in reader.read(start_s=float(rng.uniform(0, last_s)), audio=False):
            if isinstance(item, Frame):
                out.append(_scaled(item, size_px))
                if len(out) == frames:
                    break
    # A short recording is shown forth and back.
    while out and len(out) < frames:
        out += out[-2::-1] or out
    return out[:frames]


def _scaled(frame: Frame, size_px: tuple[int, int]) -> Yuv:
    height, width = size_px
    native: Any = frame.native
    shape = native.height / native.width
    # Turn a portrait raster into a landscape one, or the reverse, by cropping its middle.
    if abs(shape - height / width) / shape > 0.1:
        return reframe(_yuv(native, native.height // 2 * 2, native.width // 2 * 2), size_px)
    return _yuv(native, height, width)


def _yuv(native: Any, height: int, width: int) -> Yuv:
    planes = planes_of(convert(native, "yuv420p", width, height), 8)
    y, u, v = (np.array(plane.pixels, np.uint8) for plane in planes)
    return y, u, v


def reframe(frame: Yuv, size_px: tuple[int, int]) -> Yuv:
    """Returns the middle of a frame at another shape and size."""
    height, width = frame[0].shape
    keep_h = min(height, int(width * size_px[0] / size_px[1])) // 2 * 2
    keep_w = min(width, int(height * size_px[1] / size_px[0])) // 2 * 2
    top, left = (height - keep_h) // 4 * 2, (width - keep_w) // 4 * 2
    cut = (
        frame[0][top : top + keep_h, left : left + keep_w],
        frame[1][top // 2 : (top + keep_h) // 2, left // 2 : (left + keep_w) // 2],
        frame[2][top // 2 : (top + keep_h) // 2, left // 2 : (left + keep_w) // 2],
    )
    return resize(cut, size_px)


def resize(frame: Yuv, size_px: tuple[int, int]) -> Yuv:
    """Returns a frame at another size, as a player's or a capture card's scaler does."""
    if frame[0].shape == size_px:
        return frame
    height, width = size_px
    sizes = ((width, height), (width // 2, height // 2), (width // 2, height // 2))
    y, u, v = (
        np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))
        for plane, size in zip(frame, sizes, strict=True)
    )
    return y, u, v


@lru_cache(maxsize=4)
def _still(path: Path) -> Any:
    with Image.open(path) as image:
        image.draft("RGB", (_STILL_SIDE_PX, _STILL_SIDE_PX))
        image = image.convert("RGB")
    image.thumbnail((_STILL_SIDE_PX, _STILL_SIDE_PX), Image.Resampling.BILINEAR)
    return image


def _pan(path: Path, frames: int, size_px: tuple[int, int], rng: np.random.Generator) -> list[Yuv]:
    image = _still(path)
    height, width = size_px
    zoom = float(rng.uniform(0.35, 0.9)) * min(image.width / width, image.height / height)
    zoom = max(zoom, 0.25)
    speed = rng.normal(0, 3.0, 2) * zoom * float(rng.choice([0.0, 1.0, 1.0, 4.0]))
    growth = float(rng.choice([0.0, rng.normal(0, 0.003)]))
    span = np.array([width, height]) * zoom
    room = np.maximum(np.array([image.width, image.height]) - span, 0)
    start = rng.uniform(0, 1, 2) * room
    out: list[Yuv] = []
    for index in range(frames):
        at = start + speed * index
        # Bounce at the borders of the still.
        at = np.abs(np.mod(at, 2 * room + 1e-6) - room * (np.mod(at, 2 * room + 1e-6) > room) * 2)
        at = np.clip(np.where(at > room, 2 * room - at, at), 0, room)
        size = np.minimum(span * max(0.3, 1 + growth * index), [image.width, image.height])
        box = (at[0], at[1], min(at[0] + size[0], image.width), min(at[1] + size[1], image.height))
        view = image.resize((width, height), Image.Resampling.BILINEAR, box=box)
        out.append(from_rgb(view))
    return out


def from_rgb(image: Any) -> Yuv:
    """Returns a PIL image of even size as limited-range 4:2:0 (BT.601)."""
    full = np.asarray(image.convert("YCbCr"))
    y = (16 + full[..., 0].astype(np.float32) * (219 / 255)).round().astype(np.uint8)
    chroma = full[..., 1:].astype(np.float32)
    small = (chroma[::2, ::2] + chroma[1::2, ::2] + chroma[::2, 1::2] + chroma[1::2, 1::2]) / 4
    scaled = (128 + (small - 128) * (224 / 255)).round().astype(np.uint8)
    return y, np.ascontiguousarray(scaled[..., 0]), np.ascontiguousarray(scaled[..., 1])
