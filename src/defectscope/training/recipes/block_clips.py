"""Damaged clips for training: coded, broken, decoded with concealment, and captured again.

Damaged and clean pictures go through the same codecs and the same capture chain, so that nothing
but the damage tells the two apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.concealment import Concealment, decode_as_shown
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import Writer
from defectscope.simulate._bitstream_damage import Harm, break_stream
from defectscope.simulate._drawn_blocks import draw_patches, paint
from defectscope.training.recipes.block_sources import Yuv, resize

RATE = Fraction(25)
# Labels are kept per block of so many pixels; four of them a side make a cell of the network.
LABEL_PX = 8
CLEAN, UNSURE, DAMAGED = 0, 1, 2

# A block is damaged where it differs, by this mean in 8-bit codes, from what should be there, from
# what was there in the pictures just before (a copy of an earlier picture is only stillness) and
# from what should be a few pixels away (leaves that concealment moved a little are still leaves).
# All on pictures reduced to this many pixels a sample, as an eye at some distance sees them.
DAMAGED_CODE = 8.0
UNSURE_CODE = 3.5
_SAMPLE_PX = 4
_EARLIER_FRAMES = (1, 2, 3, 4, 6)

Mask = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Coding:
    """How a clip is coded before it is broken, or when it is captured.

    Attributes:
        codec: FFmpeg's encoder.
        crf: Constant quality of x264 and x265.
        bits_per_px: Bit rate of MPEG-2, per pixel and frame.
        gop_frames: Distance between random access points.
        slices: Slices a picture, for x264.
    """

    codec: str
    crf: float = 23.0
    bits_per_px: float = 0.15
    gop_frames: int = 25
    slices: int = 1

    def encoding(self, size_px: tuple[int, int]) -> VideoEncoding:
        """Gives the writer's form of it."""
        height, width = size_px
        options = {"slices": str(self.slices)} if self.codec == "libx264" else {}
        mpeg2 = self.codec == "mpeg2video"
        return VideoEncoding(
            width,
            height,
            RATE,
            codec=self.codec,
            crf=None if mpeg2 else self.crf,
            bit_rate=int(self.bits_per_px * height * width * RATE) if mpeg2 else None,
            gop_frames=self.gop_frames,
            preset="ultrafast" if self.codec == "libx265" else "superfast",
            options=options,
        )


@dataclass(frozen=True, slots=True)
class Made:
    """A clip after everything that was done to it.

    Attributes:
        frames: What is seen.
        masks: Per frame and block of LABEL_PX: CLEAN, UNSURE or DAMAGED.
        facts: What was done.
    """

    frames: list[Yuv]
    masks: list[Mask]
    facts: dict[str, Any]


def write(path: Path, frames: Sequence[Yuv], coding: Coding) -> None:
    """Codes a clip."""
    encoding = coding.encoding(frames[0][0].shape)
    with Writer(path, video=encoding, container_format="mpegts") as writer:
        for index, planes in enumerate(frames):
            packed = tuple(Plane(np.ascontiguousarray(p), p.shape[1], p.shape[0]) for p in planes)
            writer.write_frame(Frame(index, 1, packed, 8))


def through(frames: Sequence[Yuv], coding: Coding) -> list[Yuv]:
    """Gives a clip after coding and decoding."""
    with tempfile.TemporaryDirectory(prefix="defectscope-clip-") as folder:
        path = Path(folder) / "clip.ts"
        write(path, frames, coding)
        shown = [picture for _, picture in decode_as_shown(path)]
    return shown


def broken(
    frames: Sequence[Yuv],
    coding: Coding,
    harm: Harm,
    concealment: Concealment,
    span: tuple[int, int],
    rng: np.random.Generator,
) -> Made:
    """Gives a clip as a receiver shows it whose stream was damaged in a span of frames."""
    with tempfile.TemporaryDirectory(prefix="defectscope-clip-") as folder:
        intact, damaged = Path(folder) / "intact.ts", Path(folder) / "damaged.ts"
        write(intact, frames, coding)
        clean = list(decode_as_shown(intact))
        first_s = clean[0][0]
        at = Interval(first_s + span[0] / float(RATE), first_s + span[1] / float(RATE))
        break_stream(intact, damaged, at, harm, rng)
        shown = {round(t, 4): picture for t, picture in decode_as_shown(damaged, concealment)}
    pictures = [reduced(picture) for _, picture in clean]
    seen: list[Yuv] = []
    masks: list[Mask] = []
    for index, (time_s, picture) in enumerate(clean):
        fresh = shown.get(round(time_s, 4))
        if fresh is None:
            # Nothing came out for this instant: the player holds what it has.
            seen.append(seen[-1] if seen else picture)
            masks.append(masks[-1] if masks else label(picture, pictures, 0))
            continue
        if fresh[0].shape != picture[0].shape:
            fresh = resize(fresh, picture[0].shape)
        seen.append(fresh)
        masks.append(label(fresh, pictures, index))
    facts = {
        "generator": harm.damage,
        "codec": coding.codec,
        "concealment": concealment,
        "rate": harm.rate,
        "coding": asdict(coding),
    }
    return Made(seen, masks, facts)


def drawn(
    frames: Sequence[Yuv], look: str, span: tuple[int, int], area: float, rng: np.random.Generator
) -> Made:
    """Gives a clip with blocks drawn on it, standing still or drawn anew now and then."""
    size = frames[0][0].shape
    block = (
        int(rng.choice([8, 16, 16, 32, 64])) if rng.random() < 0.7 else int(rng.integers(4, 41)) * 2
    )
    keep = float(rng.choice([0.0, 0.5, 0.85, 1.0]))
    before = frames[max(0, span[0] - int(rng.integers(1, 12)))]
    patches = draw_patches(rng, size, block, area, look)  # pyright: ignore[reportArgumentType]
    seen: list[Yuv] = []
    masks: list[Mask] = []
    clean = [reduced(frame) for frame in frames]
    for index, picture in enumerate(frames):
        if not span[0] <= index < span[1]:
            seen.append(picture)
            masks.append(np.zeros(_blocks(size), np.uint8))
            continue
        if index > span[0] and rng.random() > keep:
            patches = draw_patches(rng, size, block, area, look)  # pyright: ignore[reportArgumentType]
        y, u, v = paint(list(picture), list(before), patches, block)
        seen.append((y, u, v))
        masks.append(label((y, u, v), clean, index))
    facts = {"generator": look, "codec": "", "concealment": "", "rate": area, "block_px": block}
    return Made(seen, masks, facts)


def _blocks(size_px: tuple[int, ...]) -> tuple[int, int]:
    return size_px[0] // LABEL_PX, size_px[1] // LABEL_PX


Reduced = NDArray[np.float32]


def reduced(picture: Yuv) -> Reduced:
    """Gives luma and chroma by samples of _SAMPLE_PX, (3, rows, columns), whole blocks only."""
    rows, columns = (n * LABEL_PX // _SAMPLE_PX for n in _blocks(picture[0].shape))
    out = np.empty((3, rows, columns), np.float32)
    for k, plane in enumerate(picture):
        step = _SAMPLE_PX if k == 0 else _SAMPLE_PX // 2
        cut = plane[: rows * step, : columns * step].reshape(rows, step, columns, step)
        out[k] = cut.mean(axis=(1, 3), dtype=np.float32)
    return out


def _apart(seen: Reduced, other: Reduced) -> NDArray[np.float32]:
    """How far two pictures are apart, per block: the largest mean difference of the planes."""
    step = LABEL_PX // _SAMPLE_PX
    gap = np.abs(seen - other)
    gap = gap.reshape(3, gap.shape[1] // step, step, gap.shape[2] // step, step)
    return gap.mean(axis=(2, 4)).max(axis=0)


def label(seen: Yuv, clean: Sequence[Reduced], index: int) -> Mask:
    """Gives what is damaged in a picture, block by block.

    Args:
        seen: The picture shown.
        clean: The intact clip, reduced.
        index: Which of its pictures should have been shown.
    """
    mine = reduced(seen)
    least = _apart(mine, clean[index])
    out = np.where(least >= UNSURE_CODE, UNSURE, CLEAN).astype(np.uint8)
    suspect = least >= DAMAGED_CODE
    if not suspect.any():
        return out
    for back in _EARLIER_FRAMES:
        if index >= back:
            least = np.minimum(least, _apart(mine, clean[index - back]))
    padded = np.pad(clean[index], ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = mine.shape[1:]
    for down in range(3):
        for across in range(3):
            moved = padded[:, down : down + rows, across : across + columns]
            least = np.minimum(least, _apart(mine, moved))
    out[suspect & (least >= DAMAGED_CODE)] = DAMAGED
    return out


def captured(made: Made, coding: Coding | None, scale: float) -> Made:
    """Gives a clip as a capture chain records it: scaled, then coded once more."""
    frames, masks = made.frames, made.masks
    height, width = frames[0][0].shape
    size = (_side(height, scale), _side(width, scale))
    if size != (height, width):
        frames = [resize(frame, size) for frame in frames]
        masks = [_stretched(mask, _blocks(size)) for mask in masks]
    if coding is not None:
        coded = through(frames, coding)
        # A coder keeps every picture; were one missing, labels would slip against pictures.
        if len(coded) == len(frames):
            frames = coded
    facts = {**made.facts, "capture": None if coding is None else asdict(coding), "scale": scale}
    return Made(frames, masks, facts)


def _stretched(mask: Mask, shape: tuple[int, int]) -> Mask:
    rows = (np.arange(shape[0]) + 0.5) * mask.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * mask.shape[1] / shape[1]
    return mask[rows.astype(int)][:, columns.astype(int)]


def _side(length_px: int, scale: float) -> int:
    return max(272, round(length_px * scale / LABEL_PX) * LABEL_PX)
