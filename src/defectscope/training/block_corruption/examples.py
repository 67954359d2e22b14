"""Examples of block corruption for the cache: pairs of consecutive frames with their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from defectscope.media.concealment import CONCEALMENTS, Concealment
from defectscope.simulate.effects.bitstream_damage import DAMAGES, Damage, Harm
from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED, LABEL_PX
from defectscope.simulate.effects.drawn_blocks import LOOKS
from defectscope.training.block_corruption.clips import (
    Coding,
    Made,
    broken,
    captured,
    drawn,
)
from defectscope.training.block_corruption.grey_slices import GREY_SLICES, with_grey_slices
from defectscope.training.block_corruption.hard_negatives import (
    HARD_NEGATIVES,
    JOINED,
    hard_negative,
)
from defectscope.training.block_corruption.sources import Yuv, excerpt
from defectscope.training.contract import Item, Recording, Split

# Encoders of the streams that are broken: those whose slices can be told apart, and others with
# their shares.
CODECS = ("libx264", "mpeg2video", "libx265")
_OTHER_CODECS = {
    "libvpx-vp9": 0.3, "libsvtav1": 0.3, "libvpx": 0.12, "mpeg4": 0.12, "mjpeg": 0.08,
    "mpeg1video": 0.08,
}  # fmt: skip
EVERY_CODEC = (*CODECS, *_OTHER_CODECS)
_OTHER_DAMAGES: tuple[Damage, ...] = ("byte_noise", "packet_loss")
# Heights of the frames that are broken; widths are 16:9.
_HEIGHTS_PX = (288, 360, 360, 432, 540, 720)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What training never sees, so that transfer can be measured.

    Attributes:
        generator: A way of damaging.
        codec: An encoder whose streams are damaged.
        concealment: A setting of the decoder.
    """

    generator: str
    codec: str
    concealment: str


@dataclass(frozen=True, slots=True)
class ClipPlan:
    """One clip to make.

    Attributes:
        recording: What it shows.
        other: What cuts lead to.
        number: Which of the recording's clips it is.
        generator: A way of damaging, or one of ALIKES for a clean one.
        codec: Encoder of the damaged stream.
        concealment: Setting of the decoder.
        frames: Frames.
        pairs: Pairs taken from it.
        crop_px: Side of a crop.
        seed: Of everything that is drawn.
    """

    recording: Recording
    other: Recording
    number: int
    generator: str
    codec: str
    concealment: Concealment
    frames: int
    pairs: int
    crop_px: int
    seed: int

    @property
    def key(self) -> str:
        """Unique over the cache."""
        return f"{self.recording.name}#{self.number}"

    def rng(self) -> np.random.Generator:
        """Returns the generator of the clip."""
        digest = hashlib.sha256(f"{self.seed}\0{self.key}".encode()).digest()
        return np.random.default_rng(list(digest[:16]))


def choose(
    split: Split, left_out: LeftOut, rng: np.random.Generator
) -> tuple[str, str, Concealment]:
    """Draws generator, codec and concealment; the left-out ones only for the test split."""
    clean_share = 0.35
    if rng.random() < clean_share:
        return str(rng.choice(HARD_NEGATIVES, p=_HARD_NEGATIVE_SHARES)), "", CONCEALMENTS[0]
    held = split == "test"
    damages = [d for d in DAMAGES if held or d != left_out.generator]
    looks = [look for look in (*LOOKS, GREY_SLICES) if held or look != left_out.generator]
    generator = str(rng.choice(damages if rng.random() < 0.66 else looks))
    codec = str(rng.choice([c for c in CODECS if held or c != left_out.codec]))
    settings: list[Concealment] = [c for c in CONCEALMENTS if held or c != left_out.concealment]
    return generator, codec, settings[int(rng.integers(len(settings)))]


def choose_other(
    split: Split, left_out: LeftOut, rng: np.random.Generator
) -> tuple[str, str, Concealment]:
    """Draws a way of damaging a stream of one of the other codecs; nothing is left out of test."""
    held = split == "test"
    damages = [d for d in _OTHER_DAMAGES if held or d != left_out.generator]
    shares = {c: p for c, p in _OTHER_CODECS.items() if held or c != left_out.codec}
    codec = str(rng.choice(list(shares), p=np.array(list(shares.values())) / sum(shares.values())))
    return str(rng.choice(damages)), codec, CONCEALMENTS[0]


# Share of the clips that are damaged from end to end.
_LASTING_SHARE = 0.2
_HARD_NEGATIVE_SHARES = np.array([5.0, *[1.0] * (len(HARD_NEGATIVES) - 1)]) / (
    len(HARD_NEGATIVES) + 4
)


def make(plan: ClipPlan) -> Made:
    """Makes the clip of a plan."""
    rng = plan.rng()
    height = int(rng.choice(_HEIGHTS_PX))
    size = (height, height * 16 // 9 // 16 * 16)
    frames = excerpt(plan.recording.path, plan.frames, size, rng)
    start = int(rng.integers(4, plan.frames // 2))
    long = int(rng.integers(1, 4)) if rng.random() < 0.3 else int(rng.integers(4, plan.frames))
    span = (start, min(plan.frames, start + long))
    # Damage that was there before the clip began and goes on after it: nothing tells it but its
    # looks. (A stream needs a whole first frame.)
    if rng.random() < _LASTING_SHARE:
        span = (0 if plan.generator in LOOKS else 1, plan.frames)
    if plan.generator in HARD_NEGATIVES:
        other = frames
        if plan.generator in JOINED:
            other = excerpt(plan.other.path, plan.frames, size, rng)
        seen = hard_negative(plan.generator, frames, other, rng)
        shape = (size[0] // LABEL_PX, size[1] // LABEL_PX)
        blank = [np.zeros(shape, np.uint8) for _ in seen]
        made = Made(seen, blank, {"generator": plan.generator, "codec": "", "concealment": ""})
    elif plan.generator in LOOKS:
        area = float(np.exp(rng.uniform(np.log(0.004), np.log(0.6))))
        # A second of cuts makes damage harder to tell from sudden changes.
        if rng.random() < 0.15:
            other = excerpt(plan.other.path, plan.frames, size, rng)
            frames = hard_negative("cut", frames, other, rng)
        made = drawn(frames, plan.generator, span, area, rng)
    elif plan.generator == GREY_SLICES:
        made = with_grey_slices(frames, _coding(plan.codec, rng), span, rng)
    else:
        made = broken(
            frames,
            _coding(plan.codec, rng),
            _harm(cast("Damage", plan.generator), rng),
            plan.concealment,
            span,
            rng,
        )
    return captured(made, *_capture(rng))


def _coding(codec: str, rng: np.random.Generator) -> Coding:
    return Coding(
        codec,
        crf=float(rng.uniform(17, 32)),
        bits_per_px=float(np.exp(rng.uniform(np.log(0.05), np.log(0.4)))),
        gop_frames=int(rng.integers(8, 50)),
        slices=int(rng.choice([1, 1, 2, 4, 8])),
    )


def _harm(damage: Damage, rng: np.random.Generator) -> Harm:
    def between(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    if damage == "byte_noise":
        return Harm("byte_noise", between(1e-4, 1e-2))
    if damage == "slice_loss":
        return Harm("slice_loss", between(0.05, 0.9))
    return Harm("packet_loss", between(0.01, 0.3), between(1.0, 8.0))


def _capture(rng: np.random.Generator) -> tuple[Coding | None, float]:
    scale = 1.0 if rng.random() < 0.5 else float(rng.uniform(0.6, 1.6))
    draw = rng.random()
    if draw < 0.12:
        return None, scale
    if draw < 0.24:
        return Coding("mpeg2video", bits_per_px=float(rng.uniform(0.1, 0.4)), gop_frames=12), scale
    # As the web had it: MPEG-4 and VP8 at rates that leave blocks, rings and smears of their own.
    if draw < 0.38:
        codec = "mpeg4" if draw < 0.31 else "libvpx"
        low = float(np.exp(rng.uniform(np.log(0.015), np.log(0.12))))
        return Coding(codec, bits_per_px=low, gop_frames=int(rng.integers(12, 100))), scale
    # One in eight is coded so hard that it shows blocks of its own.
    crf = float(rng.uniform(33, 42) if rng.random() < 0.12 else rng.uniform(14, 30))
    return Coding("libx264", crf=crf, gop_frames=int(rng.integers(12, 100))), scale


def items(plan: ClipPlan) -> Iterator[Item]:
    """Makes the clip and gives its pairs: where damage begins and ends, inside it, and outside."""
    made = make(plan)
    rng = plan.rng()
    areas = np.array([(mask == DAMAGED).mean() for mask in made.masks])
    for number, index in enumerate(_moments(areas, plan.pairs, rng)):
        back = 2 if rng.random() < 0.15 and index >= 2 else 1
        masks = [made.masks[index], made.masks[index - back]]
        top, left = _place(masks, plan.crop_px, rng)
        blocks = plan.crop_px // LABEL_PX
        cut = [
            m[top // LABEL_PX :, left // LABEL_PX :][:blocks, :blocks].astype(np.uint8)
            for m in masks
        ]
        pair = [crop(made.frames[k], top, left, plan.crop_px) for k in (index, index - back)]
        facts: dict[str, Any] = {
            **made.facts,
            "recording": plan.recording.name,
            "frame": index,
            "frame_area": float(areas[index]),
            "previous_area": float(areas[index - back]),
            "damaged": [float((m == DAMAGED).mean()) for m in cut],
            "unsure": [float((m != CLEAN).mean()) for m in cut],
        }
        arrays = {"yuv": np.stack(pair), "mask": np.stack(cut)}
        if made.intact is not None and max(facts["damaged"]) > 0:
            arrays["intact"] = np.stack(
                [crop(made.intact[k], top, left, plan.crop_px) for k in (index, index - back)]
            )
        facts["intact"] = "intact" in arrays
        yield Item(f"{plan.key}/{number}", plan.recording.split, arrays, facts)


def _moments(areas: Any, count: int, rng: np.random.Generator) -> list[int]:
    later = np.arange(1, len(areas))
    hit = areas > 0
    kinds = [
        later[hit[1:] & ~hit[:-1]],
        later[~hit[1:] & hit[:-1]],
        later[hit[1:] & hit[:-1]],
        later[~hit[1:] & ~hit[:-1]],
    ]
    shares = (1, 1, count - 4, 2) if hit.any() else (0, 0, 0, count)
    out: list[int] = []
    for moments, share in zip(kinds, shares, strict=True):
        out += [int(m) for m in rng.permutation(moments)[:share]]
    return out


def _place(masks: Sequence[Any], side_px: int, rng: np.random.Generator) -> tuple[int, int]:
    """Where to crop: three times in four around a damaged block, if there is one."""
    rows, columns = masks[0].shape
    blocks = side_px // LABEL_PX
    hits = np.argwhere((masks[0] == DAMAGED) | (masks[1] == DAMAGED))
    if len(hits) and rng.random() < 0.75:
        row, column = hits[int(rng.integers(len(hits)))]
        row, column = row - int(rng.integers(blocks)), column - int(rng.integers(blocks))
    else:
        row, column = int(rng.integers(rows)), int(rng.integers(columns))
    top = int(np.clip(row, 0, rows - blocks)) * LABEL_PX
    return top, int(np.clip(column, 0, columns - blocks)) * LABEL_PX


def crop(frame: Yuv, top: int, left: int, side_px: int) -> Any:
    """Returns a square of a frame as one array: luma, then U and V side by side below it."""
    half = side_px // 2
    out = np.empty((side_px + half, side_px), np.uint8)
    out[:side_px] = frame[0][top : top + side_px, left : left + side_px]
    for k, plane in enumerate(frame[1:]):
        part = plane[top // 2 : top // 2 + half, left // 2 : left // 2 + half]
        out[side_px:, k * half : (k + 1) * half] = part
    return out
