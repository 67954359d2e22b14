"""The recordings that accuracy is measured on: found, split, cut into excerpts, impaired.

A recording is one file; two takes of one sound (`1-187207-A`, `1-187207-B`) are one recording. In
the order of the hashes of their names every second recording is held out, so that the split needs
no list and thresholds can be tuned on the other half.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np

from defectscope.errors import DefectscopeError
from defectscope.findings import Interval
from defectscope.media import open_media
from defectscope.media.frames import Frame, Samples
from defectscope.media.stream import StreamInfo
from defectscope.media.writer import write_clip
from defectscope.simulate.registry import simulator
from defectscope.simulate.run import audio_encoding, impair_file, job, stream_of, video_encoding

Kind = Literal["video", "audio", "stereo", "both"]
Half = Literal["tuning", "held-out"]
SUFFIXES = {".mp4", ".webm", ".mpg", ".ogg", ".wav", ".flac", ".mkv"}
EXCERPT_S = 8.0
SHORTEST_S = 5.0
# Where the defect is wanted, as shares of the excerpt: 2.4 s to 5.4 s of 8 s.
SPAN = (0.3, 0.375)
# A fault of the sound can be heard where there is sound: half of the tenths of a second in the
# span, and some at either edge of it, lie above this.
QUIETEST_DBFS = -45.0
# Two channels whose difference lies this far under their sum are one channel, written twice.
MONO_DB = -40.0
# Correlation of two channels from which on they have a phase.
LEAST_CORRELATION = 0.2
_SOUND = ("audio", "stereo")
_TAKE = re.compile(r"-[A-Z](?=\.\w+$)")


@dataclass(frozen=True)
class Recording:
    """One recording, and which half of the split it belongs to."""

    path: Path
    folder: Path
    half: Half
    duration_s: float


@dataclass(frozen=True)
class Clip:
    """An impaired (or clean) excerpt and what is true of it."""

    path: Path
    source: Path
    defect: str | None
    severity: int
    truth: tuple[tuple[str, Interval], ...]


def identity(path: Path) -> str:
    """Returns the name of the recording that a file is of."""
    return _TAKE.sub("", path.name)


def recordings(folders: Sequence[Path], kind: Kind) -> list[Recording]:
    """Finds the recordings of a kind that are long enough, in the order of their hashes.

    The halves are those of all recordings with frames, or of all without, so that a recording
    lies in the same half whatever it is wanted for.
    """
    found: dict[str, tuple[Path, Path, StreamInfo]] = {}
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
            key = hashlib.sha256(identity(path).encode()).hexdigest()
            if key in found:
                continue
            info = _facts(path)
            if info is None or info.duration_s < SHORTEST_S:
                continue
            if (info.video is not None) == (kind in ("video", "both")):
                found[key] = (path, folder, info)
    halves: tuple[Half, Half] = ("tuning", "held-out")
    return [
        Recording(path, folder, halves[number % 2], info.duration_s)
        for number, (_, (path, folder, info)) in enumerate(sorted(found.items()))
        if _fits(info, kind)
    ]


def _facts(path: Path) -> StreamInfo | None:
    try:
        with open_media(path) as reader:
            return reader.info
    except DefectscopeError:
        return None


def _fits(info: StreamInfo, kind: Kind) -> bool:
    channels = len(info.audio.channels) if info.audio is not None else 0
    return channels >= {"video": 0, "audio": 1, "both": 1, "stereo": 2}[kind]


def in_turn(found: Sequence[Recording], half: Half) -> list[Recording]:
    """Returns one half, taking the folders in turn, so that none outweighs the others."""
    by_folder: dict[Path, list[Recording]] = {}
    for recording in found:
        if recording.half == half:
            by_folder.setdefault(recording.folder, []).append(recording)
    return [r for turn in zip_longest(*by_folder.values()) for r in turn if r is not None]


def excerpt(recording: Recording, work: Path, kind: Kind) -> Path | None:
    """Cuts the middle of a recording.

    None where its sound pauses in the span, or is mono where a stereo image is wanted.
    """
    suffix = ".mkv" if kind in _SOUND else ".mp4"
    target = work / "excerpts" / f"{recording.path.stem}.{kind}{suffix}"
    if not target.exists() and not _cut(recording, target, kind):
        return None
    return target


def _cut(recording: Recording, target: Path, kind: Kind) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_media(recording.path) as reader:
        info = reader.info
        start_s = max(0.0, (info.duration_s - EXCERPT_S) / 2)
        end_s = min(start_s + EXCERPT_S, info.duration_s)
        wants = {"video": kind not in _SOUND, "audio": kind != "video"}
        items = list(reader.read(start_s, end_s, **wants))
    frames = [i for i in items if isinstance(i, Frame)]
    runs = [i for i in items if isinstance(i, Samples)]
    video, audio = info.video, info.audio
    # The excerpt's own clock starts with its first frame, or its first sample.
    if frames and video:
        first = frames[0].pts
        frames = [replace(f, pts=f.pts - first) for f in frames]
        skipped = round(first * video.time_base * audio.rate_hz) if audio else 0
    else:
        skipped = runs[0].start if runs else 0
    runs = [replace(r, start=r.start - skipped) for r in runs if r.start >= skipped]
    if kind in _SOUND and audio and not _sounds(runs, audio.rate_hz, wide=kind == "stereo"):
        return False
    write_clip(
        target,
        frames=frames,
        runs=runs,
        video=video_encoding(video) if frames and video else None,
        audio=audio_encoding(audio, target.suffix) if runs and audio else None,
    )
    return True


def _sounds(runs: Sequence[Samples], rate_hz: int, *, wide: bool) -> bool:
    """Tells whether there is sound (and a stereo image) all through the span to be impaired."""
    sound = np.concatenate([r.data for r in runs])
    start, length = (round(share * len(sound)) for share in SPAN)
    tenth = max(1, rate_hz // 10)
    span = sound[start : start + length]
    blocks = span[: len(span) // tenth * tenth].reshape(-1, tenth * span.shape[1])
    levels_db = 20 * np.log10(np.sqrt((blocks**2).mean(axis=1)) + 1e-9)
    loud = levels_db > QUIETEST_DBFS
    if wide:
        middle, side = (float(np.std(span[:, 0] + sign * span[:, 1])) for sign in (1, -1))
        if 20 * np.log10((side + 1e-9) / (middle + 1e-9)) < MONO_DB:
            return False
    return bool(loud.mean() > 0.5 and loud[:3].any() and loud[-3:].any())


def has_phase(source: Path) -> bool:
    """Tells whether the first two channels of an excerpt have enough in common to have a phase.

    An inversion between channels with nothing in common can be neither heard nor found.
    """
    with open_media(source) as reader:
        runs = [i for i in reader.read(video=False) if isinstance(i, Samples)]
    sound = np.concatenate([r.data for r in runs])
    start, length = (round(share * len(sound)) for share in SPAN)
    left, right = sound[start : start + length, 0], sound[start : start + length, 1]
    scale = float(np.sqrt(np.sum(left**2) * np.sum(right**2)))
    return scale > 0 and float(np.sum(left * right)) / scale >= LEAST_CORRELATION


def is_made(source: Path, name: str, severity: int, work: Path) -> bool:
    """Tells whether a clip lies there, made by the simulator as it is now."""
    return _target(source, name, severity, work).with_suffix(".truth.json").exists()


def _target(source: Path, name: str, severity: int, work: Path) -> Path:
    text = Path(inspect.getfile(type(simulator(name)))).read_bytes()
    stamp = hashlib.sha256(text).hexdigest()[:8]
    return work / "impaired" / stamp / f"{source.stem}.{name}.{severity}{source.suffix}"


def impaired(source: Path, name: str, severity: int, work: Path) -> Clip | None:
    """Makes one defect in an excerpt; None where the excerpt cannot have it.

    A clip is kept under the simulator's own source text, and made anew when that changes.
    """
    target = _target(source, name, severity, work)
    note = target.with_suffix(".truth.json")
    refused = target.with_suffix(".refused")
    if refused.exists():
        return None
    if not note.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        seed = int(hashlib.sha256(f"{source.stem}{name}{severity}".encode()).hexdigest()[:8], 16)
        stream = stream_of(source)
        start_s, length_s = (share * stream.duration_s for share in SPAN)
        try:
            plan = job(
                name, stream, seed=seed, start_s=start_s, duration_s=length_s, severity=severity
            )
            truth = impair_file(source, target, [plan])
        except DefectscopeError as error:
            print(f"  {source.stem} {name} {severity}: {error.message}", file=sys.stderr)
            refused.write_text(error.message + "\n", "utf-8")
            return None
        note.write_text(json.dumps([t.to_dict() for t in truth]))
    events = tuple(
        (t["defect"], Interval(t["start_s"], t["end_s"])) for t in json.loads(note.read_text())
    )
    return Clip(target, source, name, severity, events)
