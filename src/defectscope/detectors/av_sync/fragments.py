"""One fragment of programme, four seconds on an absolute grid: faces, sound, and their likeness.

Everything about a fragment is decided from frames within it, from sound up to a second beyond it
on either side, and from the shots in both; so a programme may be cut into segments anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.canonical import Canonical
from defectscope.detectors.av_sync.crops import RATE_FPS, Mouth
from defectscope.detectors.av_sync.layout import EMBEDDING, Embedder
from defectscope.detectors.av_sync.offsets import CELL_FRAMES, Likeness, cells
from defectscope.detectors.av_sync.sound import RATE_HZ, WINDOW_VIDEO_FRAMES, log_mel

Floats32 = NDArray[np.float32]

# Source: the mission's fragments of four seconds, docs/detectors/av_sync.md.
FRAGMENT_S = 4
FRAGMENT_FRAMES = FRAGMENT_S * RATE_FPS
# Sound on either side: the reach of the offsets and of the filters.
MARGIN_S = 1
MARGIN_FRAMES = MARGIN_S * RATE_FPS
SOUND_SAMPLES = (FRAGMENT_S + 2 * MARGIN_S) * RATE_HZ
# Mouths that are seen for a shorter time tell nothing, frames.
MIN_FRAMES = 25
# Sound that never exceeds this is silence: -60 dB below full scale.
SILENCE = 1e-3
# The network's windows are named after the frame in their middle.
_MIDDLE = WINDOW_VIDEO_FRAMES // 2


@dataclass(frozen=True, slots=True)
class Cell:
    """What one mouth says about 0.4 s.

    Attributes:
        frame: First frame, 25 a second from t = 0.
        track: Which of the fragment's mouths.
        frames: How many frames of it there are.
        box: (4,) the face as shares of the frame.
        canonical: Likeness by the linear model.
        network: Likeness by the network, None where there is none.
    """

    frame: int
    track: int
    frames: int
    box: NDArray[np.float64]
    canonical: Likeness
    network: Likeness | None = None


def compare_fragment(
    number: int,
    mouths: list[Mouth],
    sound: Floats32,
    sound_s: tuple[float, float],
    cuts_s: list[float],
    canonical: Canonical,
    network: Embedder | None = None,
) -> list[Cell]:
    """Returns the cells of a fragment, in order.

    Args:
        number: The fragment; it begins at `number` x 4 s.
        mouths: Its mouths, on the grid.
        sound: (STRETCH_SAMPLES,) mono at 16 kHz from a second before the fragment on.
        sound_s: From when to when the programme has sound.
        cuts_s: When shots begin, from a second before to a second after the fragment.
        canonical: The linear model.
        network: The network, where there is one.
    """
    pieces = shot_by_shot(mouths, cuts_s)
    if not pieces or float(np.abs(sound).max(initial=0.0)) < SILENCE:
        return []
    origin = number * FRAGMENT_FRAMES - MARGIN_FRAMES
    theirs = canonical.of_sound(sound)
    vectors = None if network is None else network.embed_sound(log_mel(sound))
    bounds = [
        int(np.ceil(sound_s[0] * RATE_FPS - 1e-6)) - origin,
        *(int(np.ceil(cut * RATE_FPS - 1e-6)) - origin for cut in cuts_s),
        int(sound_s[1] * RATE_FPS + 1e-6) - origin,
    ]
    out: list[Cell] = []
    for track, mouth in enumerate(pieces):
        first = mouth.first_frame - origin
        shot = _shot_around(bounds, first)
        found = cells(
            canonical.of_mouth(mouth),
            theirs,
            canonical.weights,
            first=first,
            frame=mouth.first_frame,
            shot=shot,
        )
        learned: dict[int, Likeness] = {}
        if network is not None and vectors is not None:
            learned = _by_network(network, mouth, vectors, first, shot)
        ends = [start for start, _ in found[1:]] + [len(mouth)]
        for (start, likeness), end in zip(found, ends, strict=True):
            frame = mouth.first_frame + start
            box = mouth.boxes[start:end].mean(axis=0)
            own = learned.get(frame // CELL_FRAMES)
            out.append(Cell(frame, track, end - start, box, likeness, own))
    return sorted(out, key=lambda c: (c.frame, c.track))


def _by_network(
    network: Embedder, mouth: Mouth, vectors: Floats32, first: int, shot: tuple[int, int]
) -> dict[int, Likeness]:
    """Returns the network's likeness by cell: the cosine of video and sound."""
    ours = network.embed_mouth(mouth.crops).astype(np.float64)
    theirs = np.pad(vectors.astype(np.float64), ((_MIDDLE, 0), (0, 0)))
    inner = (max(shot[0] + _MIDDLE, _MIDDLE), shot[1] - _MIDDLE)
    frame = mouth.first_frame + _MIDDLE
    found = cells(ours, theirs, np.ones(EMBEDDING), first=first + _MIDDLE, frame=frame, shot=inner)
    return {(frame + start) // CELL_FRAMES: own for start, own in found}


def shot_by_shot(mouths: list[Mouth], cuts_s: list[float]) -> list[Mouth]:
    """Splits mouths where shots begin; pieces too short to tell anything are left out."""
    out: list[Mouth] = []
    for mouth in mouths:
        frames = [int(np.ceil(cut * RATE_FPS - 1e-6)) - mouth.first_frame for cut in cuts_s]
        edges = [0, *(f for f in frames if 0 < f < len(mouth)), len(mouth)]
        pieces = [mouth.between(a, b) for a, b in pairwise(edges)]
        out += [piece for piece in pieces if len(piece) >= MIN_FRAMES]
    return out


def _shot_around(bounds: list[int], row: int) -> tuple[int, int]:
    """The shot that a row lies in, between the sound's ends."""
    before = [b for b in bounds if b <= row]
    after = [b for b in bounds if b > row]
    return max(before, default=bounds[0]), min(after, default=bounds[-1])


def sound_window(number: int, sound: Floats32) -> Floats32:
    """Returns the sound around a fragment from that of a whole clip, silence beyond its ends.

    Args:
        number: The fragment.
        sound: (n,) mono at 16 kHz from t = 0.
    """
    first = (number * FRAGMENT_S - MARGIN_S) * RATE_HZ
    out = np.zeros(SOUND_SAMPLES, np.float32)
    low, high = max(0, first), min(len(sound), first + SOUND_SAMPLES)
    if high > low:
        out[low - first : high - first] = sound[low:high]
    return out
