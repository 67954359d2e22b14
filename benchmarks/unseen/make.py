"""Makes the clips of a design, once; what lies there already is not made again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np

from defectscope.simulate.defects.banding import _LEAST_CONTOURS, contours
from unseen.design import WAYS, Clip
from unseen.frames import Run, encode, read, scaled, through

# Coders settle within a third of a second; runs are cut to so many frames where only looks count.
LENGTH_S, SHORT_FRAMES = 1.1, 8
MASTER = {"preset": "superfast", "crf": "12"}
DELIVERY = {"preset": "veryfast", "crf": "24"}
# Share of the frame that must be smooth for bands to be seen in it.
LEAST_SMOOTH = 0.15


@cache
def smooth_share(path: Path) -> float:
    """Returns the share of a recording's frame that changes slowly, but does change."""
    run = read(path, 360, 0)
    luma = run.frames[0][: run.height].astype(np.float32)
    soft = cv2.GaussianBlur(luma, (0, 0), 1.5)
    slope = np.hypot(cv2.Sobel(soft, -1, 1, 0) / 8, cv2.Sobel(soft, -1, 0, 1) / 8)
    calm = cv2.blur((slope < 1.2).astype(np.float32), (9, 9)) > 0.95
    wide = cv2.blur(soft, (41, 41))
    varied = cv2.blur(np.abs(soft - wide), (41, 41)) > 0.8
    bright = (soft > 24) & (soft < 228)
    return float((calm & varied & bright).mean())


def fits(defect: str, path: Path) -> bool:
    """Tells whether a defect can be seen in a recording."""
    return defect != "banding" or smooth_share(path) >= LEAST_SMOOTH


@lru_cache(maxsize=1)
def _native(path: str) -> Run:
    return read(Path(path), None, LENGTH_S)


@lru_cache(maxsize=2)
def _source(path: str, height: int) -> Run:
    run = _native(path)
    lines = min(height or run.height, run.height) // 4 * 4
    if lines == run.height:
        return run
    return scaled(run, round(run.width * lines / run.height / 4) * 4, lines, cv2.INTER_AREA)


def target_of(clip: Clip, work: Path) -> Path:
    """Returns where a clip lies."""
    return work / "clips" / f"{clip.key}.mp4"


def make(clip: Clip, work: Path) -> Path:
    """Makes one clip, and beside it what is true of it."""
    target = target_of(clip, work)
    note = target.with_suffix(".json")
    if note.exists():
        return target
    source = _source(clip.recording, clip.height)
    run = _impaired(clip, source)
    visible = bool(clip.defect) and shows(clip.defect, source, run)
    truth = [[0.0, float(len(run.frames) / run.rate)]] if visible else []
    write(run, target, delivery=clip.delivery)
    note.write_text(json.dumps({**clip.to_dict(), "truth": truth}) + "\n", "utf-8")
    return target


def shows(defect: str, source: Run, run: Run) -> bool:
    """Tells whether a defect that was made can be seen: bands need contours of some length.

    A gradient in few steps over a scene without gradients changes nothing that anybody sees. The
    rule is that of the simulator, set by eye (docs/results/picture.md).
    """
    if defect != "banding":
        return True
    looks = (0, len(run.frames) // 2)
    lengths = [
        contours(*(r.frames[at][: r.height].astype(np.float64) for r in (source, run)))
        for at in looks
    ]
    return float(np.median(lengths)) >= _LEAST_CONTOURS


def source_of(clip: Clip) -> Run:
    """Returns the frames that a short look of a clip is made of, at its size."""
    source = _source(clip.recording, clip.height)
    return source.with_frames(source.frames[:SHORT_FRAMES])


def short_run(clip: Clip) -> Run:
    """Returns the first frames of a clip as they go into its last encode."""
    return _impaired(clip, source_of(clip))


def short_look(clip: Clip) -> Run:
    """Returns the first frames of a clip as they would be decoded, without writing a file."""
    return through(short_run(clip), "libx264", DELIVERY if clip.delivery else MASTER)


def _impaired(clip: Clip, run: Run) -> Run:
    if not clip.defect:
        return run
    way = WAYS[clip.defect][clip.way]
    return impaired(run, way(run, clip.level, np.random.default_rng(clip.seed)))


def impaired(source: Run, run: Run) -> Run:
    """Returns the impaired run, of the source's length where a coder lost its last frames."""
    short = len(source.frames) - len(run.frames)
    return run if short <= 0 else run.with_frames((*run.frames, *run.frames[-1:] * short))


def write(run: Run, target: Path, *, delivery: bool) -> None:
    """Writes a run, nearly lossless or as it would be delivered."""
    target.parent.mkdir(parents=True, exist_ok=True)
    encode(run, target, "libx264", DELIVERY if delivery else MASTER)


def make_all(clips: Iterable[Clip], work: Path) -> None:
    """Makes every clip, and tells of those that cannot be made; recording by recording."""
    ordered = sorted(clips, key=lambda clip: (clip.recording, clip.height))
    for number, clip in enumerate(ordered):
        try:
            make(clip, work)
        except (OSError, ValueError, IndexError, cv2.error) as error:
            print(f"{clip.key}: {error}", file=sys.stderr)
        if number % 50 == 0:
            print(number, clip.key, flush=True)
