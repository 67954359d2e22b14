"""Windows of mouths and sound, in step, each disturbed in its own way.

A window is 48 frames and the sound under them, with 15 frames' worth of sound more on either
side: every offset that training compares. What is done to it is done to video and sound alike in
time, and apart in everything else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.ndimage
import scipy.signal
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from defectscope.detectors.av_sync.layout import HEIGHT, WIDTH
from defectscope.detectors.av_sync.sound import FRAMES_PER_VIDEO_FRAME, HOP, log_mel

ndimage, signal = cast("Any", scipy.ndimage), cast("Any", scipy.signal)

FRAMES = 48
OFFSETS = 15
SAMPLES_PER_FRAME = FRAMES_PER_VIDEO_FRAME * HOP
_SOUND_FRAMES = FRAMES + 2 * OFFSETS
# Mean and standard deviation of gestures over many takes, in the order of `GESTURES`.
_MEAN = np.array([0.22, 0.02, 0.3, 0.12, 0.1, 0.1], np.float32)
_SPREAD = np.array([0.17, 0.27, 0.25, 0.13, 0.15, 0.16], np.float32)
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """What one row of a batch is made of.

    Attributes:
        crops: (48, 48, 64) uint8.
        sound: (49920,) mono at 16 kHz, from 15 frames before the first.
        there: (78,) whether there is sound under a frame.
        gestures: (48, 6), None where nobody knows.
    """

    crops: NDArray[np.uint8]
    sound: Floats
    there: NDArray[np.bool_]
    gestures: NDArray[Any] | None


class Example:
    """A piece of a track with its sound: where a window can lie in it.

    Attributes:
        crops: (T, 48, 64) uint8.
        sound: int16 mono at 16 kHz.
        first: Frame of the 25 fps grid that row 0 is; sample 640 * first lies under it.
        late: By how many frames the sound comes late.
        gestures: (T, 6) where the mouth truly is; None where nobody knows.
    """

    def __init__(
        self,
        crops: NDArray[np.uint8],
        sound: NDArray[np.int16],
        first: int,
        late: float,
        gestures: NDArray[Any] | None = None,
    ) -> None:
        self.crops, self.sound, self.first, self.late = crops, sound, first, late
        self.gestures = gestures

    def window(self, rng: np.random.Generator) -> Window:
        """Returns a window anywhere, at a tempo of its own."""
        tempo = float(rng.uniform(0.9, 1.1))
        tempo = min(tempo, (len(self.crops) - 1) / FRAMES)
        span = FRAMES * tempo
        begin = float(rng.uniform(0.0, max(0.0, len(self.crops) - 1 - span)))
        rows = np.clip(np.rint(begin + np.arange(FRAMES) * tempo), 0, len(self.crops) - 1)
        crops = self.crops[rows.astype(int)]
        # The first sample wanted, in samples of the recording.
        start = (self.first + begin + self.late - OFFSETS * tempo) * SAMPLES_PER_FRAME
        places = start + np.arange(_SOUND_FRAMES * SAMPLES_PER_FRAME) * tempo
        inside = (places >= 0) & (places <= len(self.sound) - 1)
        low = max(0, int(places[0]) - 1)
        part = self.sound[low : max(low + 2, int(places[-1]) + 3)].astype(np.float32) / 32768
        if len(part) < 2:
            part = np.zeros(2, np.float32)
        sound_embeddings = np.interp(places, low + np.arange(len(part)), part).astype(np.float32)
        sound_embeddings[~inside] = 0.0
        there = inside.reshape(_SOUND_FRAMES, -1).mean(axis=1) > 0.99
        truth = None if self.gestures is None else self.gestures[rows.astype(int)]
        return Window(crops, sound_embeddings, there, truth)


def batch(windows: Sequence[Window], rng: np.random.Generator) -> Mapping[str, Tensor]:
    """Returns windows as tensors, disturbed.

    Returns:
        `crops` (n, 48, 48, 64) float 0 to 255, `mel` (n, 312, 40), `there` (n, 78), `gestures`
        (n, 48, 6) standardised, and `known` (n,) whether they are.
    """
    others = [w.sound for w in windows]
    mel = [
        log_mel(_disturbed(w.sound, others[(i + 1) % len(windows)], rng))
        for i, w in enumerate(windows)
    ]
    none = np.zeros((FRAMES, len(_MEAN)), np.float32)
    gestures = np.stack([none if w.gestures is None else w.gestures for w in windows])
    return {
        "crops": _seen_otherwise(torch.from_numpy(np.stack([w.crops for w in windows])), rng),
        "mel": torch.from_numpy(_masked(np.stack(mel), rng)),
        "there": torch.from_numpy(np.stack([w.there for w in windows])),
        "gestures": torch.from_numpy(((gestures - _MEAN) / _SPREAD).astype(np.float32)),
        "known": torch.from_numpy(np.array([w.gestures is not None for w in windows])),
    }


def _seen_otherwise(crops: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirrors, turns, moves, zooms, blurs and relights every window, the same in all frames."""
    count = len(crops)
    mirror = np.where(rng.uniform(size=count) < 0.5, -1.0, 1.0)
    turn = rng.normal(0, 0.06, count)
    zoom = np.exp(rng.normal(0, 0.08, count))
    # In the units of a sampling grid: the crop spans -1 to 1 both ways.
    move = rng.normal(0, [0.05, 0.08], (count, 2))
    cos, sin = np.cos(turn) * zoom, np.sin(turn) * zoom
    aspect = HEIGHT / WIDTH
    matrix = np.stack(
        [
            np.stack([cos * mirror, -sin * aspect, move[:, 0]], axis=1),
            np.stack([sin * mirror / aspect, cos, move[:, 1]], axis=1),
        ],
        axis=1,
    )
    grid = functional.affine_grid(
        torch.from_numpy(matrix.astype(np.float32)), [count, 1, HEIGHT, WIDTH], align_corners=False
    )
    out = functional.grid_sample(
        crops.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    if rng.uniform() < 0.5:
        half = rng.uniform(size=count) < 0.5
        blurred = functional.avg_pool2d(out, 3, 1, 1, count_include_pad=False)
        out = torch.where(torch.from_numpy(half)[:, None, None, None], blurred, out)
    gamma = torch.from_numpy(np.exp(rng.normal(0, 0.2, count)).astype(np.float32))
    out = 255 * (out / 255).clamp(0.002, 1) ** gamma[:, None, None, None]
    noise = torch.from_numpy(rng.exponential(1.5, count) * (rng.uniform(size=count) < 0.6))
    grain = torch.from_numpy(rng.standard_normal(out.shape, dtype=np.float32))
    return out + grain * noise.float()[:, None, None, None]


def _disturbed(sound: Floats, other: Floats, rng: np.random.Generator) -> Floats:
    """Another room, microphone, level and background."""
    level = float(np.sqrt(np.mean(sound**2)) + 1e-6)
    if rng.uniform() < 0.35:
        # Reflections: dense, decaying, faint beside the direct sound, so that it stays in place.
        length = int(rng.uniform(800, 5600))
        tail = rng.standard_normal(length) * np.exp(-np.arange(length) / (length / 5))
        tail *= rng.uniform(0.1, 0.6) / np.sqrt(np.sum(tail**2))
        tail[0] = 1.0
        sound = signal.fftconvolve(sound, tail)[: len(sound)].astype(np.float32)
    if rng.uniform() < 0.5:
        # A tilt of the spectrum, by a first difference or a first sum.
        before = np.concatenate([sound[:1], sound[:-1]])
        sound = np.asarray(sound + rng.uniform(-0.7, 0.7) * before, np.float32)
    if rng.uniform() < 0.6:
        rough = rng.standard_normal(len(sound), dtype=np.float32)
        if rng.uniform() < 0.5:
            rough = signal.lfilter([0.2], [1.0, -0.95], rough).astype(np.float32)
        under = 10 ** (-rng.uniform(8, 45) / 20)
        grown = level * under / float(np.std(rough))
        sound = np.asarray(sound + rough * grown, np.float32)
    if rng.uniform() < 0.15:
        # Somebody else in the background.
        loud = float(np.sqrt(np.mean(other**2)) + 1e-6)
        under = 10 ** (-rng.uniform(8, 25) / 20)
        sound = np.asarray(sound + np.roll(other, 9000) * (level / loud * under), np.float32)
    return np.asarray(sound * 10 ** (rng.uniform(-20, 6) / 20), np.float32)


def _masked(mel: Floats, rng: np.random.Generator) -> Floats:
    """Takes a band away from some, so that no band alone is relied on."""
    for row in np.flatnonzero(rng.uniform(size=len(mel)) < 0.3):
        low = int(rng.integers(0, 34))
        mel[row, :, low : low + int(rng.integers(2, 7))] = float(mel[row].mean())
    return mel
