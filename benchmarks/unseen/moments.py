"""Clips of defects of a moment, in ways that no simulator knows: made and analyzed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from defectscope.analysis import analyze
from defectscope.findings import Report
from unseen import ways_light, ways_picture, ways_time
from unseen.design import is_unseen
from unseen.frames import Run, encode, read

WAYS_OF: dict[str, Mapping[str, Callable[..., Any]]] = {
    **ways_time.WAYS_OF,
    **ways_light.WAYS_OF,
    **ways_picture.WAYS_OF,
}
DEFECTS = tuple(WAYS_OF)
LENGTH_S = 5.0
_HEIGHTS_PX = (240, 360, 360, 480, 480, 720)
_LEVELS = (3, 4, 5)
# Quieter recordings, or slower ones, show no motion that could be disturbed.
_LEAST_RATE, _LEAST_S = 20, 3.5
# What goes wrong in these is seen in a picture that stands as well.
_STILL_TOO = ("flicker", "black_frames", "color_error", "letterbox", "test_pattern")
# A recording that repeats frames itself has a truth of its own.
_REPEAT_RATIO, _MOST_REPEATS = 0.15, 0.02
# Ways of one recording; more would make few recordings speak for all.
_WAYS_EACH = 6
_ENCODES = ({"preset": "veryfast", "crf": "16"}, {"preset": "veryfast", "crf": "24"})


@dataclass(frozen=True)
class Moment:
    """One clip: what was made in it, and where it lies.

    Attributes:
        path: The clip.
        facts: `defect`, `way`, `level`, `recording`, `unseen`, `truth` and how it was encoded.
    """

    path: Path
    facts: dict[str, Any]


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(int(hashlib.sha256(text.encode()).hexdigest()[:12], 16))


def is_long(run: Run) -> bool:
    """Tells whether a run is long and fast enough for a defect with programme round it."""
    return len(run.frames) >= _LEAST_S * float(run.rate) and run.rate >= _LEAST_RATE


def moves_throughout(run: Run) -> bool:
    """Tells whether a run moves all along and repeats hardly a frame."""
    count = len(run.frames)
    parts = ((0, count), (count // 4, count // 2), (count // 2, count * 4 // 5))
    if not all(ways_time.moves(run, *part) for part in parts):
        return False
    small = [frame[: run.height : 4, ::4].astype(np.int16) for frame in run.frames]
    steps = np.array([np.abs(b - a).mean() for a, b in pairwise(small)])
    return float(np.mean(steps < _REPEAT_RATIO * np.median(steps))) <= _MOST_REPEATS


def made(
    paths: Sequence[Path], defects: Sequence[str], per_way: int, work: Path
) -> Iterable[Moment]:
    """Makes clips until each way has so many of seen and of unseen recordings; gives every one.

    Seen and unseen recordings come in turn. What lies in `work` already is not made again.
    """
    ways = [(d, w, make) for d in defects for w, make in WAYS_OF[d].items()]
    work.mkdir(parents=True, exist_ok=True)
    splits = [_split(paths, ways, per_way, work, unseen=unseen) for unseen in (False, True)]
    for turn in zip_longest(*splits):
        for clips in turn:
            yield from clips or ()


def _split(
    paths: Sequence[Path],
    ways: Sequence[tuple[str, str, Any]],
    per_way: int,
    work: Path,
    *,
    unseen: bool,
) -> Iterable[list[Moment]]:
    count: dict[tuple[str, str], int] = {}
    pool = [p for p in paths if is_unseen(p) == unseen]
    for at in _rng(f"moments {unseen}").permutation(len(pool)):
        lacking = [way for way in ways if count.get(way[:2], 0) < per_way]
        if not lacking:
            return
        clips = list(_of_recording(pool[at], lacking, work, unseen=unseen))
        for clip in clips:
            key = clip.facts["defect"], clip.facts["way"]
            count[key] = count.get(key, 0) + 1
        yield clips


def _untouched(run: Run, level: int, rng: np.random.Generator) -> tuple[Run, list[Any]]:
    return run, []


def _of_recording(
    path: Path, ways: Sequence[tuple[str, str, Any]], work: Path, *, unseen: bool
) -> Iterable[Moment]:
    note = work / f"{path.stem}.json"
    if note.exists():
        for facts in json.loads(note.read_text("utf-8")):
            yield Moment(work / facts["file"], facts)
        return
    rng = _rng(path.name)
    rows: list[dict[str, Any]] = []
    run = read(path, int(rng.choice(_HEIGHTS_PX)), LENGTH_S)
    if is_long(run):
        if not moves_throughout(run):
            ways = [way for way in ways if way[0] in _STILL_TOO]
        drawn = [ways[k] for k in rng.permutation(len(ways))[:_WAYS_EACH]]
        chosen = [*drawn, ("", "clean", _untouched)]
        grey = not ways_picture.colourful(run)
        for defect, way, make in chosen:
            if grey and way in ways_picture.COLOURED:
                continue
            level = int(rng.choice(_LEVELS)) if defect else 0
            shown, truth = make(run, level, rng)
            if defect and not truth:
                continue  # nothing that anybody would see
            delivered = int(rng.random() < 0.5)
            file = f"{defect or 'none'}.{way}.{level}.{path.stem}.mp4"
            encode(shown, work / file, "libx264", _ENCODES[delivered])
            rows.append(
                {
                    **{"file": file, "defect": defect, "way": way, "level": level, "truth": truth},
                    **{"recording": path.name, "unseen": unseen, "delivered": bool(delivered)},
                    "height": shown.height,
                }
            )
    note.write_text(json.dumps(rows) + "\n", "utf-8")
    for facts in rows:
        yield Moment(work / facts["file"], facts)


def decided(moment: Moment, detectors: Sequence[str]) -> dict[str, Any]:
    """Returns what is true of a clip and what was found in it."""
    report = analyze(moment.path, detectors=list(detectors))
    return {**moment.facts, "found": found_in(report)}


def found_in(report: Report) -> list[list[Any]]:
    """Returns the findings of a report: defect, start and end in seconds, and what was seen."""
    return [[f.defect, f.start_s, f.end_s, f.evidence.get("seen", "")] for f in report.findings]


cv2.setNumThreads(1)
