"""Talking clips with their truth: read once, moved against their sound, given another's sound."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.detectors.av_sync.clips import SOUND_HZ, Clip, read_clip
from defectscope.detectors.av_sync.crops import RATE_FPS, Mouth
from defectscope.detectors.av_sync.fragments import (
    FRAGMENT_FRAMES,
    MARGIN_FRAMES,
    MIN_FRAMES,
    sound_window,
)
from defectscope.detectors.av_sync.tracks import Limits

ROOT = Path(__file__).resolve().parent.parent
TRUTH = ROOT / "tests" / "expected_findings" / "talking.json"
LIMITS = Limits(min_score=0.5, min_height_px=48, most=3)
# What must be left of a clip after the shift.
MIN_OVERLAP_S = 2.4


@dataclass(frozen=True)
class Talk:
    """A clip with its truth."""

    name: str
    clip: Clip
    native_frames: int
    in_step: bool
    training: bool

    @property
    def frames(self) -> int:
        """Length of the frame on the grid."""
        return max((m.first_frame + len(m) for m in self.clip.mouths), default=0)


def read(folder: Path, kept: Path | None) -> list[Talk]:
    """Reads the clips that pass as truth, from the cache where they are there."""
    out: list[Talk] = []
    for name, facts in json.loads(TRUTH.read_text())["clips"].items():
        if facts["native_offset_frames"] is None:
            continue
        path = next(p for p in sorted(folder.iterdir()) if p.stem == name)
        store = None if kept is None else kept / f"{name}.npz"
        if store is not None and store.is_file():
            clip = _load(store)
        else:
            clip = read_clip(str(path), LIMITS)
            if store is not None:
                store.parent.mkdir(parents=True, exist_ok=True)
                _store(store, clip)
        out.append(
            Talk(
                name,
                clip,
                int(facts["native_offset_frames"]),
                bool(facts["in_step"]),
                not facts["evaluation_only"],
            )
        )
    return out


def of_folder(folders: Iterable[Path], kept: Path | None) -> Iterator[tuple[str, Clip]]:
    """Yields every clip of some folders by name, from the cache where it is there."""
    for path in sorted(p for folder in folders for p in folder.iterdir()):
        if path.suffix not in (".mp4", ".mkv", ".mpg"):
            continue
        store = None if kept is None else kept / f"{path.stem}.npz"
        if store is not None and store.is_file():
            yield path.stem, _load(store)
            continue
        clip = read_clip(str(path), LIMITS)
        if store is not None:
            store.parent.mkdir(parents=True, exist_ok=True)
            _store(store, clip)
        yield path.stem, clip


def _store(path: Path, clip: Clip) -> None:
    arrays: dict[str, Any] = {"sound": clip.sound}
    for i, m in enumerate(clip.mouths):
        arrays |= {f"crops{i}": m.crops, f"shapes{i}": m.shapes, f"boxes{i}": m.boxes}
        arrays[f"first{i}"] = np.array(m.first_frame)
    np.savez_compressed(path, **arrays)


def _load(path: Path) -> Clip:
    with np.load(path) as data:
        count = sum(k.startswith("crops") for k in data)
        mouths = tuple(
            Mouth(int(data[f"first{i}"]), data[f"crops{i}"], data[f"shapes{i}"], data[f"boxes{i}"])
            for i in range(count)
        )
        return Clip(mouths, data["sound"])


def pairs(talk: Talk) -> list[tuple[Mouth, Any, int]]:
    """What the linear model learns from: mouths and the sound in step with them."""
    out: list[tuple[Mouth, Any, int]] = []
    for mouth in talk.clip.mouths:
        if len(mouth) >= MIN_FRAMES:
            number = mouth.first_frame // FRAGMENT_FRAMES
            origin = number * FRAGMENT_FRAMES - MARGIN_FRAMES
            first = mouth.first_frame - origin + talk.native_frames
            out.append((mouth, sound_window(number, talk.clip.sound), first))
    return out


def shifted(talk: Talk, shift_ms: float) -> tuple[Clip, tuple[float, float]]:
    """Returns a clip with its sound moved, and from when to when there is both."""
    sound, count = talk.clip.sound, round(abs(shift_ms) / 1000 * SOUND_HZ)
    low_s = max(0.0, shift_ms / 1000)
    length_s = len(sound) / SOUND_HZ + min(0.0, shift_ms / 1000)
    high_s = min(length_s, talk.frames / RATE_FPS)
    late = shift_ms >= 0
    moved = np.concatenate([np.zeros(count, np.float32), sound]) if late else sound[count:]
    moved = moved[: int(high_s * SOUND_HZ)].copy()
    moved[: int(low_s * SOUND_HZ)] = 0
    first, last = int(np.ceil(low_s * RATE_FPS - 1e-6)), int(high_s * RATE_FPS + 1e-6)
    return Clip(_within(talk.clip.mouths, first, last), moved), (low_s, high_s)


def dubbed(talk: Talk, other: Talk) -> tuple[Clip, tuple[float, float]] | None:
    """Returns a clip with somebody else's sound, None where that is too short."""
    high_s = min(talk.frames / RATE_FPS, len(other.clip.sound) / SOUND_HZ)
    if high_s < MIN_OVERLAP_S:
        return None
    mouths = _within(talk.clip.mouths, 0, int(high_s * RATE_FPS))
    return Clip(mouths, other.clip.sound[: int(high_s * SOUND_HZ)]), (0.0, high_s)


def _within(mouths: Iterable[Mouth], first: int, last: int) -> tuple[Mouth, ...]:
    cut = (
        m.between(max(0, first - m.first_frame), min(len(m), last - m.first_frame))
        for m in mouths
        if m.first_frame < last and m.first_frame + len(m) > first
    )
    return tuple(m for m in cut if len(m))
