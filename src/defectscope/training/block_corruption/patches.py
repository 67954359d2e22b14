"""Patches of damaged frames beside the same patches intact, for learning how damage looks.

Clips are made as those of the network are: recordings coded, their streams broken, decoded with
concealment and captured again. Of each clip squares are cut around what is visibly damaged, from
the frame shown and from the one shown before it, both also as the intact stream has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.media.concealment import CONCEALMENTS
from defectscope.simulate.effects.bitstream_damage import DAMAGES
from defectscope.simulate.effects.damage_mask import DAMAGED, LABEL_PX
from defectscope.simulate.effects.drawn_blocks import LOOKS
from defectscope.training.block_corruption.clips import Made
from defectscope.training.block_corruption.examples import CODECS, ClipPlan, crop, make
from defectscope.training.contract import Recording

SIDE_PX = 64
FRAMES = 24
_BLOCKS = SIDE_PX // LABEL_PX
# Frames of a clip, and places in each of them.
_MOMENTS, _PLACES = 6, 8

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Patches:
    """Squares of one way of damaging, as crops that `examples.crop` makes.

    Attributes:
        shown: (patches, 2, 96, 64) the frame shown, and the one shown before it.
        intact: Likewise, without the damage.
        masks: (patches, 2, 8, 8) what is damaged in both, by blocks of LABEL_PX: CLEAN, UNSURE or
            DAMAGED.
        facts: How each was made: recording, generator, codec.
    """

    shown: Bytes
    intact: Bytes
    masks: Bytes
    facts: list[dict[str, str]]

    def __len__(self) -> int:
        return len(self.shown)

    def taken(self, indices: Sequence[int] | NDArray[Any]) -> Patches:
        """Returns some of them."""
        at = np.asarray(indices, np.int64)
        facts = [self.facts[int(k)] for k in at]
        return Patches(self.shown[at], self.intact[at], self.masks[at], facts)


def plan_of(recordings: Sequence[Recording], number: int, seed: int, drawn: bool) -> ClipPlan:
    """Returns the plan of a clip.

    Args:
        recordings: In turns.
        number: Of the clip.
        seed: Of everything that is drawn.
        drawn: Damage is drawn on frames, instead of done to a stream.
    """
    rng = np.random.default_rng([seed, number, int(drawn)])
    ways = LOOKS if drawn else DAMAGES
    own = recordings[number % len(recordings)]
    return ClipPlan(
        own, recordings[int(rng.integers(len(recordings)))], number,
        str(ways[int(rng.integers(len(ways)))]),
        "" if drawn else str(rng.choice(CODECS)),
        cast("Any", CONCEALMENTS[int(rng.integers(len(CONCEALMENTS)))]),
        FRAMES, 0, SIDE_PX, seed + 1000 * drawn,
    )  # fmt: skip


def cut(made: Made, rng: np.random.Generator) -> Patches | None:
    """Returns patches around what is damaged in a clip; None where too little is."""
    if made.intact is None:
        return None
    hits = [k for k in range(1, len(made.masks)) if (made.masks[k] == DAMAGED).sum() >= _BLOCKS]
    rows: dict[str, list[Any]] = {"shown": [], "intact": [], "masks": []}
    for index in rng.permutation(hits)[:_MOMENTS].tolist():
        mask = made.masks[index]
        damaged = np.argwhere(mask == DAMAGED)
        for row, column in rng.permutation(damaged)[:_PLACES]:
            at = np.array([row, column]) - rng.integers(0, _BLOCKS, 2)
            top, left = (int(np.clip(at[k], 0, mask.shape[k] - _BLOCKS)) * LABEL_PX for k in (0, 1))
            pair = (index, index - 1)
            rows["shown"].append([crop(made.frames[k], top, left, SIDE_PX) for k in pair])
            rows["intact"].append([crop(made.intact[k], top, left, SIDE_PX) for k in pair])
            cut_out = (
                slice(top // LABEL_PX, top // LABEL_PX + _BLOCKS),
                slice(left // LABEL_PX, left // LABEL_PX + _BLOCKS),
            )
            rows["masks"].append([made.masks[k][cut_out] for k in pair])
    if not rows["shown"]:
        return None
    arrays = {name: np.asarray(values, np.uint8) for name, values in rows.items()}
    facts = {name: str(made.facts[name]) for name in ("generator", "codec")}
    return Patches(**arrays, facts=[facts] * len(arrays["shown"]))


def store(
    recordings: Sequence[Recording],
    work: Path,
    count: int,
    seed: int,
    drawn: bool,
    report: Callable[[str], None],
) -> list[Path]:
    """Makes the clips of a folder once; a second run goes on with what is missing."""
    work.mkdir(parents=True, exist_ok=True)
    out: list[Path] = []
    for number in range(count):
        path = work / f"{'drawn' if drawn else 'broken'}{number:05d}.npz"
        nothing = path.with_suffix(".none")
        if not path.exists() and not nothing.exists():
            plan = plan_of(recordings, number, seed, drawn)
            found = cut(make(plan), np.random.default_rng([seed, number, 7]))
            if found is None:
                nothing.touch()
            else:
                _write(path, found, plan.recording.name)
            report(f"{number}: {plan.recording.name}, {plan.generator} {plan.codec}")
        if path.exists():
            out.append(path)
    return out


def _write(path: Path, found: Patches, recording: str) -> None:
    part = path.with_suffix(".part.npz")
    about = json.dumps([{**facts, "recording": recording} for facts in found.facts])
    np.savez(part, shown=found.shown, intact=found.intact, masks=found.masks, about=about)
    part.replace(path)


def read(files: Sequence[Path]) -> Patches:
    """Returns the patches of stored clips, in order."""
    parts: list[tuple[Bytes, Bytes, Bytes]] = []
    facts: list[dict[str, str]] = []
    for file in files:
        with np.load(file) as stored:
            parts.append((stored["shown"], stored["intact"], stored["masks"]))
            facts += json.loads(str(stored["about"]))
    shown, intact, masks = (np.concatenate([part[k] for part in parts]) for k in range(3))
    return Patches(shown, intact, masks, facts)
