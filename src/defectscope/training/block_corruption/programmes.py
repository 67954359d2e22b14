"""Whole programmes to decide on: clips with their labels, and what is measured in them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pickle
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np

from defectscope.detectors import load
from defectscope.detectors.block_corruption import BlockCorruption
from defectscope.engine import measure
from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.measurements import Measurements, Table
from defectscope.media import open_media
from defectscope.media.concealment import Concealment
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.stream import StreamInfo
from defectscope.media.writer import Writer
from defectscope.simulate.effects.damage_mask import DAMAGED
from defectscope.temporal.tables import column, times_s
from defectscope.training import corpora
from defectscope.training.block_corruption import examples as block_examples
from defectscope.training.block_corruption.hard_negatives import HARD_NEGATIVES
from defectscope.training.block_corruption.recipe import BlockCorruptionSettings
from defectscope.training.block_corruption.sources import STILL_SUFFIXES, VIDEO_SUFFIXES
from defectscope.training.contract import Recording

NAME = "block_corruption"
FRAMES, RATE_FPS = 150, 25
# A frame counts as visibly damaged from this share of its area on.
VISIBLE_AREA = 0.005
# An event is over when the frame has been whole for longer than the detector bridges.
BRIDGE_FRAMES = 10
# A frame counts as clean when nothing in it is damaged and less than this differs at all.
TOUCHED_SHARE = 0.02
MIN_IOU = 0.5
# Codec and concealment.
_CODINGS: tuple[tuple[str, Concealment], ...] = (
    ("libx264", "motion"), ("mpeg2video", "inter"), ("libx265", "motion"), ("libx264", "none"),
    ("libvpx-vp9", "motion"), ("libsvtav1", "motion"),
)  # fmt: skip
# What is cut out of damage keeps away from its ends, and is this long at least.
_MARGIN_FRAMES, _LASTING_FRAMES = 3, 38


@dataclass
class Clip:
    """A file, what was done to it, and its labels frame by frame."""

    path: Path
    recording: str
    facts: dict[str, Any]
    masks: list[np.ndarray]

    @property
    def areas(self) -> np.ndarray:
        """Damaged share of every frame."""
        return np.array([(mask == DAMAGED).mean() for mask in self.masks])

    @property
    def truth(self) -> list[Interval]:
        """Visible events, those close together joined."""
        rows = np.flatnonzero(self.areas >= VISIBLE_AREA)
        out: list[list[int]] = []
        for row in rows.tolist():
            if out and row - out[-1][1] <= BRIDGE_FRAMES:
                out[-1][1] = row
            else:
                out.append([row, row])
        return [Interval(a / RATE_FPS, (b + 1) / RATE_FPS) for a, b in out]


@dataclass
class Evaluated:
    """A clip and what the detector measured in it."""

    clip: Clip
    measured: Measurements
    stream: StreamInfo

    def sampled(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows of the frames the network looked at, their logits, and the logits before them."""
        table = self.measured.tables["samples"]
        rows = np.rint(times_s(table) * RATE_FPS).astype(int)
        return rows, column(table, "logit") / 256, column(table, "previous_logit") / 256


def lasting(evaluated: Sequence[Evaluated]) -> list[Evaluated]:
    """Programmes that are damaged from end to end: cut out of the middle of long events."""
    out: list[Evaluated] = []
    for each in evaluated:
        for span in each.clip.truth:
            first, stop = (round(at * RATE_FPS) for at in (span.start_s, span.end_s))
            first, stop = first + _MARGIN_FRAMES, stop - _MARGIN_FRAMES
            if stop - first < _LASTING_FRAMES:
                continue
            clip = dataclasses.replace(each.clip, masks=each.clip.masks[first:stop])
            tables = {
                name: _between(table, first / RATE_FPS, stop / RATE_FPS)
                for name, table in each.measured.tables.items()
            }
            measured = Measurements(each.measured.detector, tables)
            stream = dataclasses.replace(each.stream, duration_s=(stop - first) / RATE_FPS)
            out.append(Evaluated(clip, measured, stream))
    return out


def _between(table: Table, start_s: float, end_s: float) -> Table:
    """A table's rows between two instants, the first of which becomes t = 0."""
    at_s = times_s(table) + 1e-6
    rows = np.flatnonzero((at_s >= start_s) & (at_s < end_s))
    first, stop = (int(rows[0]), int(rows[-1]) + 1) if len(rows) else (0, 0)
    columns = {name: values[first:stop] for name, values in table.columns.items()}
    anchor = next(iter(columns))
    ticks = round(start_s * table.ticks_hz[0] / table.ticks_hz[1])
    columns[anchor] = array("q", [at - ticks for at in columns[anchor]])
    return Table(table.ticks_hz, columns)


def released_corpora(roots: Sequence[Path]) -> list[corpora.Corpus]:
    """Returns the corpora that the released weights were made of."""
    return corpora.read_corpora(Path(corpora.__file__).parent / NAME / "recipe.toml", roots)


def recordings(sources: Sequence[corpora.Corpus], *splits: str) -> list[Recording]:
    """Recordings of some splits, as the weights in use were trained."""
    seed = int(detector_in_use().tuned.artifact.get("training", {}).get("seed", 1))
    found = corpora.recordings(sources, STILL_SUFFIXES | VIDEO_SUFFIXES, seed=seed)
    return [r for r in corpora.without_unreadable(found)[0] if r.split in splits]


def shown(sources: Sequence[corpora.Corpus], split: str, stills: int) -> list[Recording]:
    """Recordings of a split, with few of its stills: a panned one stands for many others."""
    found = recordings(sources, split)
    still = [r for r in found if r.path.suffix.lower() in STILL_SUFFIXES][:stills]
    return [r for r in found if r.path.suffix.lower() in VIDEO_SUFFIXES] + still


def make_clips(
    sources: Sequence[corpora.Corpus], work: Path, split: str, each: int, seed: int
) -> Iterator[Clip]:
    """Makes the clips once; a second run reads them.

    Raises:
        InvalidParameterError: There is no recording of the split.
    """
    settings = BlockCorruptionSettings()
    left_out = {
        settings.left_out_generator, settings.left_out_codec, settings.left_out_concealment
    }  # fmt: skip
    chosen = shown(sources, split, stills=2)
    if not chosen:
        raise InvalidParameterError(f"no usable recording of the {split} split")
    # Every way of damaging in turn, so that none is missing from a small run.
    kinds: list[tuple[str, str, Concealment]] = []
    for way in block_examples.DAMAGES:
        for codec, concealment in _CODINGS:
            kinds.append((way, codec, concealment))
    for look in block_examples.LOOKS:
        for _ in range(2):
            kinds.append((look, "", "motion"))
    if split != "test":
        kinds = [kind for kind in kinds if not left_out & set(kind)]
    for number in range(each * len(chosen)):
        recording = chosen[number % len(chosen)]
        rng = np.random.default_rng([seed, number])
        kind: tuple[str, str, Concealment] = (
            (HARD_NEGATIVES[number // 3 % len(HARD_NEGATIVES)], "", "motion")
            if number % 3 == 2
            else kinds[(number - number // 3) % len(kinds)]
        )
        plan = block_examples.ClipPlan(
            recording, chosen[int(rng.integers(len(chosen)))], 1000 + number, kind[0], kind[1],
            kind[2], FRAMES, 0, 256, seed,
        )  # fmt: skip
        stem = f"{split}-{seed}-{number:03d}"
        path, labels = work / f"{stem}.mp4", work / f"{stem}.npz"
        if not labels.exists():
            made = block_examples.make(plan)
            write(path, made.frames)
            facts = {**made.facts, "recording": recording.name}
            np.savez_compressed(labels, masks=np.stack(made.masks), facts=json.dumps(facts))
        stored = np.load(labels)
        yield Clip(path, recording.name, json.loads(str(stored["facts"])), list(stored["masks"]))


def write(path: Path, frames: Sequence[Any]) -> None:
    """Writes a clip, coded so well that coding changes nothing that matters."""
    height, width = frames[0][0].shape
    encoding = VideoEncoding(width, height, Fraction(RATE_FPS), crf=16.0, preset="veryfast")
    with Writer(path, video=encoding) as writer:
        for index, planes in enumerate(frames):
            packed = tuple(Plane(np.ascontiguousarray(p), p.shape[1], p.shape[0]) for p in planes)
            writer.write_frame(Frame(index, 1, packed, 8))


def detector_in_use() -> BlockCorruption:
    """Returns the detector with the artifact that is in use."""
    return cast("BlockCorruption", load(NAME))


def evaluate(path: Path, work: Path) -> tuple[Measurements, StreamInfo]:
    """Measures a file, or reads what the same network measured in it before.

    Args:
        path: The file.
        work: Where measurements are kept.
    """
    detector = detector_in_use()
    artifact = detector.tuned.artifact
    identity = repr((
        path.name, path.stat().st_size, artifact["weights"]["sha256"],
        artifact["heads"]["sha256"], detector.params,
        [artifact["thresholds"].get(name) for name in ("cell", "stir", "rise", "closer_step")],
    ))  # fmt: skip
    kept = work / f"{path.stem}-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.pkl"
    if not kept.exists():
        with open_media(path) as reader:
            found = measure(reader, [detector])[NAME], reader.info
        part = kept.with_suffix(f".{os.getpid()}.part")
        part.write_bytes(pickle.dumps(found))
        part.replace(kept)
    return pickle.loads(kept.read_bytes())


def match(truth: Sequence[Interval], predicted: Sequence[Interval]) -> int:
    """One-to-one matches at IoU >= 0.5, best first."""
    pairs = sorted(
        ((t.iou(s), i, j) for i, t in enumerate(truth) for j, s in enumerate(predicted)),
        reverse=True,
    )
    used: tuple[set[int], set[int]] = (set(), set())
    for iou, i, j in pairs:
        if iou >= MIN_IOU and i not in used[0] and j not in used[1]:
            used[0].add(i)
            used[1].add(j)
    return len(used[0])
