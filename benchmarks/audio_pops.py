"""Clicks by ways that the simulators do not use: (sound, rate, level, rng) -> damaged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
Rng = np.random.Generator


CLICK_BAND_HZ = (2000.0, 12000.0)
CLICK_DB = (17.0, 21.0, 26.0, 32.0, 40.0)
CLICK_MS = (3.0, 6.0, 11.0, 20.0, 34.0)


@dataclass(frozen=True, slots=True)
class Damaged:
    """A damaged sound.

    Attributes:
        sound: (n,) the damaged sound.
        events: First and last sample of each event; one for lasting defects.
    """

    sound: Mono
    events: tuple[tuple[int, int], ...]


def band(sound: Mono, rate_hz: int, band_hz: tuple[float, float]) -> Mono:
    """Returns the sound between two frequencies."""
    high = min(band_hz[1], 0.45 * rate_hz)
    sos = signal.butter(2, [band_hz[0], high], "bandpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfilt(sos, sound))


def usual_level(sound: Mono, rate_hz: int, band_hz: tuple[float, float]) -> float:
    """Returns the median over tenths of a second, at least 42 dB below the overall level."""
    frame = rate_hz // 10
    inside = band(sound, rate_hz, band_hz)
    inside = inside[: max(1, len(inside) // frame) * frame]
    rows = inside.reshape(-1, frame) if len(inside) >= frame else inside[None]
    levels = np.sqrt(np.mean(rows**2, axis=1))
    overall = float(np.sqrt(np.mean(sound**2)))
    return max(float(np.median(levels)), overall * 10 ** (-42 / 20), 1e-5)


def _places(length: int, rate_hz: int, per_s: float, rng: Rng) -> list[int]:
    step = rate_hz / per_s
    count = max(1, int(length / step))
    places = (np.arange(count) + rng.uniform(0.15, 0.85, count)) * min(step, length / count)
    return [int(p) for p in places if 64 < p < length - 64] or [length // 2]


def pulses(shape: Callable[[int, Rng], Mono]) -> Callable[..., Damaged]:
    """Returns a maker of clicks of one shape, some a second."""

    def make(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Damaged:
        gain_db = CLICK_DB[level - 1] + rng.uniform(-2, 2)
        size = usual_level(sound, rate_hz, CLICK_BAND_HZ) * 10 ** (gain_db / 20)
        out, events = sound.copy(), []
        for place in _places(len(sound), rate_hz, float(np.exp(rng.uniform(0, 2.2))), rng):
            pulse = shape(rate_hz, rng) * size * float(rng.choice([-1, 1]))
            end = min(len(out), place + len(pulse))
            out[place:end] += pulse[: end - place]
            events.append((place, end))
        return Damaged(out, tuple(events))

    return make


def spike(rate_hz: int, rng: Rng) -> Mono:
    """Returns one to three equal samples."""
    return np.ones(int(rng.integers(1, 4)))


def half_sine(rate_hz: int, rng: Rng) -> Mono:
    """Returns half a period of a sine."""
    return np.sin(np.linspace(0, np.pi, max(3, int(rate_hz * rng.uniform(2e-4, 8e-4)))))


def double(rate_hz: int, rng: Rng) -> Mono:
    """Returns three spikes, each smaller."""
    gap = int(rate_hz * rng.uniform(3e-4, 2e-3))
    return np.concatenate([[1.0], np.zeros(gap), [-0.8], np.zeros(gap), [0.4]])


def static(rate_hz: int, rng: Rng) -> Mono:
    """Returns a burst of noise that falls."""
    length = max(8, int(rate_hz * rng.uniform(3e-4, 3e-3)))
    return rng.uniform(-1, 1, length) * np.linspace(1, 0, length)


def lost(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Damaged:
    """Returns the sound with packets lost: silence with steep edges."""
    return _buffers(sound, rate_hz, level, rng, lambda before, length: np.zeros(length))


def looped(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Damaged:
    """Returns the sound with buffers heard again at once."""
    return _buffers(sound, rate_hz, level, rng, lambda before, length: before[-length:])


def stale(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Damaged:
    """Returns the sound with buffers filled by an older one, a stale ring buffer."""
    return _buffers(sound, rate_hz, level, rng, lambda before, length: before[:length])


def _buffers(
    sound: Mono, rate_hz: int, level: int, rng: Rng, fill: Callable[[Mono, int], Mono]
) -> Damaged:
    length = max(8, int(rate_hz * CLICK_MS[level - 1] * rng.uniform(0.8, 1.25) / 1000))
    loud = float(np.sqrt(np.mean(sound**2))) * 10 ** (-12 / 20)
    out, events = sound.copy(), []
    for place in _places(len(sound), rate_hz, float(np.exp(rng.uniform(0.3, 1.8))), rng):
        start = max(place, 3 * length)
        near = sound[start - length : start + length]
        if start + length > len(out) or float(np.sqrt(np.mean(near**2))) < loud:
            continue
        out[start : start + length] = fill(sound[start - 3 * length : start], length)
        events.append((start, start + length))
    return Damaged(out, tuple(events))


def skipped(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Damaged:
    """Returns the sound with samples lost: what follows comes too early until the next loss."""
    length = max(8, int(rate_hz * CLICK_MS[level - 1] * rng.uniform(0.8, 1.25) / 1000))
    out, events, reached = sound.copy(), [], 0
    for place in _places(len(sound), rate_hz, float(np.exp(rng.uniform(-0.5, 1.0))), rng):
        span = int(rate_hz * float(rng.uniform(0.08, 0.3)))
        if place <= reached or place + span + length > len(sound):
            continue
        out[place : place + span] = sound[place + length : place + length + span]
        events += [(place, place + 4), (place + span, place + span + 4)]
        reached = place + span + rate_hz // 10
    return Damaged(out, tuple(events))


def vinyl(rate_hz: int, rng: Rng) -> Mono:
    """Returns the pop of a scratch: a tick, then the arm's thump."""
    at = np.arange(int(rate_hz * float(rng.uniform(0.004, 0.02)))) / rate_hz
    thump = np.sin(2 * np.pi * float(rng.uniform(120, 600)) * at) * np.exp(-at / 0.004)
    tick = rng.standard_normal(len(at)) * np.exp(-at / float(rng.uniform(1e-4, 5e-4)))
    both = tick / max(float(np.abs(tick).max()), 1e-9) + float(rng.uniform(0.2, 1.0)) * thump
    return both / float(np.abs(both).max())
