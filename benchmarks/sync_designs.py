"""Measures talking clips with every design of lip sync, each with a model that left them out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file
from talking_clips import MIN_OVERLAP_S, Talk, dubbed, pairs, shifted

from defectscope.detectors.av_sync import baseline
from defectscope.detectors.av_sync.canonical import Canonical, fit
from defectscope.detectors.av_sync.clips import Clip
from defectscope.detectors.av_sync.crops import RATE_FPS
from defectscope.detectors.av_sync.fragments import (
    FRAGMENT_FRAMES,
    MARGIN_FRAMES,
    MIN_FRAMES,
    Cell,
    compare_fragment,
    sound_window,
)
from defectscope.detectors.av_sync.network import SyncNet
from defectscope.detectors.av_sync.offsets import OFFSETS, Likeness, cells
from defectscope.detectors.av_sync.sound import log_mel

DESIGNS = ("baseline", "canonical", "network", "hybrid")
SHIFTS_MS = (0, 120, -120, 240, -240, 320, -320, 480, -480)
# How much the network's curve counts in the hybrid; tuned on speakers outside GRID.
HYBRID_SHARE = 0.8
LENGTHS_FRAMES = (5, 7, 9, 11, 13, 15, 100)


def measured(
    clip: Clip, sound_s: tuple[float, float], model: Canonical, network: SyncNet | None
) -> list[Cell]:
    """Measures a clip as the detector does."""
    numbers = sorted({m.first_frame // FRAGMENT_FRAMES for m in clip.mouths})
    out: list[Cell] = []
    for number in numbers:
        own = [m for m in clip.mouths if m.first_frame // FRAGMENT_FRAMES == number]
        out += compare_fragment(
            number, own, sound_window(number, clip.sound), sound_s, [], model, network
        )
    return out


def measured_by_baseline(clip: Clip, sound_s: tuple[float, float]) -> list[Cell]:
    """Measures a clip by the open mouth and the level of speech."""
    out: list[Cell] = []
    for track, mouth in enumerate(m for m in clip.mouths if len(m) >= MIN_FRAMES):
        number = mouth.first_frame // FRAGMENT_FRAMES
        origin = number * FRAGMENT_FRAMES - MARGIN_FRAMES
        shot = (
            int(np.ceil(sound_s[0] * RATE_FPS - 1e-6)) - origin,
            int(sound_s[1] * RATE_FPS + 1e-6) - origin,
        )
        found = cells(
            baseline.opening(mouth),
            baseline.envelope(sound_window(number, clip.sound)),
            np.ones(1),
            first=mouth.first_frame - origin,
            frame=mouth.first_frame,
            shot=shot,
        )
        ends = [start for start, _ in found[1:]] + [len(mouth)]
        for (start, similar), end in zip(found, ends, strict=True):
            frame = mouth.first_frame + start
            out.append(Cell(frame, track, end - start, mouth.boxes[start], similar))
    return sorted(out, key=lambda c: (c.frame, c.track))


def only_network(found: Sequence[Cell]) -> list[Cell]:
    """Returns cells in which the network alone counts."""
    empty = Likeness(np.zeros(len(OFFSETS)), np.zeros(len(OFFSETS)))
    return [replace(c, canonical=c.network or empty, network=None) for c in found]


Measured = dict[tuple[str, str, float | str], list[Cell]]


def measure_all(talks: Sequence[Talk], folds: Path | None) -> Measured:
    """Measures every clip at every shift and with strangers' sound, by every design."""
    learned = [t for t in talks if t.training]
    full = fit([p for t in learned for p in pairs(t)])

    out: Measured = {}
    for talk in talks:
        others = [p for t in learned if t is not talk for p in pairs(t)]
        model = fit(others) if talk.training else full
        net = network_of(talk, folds)
        conditions: dict[float | str, tuple[Clip, tuple[float, float]]] = {}
        for shift in SHIFTS_MS:
            clip, sound_s = shifted(talk, shift)
            if sound_s[1] - sound_s[0] >= MIN_OVERLAP_S - 1e-6:
                conditions[float(shift)] = (clip, sound_s)
        for other in talks:
            # GRID's sentences are built alike, word by word: another one may well be in step.
            similar = other.name.startswith("grid") and talk.name.startswith("grid")
            made = None if other is talk or similar else dubbed(talk, other)
            if made is not None:
                conditions[other.name] = made
        for condition, (clip, sound_s) in conditions.items():
            both = measured(clip, sound_s, model, net)
            out["canonical", talk.name, condition] = [replace(c, network=None) for c in both]
            if net is not None:
                out["network", talk.name, condition] = only_network(both)
                out["hybrid", talk.name, condition] = both
            out["baseline", talk.name, condition] = measured_by_baseline(clip, sound_s)
    return out


@cache
def network(path: Path) -> SyncNet:
    """Reads a network."""
    model = SyncNet()
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()}
    model.load_state_dict(tensors)
    model.eval().requires_grad_(False)
    return model


def network_of(talk: Talk, folds: Path | None) -> SyncNet | None:
    """Returns the network that never saw a clip's speaker."""
    if folds is None:
        return None
    return network(folds / f"{talk.name if talk.training else 'release'}.safetensors")


def by_length(
    talks: Sequence[Talk], folds: Path | None, chosen: Callable[[Talk], bool]
) -> dict[str, dict[int, tuple[int, int]]]:
    """Counts windows of so many frames whose best offset is within one frame of the truth."""
    learned = [t for t in talks if t.training]
    full = fit([p for t in learned for p in pairs(t)])
    out: dict[str, dict[int, tuple[int, int]]] = {}
    for talk in (t for t in talks if chosen(t)):
        others = [p for t in learned if t is not talk for p in pairs(t)]
        model = fit(others) if talk.training else full
        matrices: dict[str, list[Any]] = {"canonical": [], "network": [], "baseline": []}
        net = network_of(talk, folds)
        for mouth, sound, first in pairs(talk):
            ours = model.of_mouth(mouth) * model.weights
            matrices["canonical"].append(_matrix(ours, model.of_sound(sound), first))
            matrices["baseline"].append(
                _matrix(baseline.opening(mouth), baseline.envelope(sound), first)
            )
            if net is not None:
                sound_embeddings = net.embed_sound(log_mel(sound))
                matrices["network"].append(
                    _matrix(net.embed_mouth(mouth.crops), sound_embeddings, first)
                )
        if net is not None:
            matrices["hybrid"] = [
                (1 - HYBRID_SHARE) * c[2:-2] + HYBRID_SHARE * n
                for c, n in zip(matrices["canonical"], matrices["network"], strict=True)
            ]
        for design, own in matrices.items():
            counts = out.setdefault(design, dict.fromkeys(LENGTHS_FRAMES, (0, 0)))
            for matrix in own:
                for length in LENGTHS_FRAMES:
                    # The network's windows are four fewer than its frames.
                    size = min(length, len(matrix)) if length == 100 else length
                    for start in range(0, len(matrix) - size + 1, 5):
                        curve = matrix[start : start + size].mean(axis=0)
                        hit = abs(int(np.argmax(curve)) - len(OFFSETS) // 2) <= 1
                        hits, count = counts[length]
                        counts[length] = (hits + hit, count + 1)
    return out


def _matrix(ours: Any, theirs: Any, first: int) -> Any:
    """(T, 31) likeness of every frame with the sound at every offset; edges repeat the last."""
    rows = np.arange(len(ours))[:, None] + first + OFFSETS[None]
    return np.einsum("tk,tok->to", ours, theirs[np.clip(rows, 0, len(theirs) - 1)])
