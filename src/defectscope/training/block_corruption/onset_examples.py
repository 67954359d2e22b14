"""Examples of damage that begins or ends between two frames, for the small head that tells it.

Clips are made as those of the network are, of more codecs. Of each the frames are taken that the
detector would look at, the most sudden ones, those where damage truly begins or ends, and a few at
random; and the same frames of the clip without its damage, so that content cancels out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.blocks import BLOCK_PX, Blocks, both_ways
from defectscope.detectors.block_corruption.measures import Still, still
from defectscope.media.concealment import Concealment
from defectscope.media.pixels import frame_of, to_rgb
from defectscope.simulate.effects.damage_mask import CLEAN, DAMAGED
from defectscope.simulate.effects.drawn_blocks import LOOKS
from defectscope.training.block_corruption import examples
from defectscope.training.block_corruption.grey_slices import GREY_SLICES
from defectscope.training.block_corruption.hard_negatives import HARD_NEGATIVES
from defectscope.training.block_corruption.sources import Yuv
from defectscope.training.contract import Recording

FRAMES = 50
MAX_HEIGHT_PX = 360
# One clip of so many is clean, in turns one of each kind of hard negative.
_CLEAN_EVERY = 4
# A frame counts as damaged from this share on; a clip without a frame twice as bad is left out.
VISIBLE_AREA = 0.005
_LEAST_AREA = 2 * VISIBLE_AREA
# A frame that differs less than this, and is damaged nowhere, is clean.
_TOUCHED_SHARE = 0.02
_WAYS = (
    ("byte_noise", 0.3),
    ("packet_loss", 0.3),
    ("slice_loss", 0.1),
    (GREY_SLICES, 0.14),
    *((look, 0.16 / len(LOOKS)) for look in LOOKS),
)
# Heads learned from AV1, VP9, VP8, MPEG-1 and Motion JPEG as well were no better.
_CODINGS: tuple[tuple[str, Concealment], ...] = (
    ("libx264", "motion"),
    ("libx264", "motion"),
    ("libx265", "motion"),
    ("libx265", "none"),
    ("mpeg2video", "inter"),
    ("mpeg4", "inter"),
    ("libx264", "none"),
)
# Of each clip: the moments of change, the most sudden ones, and others.
_CHANGES, _SUDDEN, _OTHERS = 4, 5, 4
_TILES = (9, 16)


@dataclass(frozen=True, slots=True)
class Look:
    """Two frames, one held against the other.

    Attributes:
        blocks: Of the frame, held against the other.
        damaged: (rows, columns) share of each block that is damaged in the frame.
        other_damaged: Likewise in the other frame.
        touched: Share of it that differs at all in the frame.
        logits: (2,) the network's decisions: the frame's, the other's.
        areas: Damaged share of both frames.
        touched_shares: Share of both that differs at all.
        way: 0 where the frame is the later one of the two.
    """

    blocks: Blocks
    damaged: NDArray[np.float32]
    other_damaged: NDArray[np.float32]
    touched: NDArray[np.float32]
    logits: tuple[float, float]
    areas: tuple[float, float]
    touched_shares: tuple[float, float]
    way: int

    @property
    def new_share(self) -> float:
        """Share of the frame that is damaged where the other is not."""
        return float(np.maximum(self.damaged - self.other_damaged, 0).mean())

    @property
    def is_clean(self) -> bool:
        """Whether nothing is damaged in either."""
        return max(self.areas) == 0 and max(self.touched_shares) <= _TOUCHED_SHARE


def plan_of(recordings: Sequence[Recording], number: int, seed: int) -> examples.ClipPlan:
    """Returns the plan of a clip."""
    rng = np.random.default_rng([seed, number])
    if number % _CLEAN_EVERY == _CLEAN_EVERY - 1:
        kind = HARD_NEGATIVES[number // _CLEAN_EVERY % len(HARD_NEGATIVES)]
        way: tuple[str, str, Concealment] = (kind, "", "motion")
    else:
        names, shares = zip(*_WAYS, strict=True)
        name = str(rng.choice(names, p=shares))
        coding = _CODINGS[int(rng.integers(len(_CODINGS)))]
        way = (name, "", "motion") if name in LOOKS else (name, *coding)
    other = recordings[int(rng.integers(len(recordings)))]
    own = recordings[number % len(recordings)]
    return examples.ClipPlan(own, other, number, *way, FRAMES, 0, 256, seed)


def make(plan: examples.ClipPlan, runtime: Any, path: Path) -> bool:
    """Makes a clip and stores its looks; says whether it shows anything.

    Args:
        plan: Of the clip.
        runtime: The network.
        path: An .npz file.
    """
    made = examples.make(plan)
    areas = np.array([(mask == DAMAGED).mean() for mask in made.masks])
    touched = np.array([(mask != CLEAN).mean() for mask in made.masks])
    if plan.generator not in HARD_NEGATIVES and areas.max() < _LEAST_AREA:
        return False
    rng = np.random.default_rng([plan.seed, plan.number, 1])
    moments, changes = _moments(made.frames, areas, rng)
    arrays: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for frames, at in ((made.frames, moments), (made.intact or [], changes)):
        shown = _Shown(frames)
        for index in at if frames else []:
            (rgb, now), (before_rgb, before) = shown.frame(index), shown.frame(index - 1)
            cells, logits = runtime(rgb, before_rgb)
            ways = both_ways(now, before, cells)
            is_damaged = frames is made.frames
            pair = (index, index - 1)
            for way in (0, 1):
                order = pair if way == 0 else pair[::-1]
                shape = ways[way].features.shape[:2]
                labels = [_labels(made.masks[k], rgb.shape, shape, is_damaged) for k in order]
                stem = str(len(rows))
                arrays[f"features{stem}"] = ways[way].features.astype(np.float16)
                arrays[f"labels{stem}"] = np.stack([labels[0][0], labels[1][0], labels[0][1]])
                rows.append({
                    "way": way,
                    "logits": [float(logits[way]), float(logits[1 - way])],
                    "areas": [float(areas[k]) * is_damaged for k in order],
                    "touched": [float(touched[k]) * is_damaged for k in order],
                })  # fmt: skip
    facts = {"recording": plan.recording.name, "generator": plan.generator, "codec": plan.codec}
    part = path.with_suffix(".part.npz")
    np.savez(part, about=json.dumps({**facts, "looks": rows}), **arrays)
    part.replace(path)
    return True


def read(path: Path) -> tuple[Mapping[str, Any], list[Look]]:
    """Returns what a clip is, and its looks: those of one pair follow each other."""
    with np.load(path) as stored:
        about = json.loads(str(stored["about"]))
        looks: list[Look] = []
        for k, row in enumerate(about["looks"]):
            damaged, other_damaged, touched = stored[f"labels{k}"].astype(np.float32)
            (logit, other_logit), (area, other_area) = row["logits"], row["areas"]
            looks.append(
                Look(
                    Blocks(stored[f"features{k}"].astype(np.float32)),
                    damaged,
                    other_damaged,
                    touched,
                    (logit, other_logit),
                    (area, other_area),
                    (row["touched"][0], row["touched"][1]),
                    row["way"],
                )
            )
    return about, looks


class _Shown:
    """Frames as the detector takes them, each made once."""

    def __init__(self, frames: Sequence[Yuv]) -> None:
        self._frames = frames
        self._kept: dict[int, tuple[NDArray[np.uint8], Still]] = {}

    def frame(self, index: int) -> tuple[NDArray[np.uint8], Still]:
        if index not in self._kept:
            rgb = to_rgb(frame_of(self._frames[index]), MAX_HEIGHT_PX)
            self._kept[index] = rgb, still(rgb)
        return self._kept[index]


def _moments(
    frames: Sequence[Yuv], areas: NDArray[Any], rng: np.random.Generator
) -> tuple[list[int], list[int]]:
    """Returns the moments that are taken, and those of them at which damage begins or ends."""
    rows, columns = _TILES
    luma = [frame[0].astype(np.int16) for frame in frames]
    height, width = (side // count for side, count in zip(luma[0].shape, _TILES, strict=True))
    cut = (slice(0, height * rows), slice(0, width * columns))
    jumps = [0.0]
    for now, before in zip(luma[1:], luma[:-1], strict=True):
        tiles = np.abs(now - before)[cut].reshape(rows, height, columns, width)
        jumps.append(float(tiles.mean(axis=(1, 3)).max()))
    jump = np.array(jumps)
    sides = np.minimum(np.append(jump[:1], jump[:-1]), np.append(jump[1:], 0.0))
    hit = areas >= VISIBLE_AREA
    changes = np.flatnonzero(hit[1:] != hit[:-1]) + 1
    chosen = set(rng.permutation(changes)[:_CHANGES].tolist())
    order = [k for k in np.argsort(sides - jump).tolist() if 0 < k < len(areas) - 1]
    chosen |= set(order[:_SUDDEN])
    chosen |= set(rng.integers(1, len(areas) - 1, _OTHERS).tolist())
    taken = sorted(k for k in chosen if 0 < k < len(areas))
    return taken, [k for k in taken if k in set(changes.tolist())]


def _labels(
    mask: NDArray[Any], size: tuple[int, ...], blocks: tuple[int, ...], is_damaged: bool
) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Returns the share of each block that is damaged, and that differs at all."""
    fine = 4
    at = [
        np.minimum(
            ((np.arange(count * fine) + 0.5) * (BLOCK_PX / fine) / side * labels).astype(int),
            labels - 1,
        )
        for count, side, labels in zip(blocks, size[:2], mask.shape, strict=True)
    ]
    shown = mask[at[0]][:, at[1]].reshape(blocks[0], fine, blocks[1], fine)
    found = [(shown == DAMAGED), (shown != CLEAN)]
    hit, touched = ((each.mean(axis=(1, 3)) * is_damaged).astype(np.float16) for each in found)
    return hit, touched
