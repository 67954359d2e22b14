"""Clips made up for the player: a moving scene with one fault, and where the fault is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS = 640, 360, 25
FRAMES = 150
FIRST, LAST = 65, 100  # the fault's frames, where it lasts

Planes = list[NDArray[np.uint8]]


@dataclass(frozen=True)
class Truth:
    """What is wrong in a clip: detector, kind, and [start_s, end_s)."""

    detector: str
    kind: str
    start_s: float
    end_s: float


def scene(
    seed: int = 5, frames: int = FRAMES, width: int = WIDTH, height: int = HEIGHT
) -> Iterator[Planes]:
    """Yields I420 frames: a textured background under a slow pan, coloured discs that drift."""
    rng = np.random.default_rng(seed)
    wide = width + 4 * frames
    coarse = rng.integers(60, 190, (height // 24 + 2, wide // 24 + 2)).astype(np.float64)
    rows = np.linspace(0, coarse.shape[0] - 1.001, height)
    columns = np.linspace(0, coarse.shape[1] - 1.001, wide)
    background = _blended(coarse, rows, columns)
    tint = [
        _blended(rng.integers(100, 157, coarse.shape).astype(float), rows, columns) for _ in "uv"
    ]
    discs = [
        (
            rng.uniform(0, width),
            rng.uniform(0, height),
            rng.uniform(-5, 5, 2),
            rng.uniform(30, 70),
            rng.integers(40, 216, 3),
        )
        for _ in range(6)
    ]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    noise = rng.normal(0, 1.5, (4, height, width))
    for index in range(frames):
        shift = 3 * index
        planes = [plane[:, shift : shift + width].copy() for plane in (background, *tint)]
        for left, top, speed, radius, color in discs:
            # Discs turn back at the edges: nothing jumps.
            cx = abs((left + speed[0] * index) % (2 * width) - width)
            cy = abs((top + speed[1] * index) % (2 * height) - height)
            inside = (x - cx) ** 2 + (y - cy) ** 2 < radius**2
            for plane, code in zip(planes, color, strict=True):
                plane[inside] = code
        planes[0] += np.roll(noise[index % 4], 7 * index, axis=1)
        luma = np.clip(np.rint(planes[0]), 16, 235).astype(np.uint8)
        chroma = [np.clip(np.rint(p[::2, ::2]), 16, 240).astype(np.uint8) for p in planes[1:]]
        yield [luma, *chroma]


def _blended(coarse: NDArray[Any], rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[Any]:
    r, c = rows.astype(int), columns.astype(int)
    a, b = (rows - r)[:, None], (columns - c)[None, :]
    top = coarse[r][:, c] * (1 - b) + coarse[r][:, c + 1] * b
    bottom = coarse[r + 1][:, c] * (1 - b) + coarse[r + 1][:, c + 1] * b
    return np.asarray(top * (1 - a) + bottom * a)


def _black(frames: list[Planes]) -> None:
    for planes in frames[FIRST:LAST]:
        planes[0][:], planes[1][:], planes[2][:] = 16, 128, 128


def _freeze(frames: list[Planes]) -> None:
    frames[FIRST:LAST] = [frames[FIRST]] * (LAST - FIRST)


def _stutter(frames: list[Planes]) -> None:
    for first in (70, 84):
        frames[first : first + 5] = [frames[first]] * 5


def _blocky(frames: list[Planes]) -> None:
    for planes in frames[FIRST:LAST]:
        luma = planes[0].astype(np.float64)
        height, width = luma.shape[0] // 8 * 8, luma.shape[1] // 8 * 8
        blocks = luma[:height, :width].reshape(height // 8, 8, width // 8, 8)
        flat = np.broadcast_to(blocks.mean(axis=(1, 3), keepdims=True), blocks.shape)
        planes[0][:height, :width] = np.rint(0.85 * flat + 0.15 * blocks).reshape(height, width)


def _cast(frames: list[Planes]) -> None:
    for planes in frames[FIRST:LAST]:
        planes[1] = np.clip(planes[1].astype(int) + 18, 16, 240).astype(np.uint8)
        planes[2] = np.clip(planes[2].astype(int) - 12, 16, 240).astype(np.uint8)


def _loss(frames: list[Planes]) -> None:
    for planes in frames[FIRST:LAST]:
        planes[1][:], planes[2][:] = 128, 128


def _swap(frames: list[Planes]) -> None:
    for planes in frames[FIRST:LAST]:
        planes[1], planes[2] = planes[2].copy(), planes[1].copy()


def _range(frames: list[Planes]) -> None:
    for planes in frames[FIRST:LAST]:
        stretched = (planes[0].astype(np.float64) - 125.5) * 255 / 219 + 125.5
        planes[0] = np.clip(np.rint(stretched), 0, 255).astype(np.uint8)
        for i in (1, 2):
            wide = (planes[i].astype(np.float64) - 128) * 255 / 224 + 128
            planes[i] = np.clip(np.rint(wide), 0, 255).astype(np.uint8)


# How long each must last to be told, seconds.
MIN_DURATION_S = {
    "black_frames": 0.0,
    "freeze": 0.3,
    "stutter": 0.16,
    "compression_blockiness": 0.6,
    "color_error": 0.2,
}

FAULTS: dict[str, tuple[Callable[[list[Planes]], None], Truth]] = {
    "black": (_black, Truth("black_frames", "black_frames", FIRST / FPS, LAST / FPS)),
    "freeze": (_freeze, Truth("freeze", "freeze", FIRST / FPS, LAST / FPS)),
    # The frame that stands has its own time; then two holds of four frames.
    "stutter": (_stutter, Truth("stutter", "repeat", 71 / FPS, 89 / FPS)),
    "blockiness": (
        _blocky,
        Truth("compression_blockiness", "compression_blockiness", FIRST / FPS, LAST / FPS),
    ),
    "cast": (_cast, Truth("color_error", "cast", FIRST / FPS, LAST / FPS)),
    "chroma_loss": (_loss, Truth("color_error", "chroma_loss", FIRST / FPS, LAST / FPS)),
    "chroma_swap": (_swap, Truth("color_error", "chroma_swap", FIRST / FPS, LAST / FPS)),
    "illegal_range": (_range, Truth("color_error", "illegal_range", FIRST / FPS, LAST / FPS)),
}


def write(path: Path, frames: list[Planes], crf: int = 12, fps: int = FPS) -> None:
    """Encodes I420 frames as H.264 in MP4."""
    height, width = frames[0][0].shape
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast", "g": str(2 * fps), "bf": "0"}
        for index, (luma, u, v) in enumerate(frames):
            packed = np.concatenate([plane.reshape(-1) for plane in (luma, u, v)])
            frame = av.VideoFrame.from_ndarray(
                packed.reshape(height * 3 // 2, width), format="yuv420p"
            )
            frame.pts, frame.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make(folder: Path, seed: int = 5) -> dict[str, Path]:
    """Writes a clip for each fault, and `clean`."""
    made: dict[str, Path] = {}
    clean = list(scene(seed))
    for name in ("clean", *FAULTS):
        frames = [[plane.copy() for plane in planes] for planes in clean]
        if name in FAULTS:
            FAULTS[name][0](frames)
        made[name] = folder / f"{name}.mp4"
        write(made[name], frames)
    return made


def enlarge(source: Path, target: Path, width: int, height: int) -> None:
    """Writes a clip again at another size."""
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "20", "preset": "ultrafast"}
        for frame in given.decode(video=0):
            larger = frame.reformat(width, height, "yuv420p")
            larger.pts, larger.time_base = frame.pts, frame.time_base
            made.mux(stream.encode(larger))
        made.mux(stream.encode(None))
