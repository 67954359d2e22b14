"""Damaged clips for training: coded, broken, decoded with concealment, and captured again.

Damaged and clean frames go through the same codecs and the same capture chain, so that nothing
but the damage tells the two apart.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.findings import Interval
from defectscope.media.concealment import Concealment, decode_as_shown
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import Writer
from defectscope.simulate.effects.bitstream_damage import Harm, break_stream, container_of
from defectscope.simulate.effects.damage_mask import LABEL_PX, Mask, blocks_of, label, reduced
from defectscope.simulate.effects.drawn_blocks import Look, Patch, draw_patches, paint
from defectscope.training.block_corruption.sources import Yuv, resize

RATE = Fraction(25)
# Codecs that predict no frame from another need more bits.
_TIMES_RATE = {"mjpeg": 5}


@dataclass(frozen=True, slots=True)
class Coding:
    """How a clip is coded before it is broken, or when it is captured.

    Attributes:
        codec: FFmpeg's encoder.
        crf: Constant quality of x264 and x265.
        bits_per_px: Bit rate of the others, per pixel and frame.
        gop_frames: Distance between random access points.
        slices: Slices a frame, for x264.
    """

    codec: str
    crf: float = 23.0
    bits_per_px: float = 0.15
    gop_frames: int = 25
    slices: int = 1

    def encoding(self, size_px: tuple[int, int]) -> VideoEncoding:
        """Returns the writer's form of it."""
        height, width = size_px
        options = {"slices": str(self.slices)} if self.codec == "libx264" else {}
        rate = self.bits_per_px * _TIMES_RATE.get(self.codec, 1)
        by_rate = self.codec not in ("libx264", "libx265")
        return VideoEncoding(
            width,
            height,
            RATE,
            codec=self.codec,
            crf=None if by_rate else self.crf,
            bit_rate=int(rate * height * width * RATE) if by_rate else None,
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
        intact: The same frames without the damage, None where none was done.
    """

    frames: list[Yuv]
    masks: list[Mask]
    facts: dict[str, Any]
    intact: list[Yuv] | None = None


def write(path: Path, frames: Sequence[Yuv], coding: Coding) -> None:
    """Codes a clip."""
    encoding = coding.encoding(frames[0][0].shape)
    with Writer(path, video=encoding, container_format=container_of(coding.codec)) as writer:
        for index, planes in enumerate(frames):
            packed = tuple(Plane(np.ascontiguousarray(p), p.shape[1], p.shape[0]) for p in planes)
            writer.write_frame(Frame(index, 1, packed, 8))


def through(frames: Sequence[Yuv], coding: Coding) -> list[Yuv]:
    """Returns a clip after coding and decoding."""
    with tempfile.TemporaryDirectory(prefix="defectscope-clip-") as folder:
        path = Path(folder) / "clip.ts"
        write(path, frames, coding)
        shown = [intact_frame for _, intact_frame in decode_as_shown(path)]
    return shown


def broken(
    frames: Sequence[Yuv],
    coding: Coding,
    harm: Harm,
    concealment: Concealment,
    span: tuple[int, int],
    rng: np.random.Generator,
) -> Made:
    """Returns a clip as a receiver shows it whose stream was damaged in a span of frames."""
    with tempfile.TemporaryDirectory(prefix="defectscope-clip-") as folder:
        intact, damaged = Path(folder) / "intact.ts", Path(folder) / "damaged.ts"
        write(intact, frames, coding)
        clean = list(decode_as_shown(intact))
        first_s = clean[0][0]
        at = Interval(first_s + span[0] / float(RATE), first_s + span[1] / float(RATE))
        container = container_of(coding.codec)
        break_stream(intact, damaged, at, harm, rng, container_format=container)
        shown = {
            round(t, 4): intact_frame for t, intact_frame in decode_as_shown(damaged, concealment)
        }
    reduced_frames = [reduced(intact_frame) for _, intact_frame in clean]
    seen: list[Yuv] = []
    masks: list[Mask] = []
    for index, (time_s, intact_frame) in enumerate(clean):
        fresh = shown.get(round(time_s, 4))
        if fresh is None:
            # Nothing came out for this instant: the player holds what it has.
            seen.append(seen[-1] if seen else intact_frame)
            masks.append(masks[-1] if masks else label(intact_frame, reduced_frames, 0))
            continue
        if fresh[0].shape != intact_frame[0].shape:
            fresh = resize(fresh, intact_frame[0].shape)
        repeated = bool(seen) and np.array_equal(fresh[0], seen[-1][0])
        seen.append(fresh)
        # A frame that the decoder repeats is late, and damaged as it was before.
        masks.append(masks[-1] if repeated else label(fresh, reduced_frames, index))
    facts = {
        "generator": harm.damage,
        "codec": coding.codec,
        "concealment": concealment,
        "rate": harm.rate,
        "coding": asdict(coding),
    }
    return Made(seen, masks, facts, [frame for _, frame in clean])


def drawn(
    frames: Sequence[Yuv], look: Look, span: tuple[int, int], area: float, rng: np.random.Generator
) -> Made:
    """Returns a clip with blocks drawn on it, standing still or drawn anew now and then."""
    size = frames[0][0].shape
    block = (
        int(rng.choice([8, 16, 16, 32, 64])) if rng.random() < 0.7 else int(rng.integers(4, 41)) * 2
    )
    keep = float(rng.choice([0.0, 0.5, 0.85, 1.0, 1.0]))
    before = frames[max(0, span[0] - int(rng.integers(1, 12)))]
    patches = _patches(rng, size, block, area, look)
    seen: list[Yuv] = []
    masks: list[Mask] = []
    clean = [reduced(frame) for frame in frames]
    for index, intact_frame in enumerate(frames):
        if not span[0] <= index < span[1]:
            seen.append(intact_frame)
            masks.append(np.zeros(blocks_of(size), np.uint8))
            continue
        if index > span[0] and rng.random() > keep:
            patches = _patches(rng, size, block, area, look)
        y, u, v = paint(list(intact_frame), list(before), patches, block)
        seen.append((y, u, v))
        masks.append(label((y, u, v), clean, index))
    facts = {"generator": look, "codec": "", "concealment": "", "rate": area, "block_px": block}
    return Made(seen, masks, facts, list(frames))


def _patches(
    rng: np.random.Generator, size: tuple[int, int], block: int, area: float, look: Look
) -> list[Patch]:
    """Draws patches anywhere, or one time in five in a band from side to side."""
    if rng.random() >= 0.2:
        return draw_patches(rng, size, block, area, look)
    height, width = size
    tall = max(block, round(float(rng.uniform(0.05, 0.35)) * height) // block * block)
    share = float(rng.uniform(0.4, 1.0))
    # At the bottom two times in five: what comes last in a frame is lost most.
    top = height - tall if rng.random() < 0.4 else int(rng.integers(0, height - tall + 1))
    drawn_on = draw_patches(rng, (tall, width), block, share, look)
    return [replace(p, row_px=p.row_px + top // 2 * 2) for p in drawn_on]


def captured(made: Made, coding: Coding | None, scale: float) -> Made:
    """Returns a clip as a capture chain records it: scaled, then coded once more."""
    frames, masks, intact = made.frames, made.masks, made.intact
    height, width = frames[0][0].shape
    size = (_side(height, scale), _side(width, scale))
    if size != (height, width):
        frames = [resize(frame, size) for frame in frames]
        masks = [_resized(mask, blocks_of(size)) for mask in masks]
        intact = [resize(frame, size) for frame in intact] if intact is not None else None
    if coding is not None:
        coded = through(frames, coding)
        # A coder keeps every frame; were one missing, labels would slip against frames.
        if len(coded) == len(frames):
            frames = coded
        if intact is not None:
            same = through(intact, coding)
            intact = same if len(same) == len(frames) == len(coded) else None
    facts = {**made.facts, "capture": None if coding is None else asdict(coding), "scale": scale}
    return Made(frames, masks, facts, intact)


def _resized(mask: Mask, shape: tuple[int, int]) -> Mask:
    rows = (np.arange(shape[0]) + 0.5) * mask.shape[0] / shape[0]
    columns = (np.arange(shape[1]) + 0.5) * mask.shape[1] / shape[1]
    return mask[rows.astype(int)][:, columns.astype(int)]


def _side(length_px: int, scale: float) -> int:
    return max(272, round(length_px * scale / LABEL_PX) * LABEL_PX)
