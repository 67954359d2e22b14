"""Talking mouths in step with speech, to a few milliseconds: what lip sync is learned from.

Speech is a recording with the times of its phones, real or synthesised; the mouth that says it is
drawn or warped from a photograph of closed lips, then seen through a camera and a codec: another
frame rate, a head that moves, light that changes, blur, noise, coarse quantisation, frames that
stick. It comes out as the crops that the detector cuts from real faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from defectscope.simulate.synthetic.mouth_frames import (
    HEIGHT,
    WIDTH,
    Inside,
    Pose,
    drawn_still,
    render,
)
from defectscope.simulate.synthetic.mouth_motion import Manner, Phone, motion

ndimage, fft = cast("Any", scipy.ndimage), cast("Any", scipy.fft)

RATE_HZ = 16000
GRID_FPS = 25.0
_SOURCES_FPS = (23.976, 25.0, 25.0, 25.0, 29.97, 30.0, 50.0, 59.94)
_BLOCK = 8
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Utterance:
    """Speech and its phones.

    Attributes:
        samples: Mono at 16 kHz.
        phones: In order, times from the first sample.
        voice: Who speaks.
    """

    samples: Floats
    phones: tuple[Phone, ...]
    voice: str


@dataclass(frozen=True, slots=True)
class Take:
    """A mouth and its sound.

    Attributes:
        crops: (T, 48, 64) luma at 25 fps.
        samples: (T * 640,) mono at 16 kHz; sample 640 t belongs to the start of frame t.
        gestures: (T, 6) where the mouth truly was, see `_mouth_motion.GESTURES`.
    """

    crops: NDArray[np.uint8]
    samples: Floats
    gestures: Floats


def take(
    utterances: Sequence[Utterance],
    frames: int,
    rng: np.random.Generator,
    still: tuple[Floats, float] | None = None,
) -> Take:
    """Returns a mouth that says some of the utterances.

    Args:
        utterances: To choose from, one voice.
        frames: Length at 25 fps.
        rng: Draws the words, the face, the camera and the codec.
        still: A photograph of closed lips, (144, 160) codes, and the skin's mean; None draws one.
    """
    samples, phones = _speech(utterances, frames / GRID_FPS, rng)
    times_s = _shown(frames, float(rng.choice(_SOURCES_FPS)), rng)
    # What is visible of a frame is the middle of its exposure.
    gestures = motion(phones, times_s + rng.uniform(0.0, 0.01), Manner.draw(rng), rng)
    face, skin = drawn_still(rng) if still is None else still
    crops = render(face, Inside.draw(rng, skin), gestures, _pose(times_s, rng))
    crops = _through_camera(crops, rng)
    crops = _through_codec(crops, rng)
    return Take(
        np.clip(np.rint(crops), 0, 255).astype(np.uint8), samples, gestures.astype(np.float32)
    )


def _speech(
    utterances: Sequence[Utterance], length_s: float, rng: np.random.Generator
) -> tuple[Floats, list[Phone]]:
    """Strings utterances together, each a little faster or slower, with pauses between."""
    speed = float(rng.uniform(0.86, 1.16))
    out = np.zeros(round(length_s * RATE_HZ), np.float32)
    phones: list[Phone] = []
    first = utterances[int(rng.integers(len(utterances)))]
    # Begin anywhere in the first one.
    at_s = -float(rng.uniform(0.0, max(0.1, len(first.samples) / RATE_HZ / speed - 1.0)))
    utterance = first
    while at_s < length_s:
        count = int(len(utterance.samples) / speed)
        # Played faster or slower as a tape would be: another voice as well as another tempo.
        places = np.arange(count) * speed
        sound = np.interp(places, np.arange(len(utterance.samples)), utterance.samples)
        begin = round(at_s * RATE_HZ)
        low, high = max(0, begin), min(len(out), begin + count)
        if high > low:
            out[low:high] = sound[low - begin : high - begin]
        for phone in utterance.phones:
            start_s, end_s = at_s + phone.start_s / speed, at_s + phone.end_s / speed
            if end_s > -2 and start_s < length_s + 2:
                phones.append(Phone(phone.name, start_s, end_s))
        at_s += count / RATE_HZ + float(rng.choice([0.0, rng.exponential(0.3)]))
        utterance = utterances[int(rng.integers(len(utterances)))]
    return out, phones or [Phone("pau", 0.0, length_s)]


def _shown(frames: int, source_fps: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns when the frames on the grid were taken: those of the source that are nearest."""
    grid_s = np.arange(frames) / GRID_FPS
    if source_fps == GRID_FPS:
        times_s = grid_s
    else:
        start_s = float(rng.uniform(0.0, 1 / source_fps))
        times_s = np.rint((grid_s - start_s) * source_fps) / source_fps + start_s
    if rng.uniform() < 0.12:
        # Some frames stick: the one before is shown again.
        stuck = rng.uniform(size=frames) < rng.uniform(0.02, 0.15)
        kept = np.maximum.accumulate(np.where(stuck, 0, np.arange(frames)))
        times_s = times_s[kept]
    return times_s


def _pose(times_s: NDArray[np.float64], rng: np.random.Generator) -> Pose:
    """Draws what stabilisation leaves of a moving head."""
    count = len(times_s)

    def drift(amount: float, frames: float) -> NDArray[np.float64]:
        rough = ndimage.gaussian_filter1d(rng.standard_normal(count + 40), frames, mode="nearest")
        return np.asarray(amount * rough[20:-20] / max(float(rough.std()), 1e-9))

    lively = float(rng.choice([0.3, 1.0, 2.5], p=[0.45, 0.4, 0.15]))
    trembling = float(rng.uniform(0.002, 0.012))
    return Pose(
        x=rng.normal(0, 0.02) + drift(0.015 * lively, 5) + drift(trembling, 0.5),
        y=rng.normal(0, 0.05) + drift(0.02 * lively, 5) + drift(trembling, 0.5),
        turn_rad=rng.normal(0, 0.05) + drift(0.03 * lively, 8) + drift(0.006, 0.7),
        scale=float(rng.uniform(0.78, 1.12)) * (1 + drift(0.02 * lively, 8)),
        yaw=rng.normal(0, 0.15) + drift(0.05 * lively, 10),
    )


def _through_camera(crops: Floats, rng: np.random.Generator) -> Floats:
    """Light that changes, lens and scaling blur, tone curve, sensor noise."""
    count = len(crops)
    breath = ndimage.gaussian_filter1d(rng.standard_normal(count + 40), 8)[20:-20]
    breath = breath / max(float(breath.std()), 1e-9)
    light = 1 + float(rng.choice([0.0, 0.01, 0.04])) * breath
    crops = crops * light[:, None, None].astype(np.float32)
    blur = float(rng.choice([0.3, rng.uniform(0.4, 1.0), rng.uniform(1.0, 1.9)], p=[0.3, 0.5, 0.2]))
    crops = np.asarray(ndimage.gaussian_filter(crops, (0, blur, blur)), np.float32)
    if rng.uniform() < 0.15:
        # Slow shutters and the codec's own filters smear over time, both ways alike.
        crops = np.asarray(ndimage.gaussian_filter1d(crops, rng.uniform(0.3, 0.6), axis=0))
    gamma, gain, lift = rng.uniform(0.75, 1.35), rng.uniform(0.75, 1.12), rng.uniform(-8, 20)
    crops = np.asarray(255 * np.clip(crops / 255, 0, 1) ** gamma * gain + lift, np.float32)
    noise = float(
        rng.choice([0.0, rng.uniform(0.5, 2.0), rng.uniform(2.0, 6.0)], p=[0.3, 0.5, 0.2])
    )
    if noise > 0:
        grain = rng.standard_normal(crops.shape, dtype=np.float32)
        crops = crops + noise * ndimage.gaussian_filter(grain, (0, 0.5, 0.5)) * 1.6
    return np.asarray(crops, np.float32)


def _through_codec(crops: Floats, rng: np.random.Generator) -> Floats:
    """Coarse quantisation in blocks, coarser for details, with some frames better than others."""
    if rng.uniform() < 0.3:
        return crops
    step = float(np.exp(rng.uniform(np.log(1.5), np.log(14))))
    over, down = (int(rng.integers(_BLOCK)) for _ in range(2))
    shifted = np.roll(crops, (down, over), axis=(1, 2))
    blocks = shifted.reshape(-1, HEIGHT // _BLOCK, _BLOCK, WIDTH // _BLOCK, _BLOCK)
    terms = fft.dctn(blocks, axes=(2, 4), norm="ortho")
    order = np.add.outer(np.arange(_BLOCK), np.arange(_BLOCK))
    each = step * (0.5 + 0.35 * order)[None, None, :, None, :]
    period = int(rng.integers(4, 30))
    better = np.where(np.arange(len(crops)) % period == 0, 0.5, 1.0)
    each = each * better[:, None, None, None, None]
    terms = np.rint(terms / each) * each
    back = fft.idctn(terms, axes=(2, 4), norm="ortho").reshape(crops.shape)
    return np.asarray(np.roll(back, (-down, -over), axis=(1, 2)), np.float32)
