"""Distortion of no named make, for training: any curve that bends a waveform, any coarse number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
Rng = np.random.Generator

# By severity, 1 to 5, under the signal.
_SDR_DB = (22.0, 18.0, 14.0, 11.0, 7.5)
_BISECTIONS = 9


def curve(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound through any bent curve, at its own rate or, smoothly, at four times it."""
    finer = 4 if rng.uniform() < 0.5 else 1
    places = np.sort(np.concatenate([-np.cumsum(rng.uniform(0.1, 0.6, 8)), [0.0],
                                     np.cumsum(rng.uniform(0.1, 0.6, 8))]))  # fmt: skip
    folds = rng.uniform() < 0.3
    slopes = np.exp(rng.normal(-float(rng.uniform(0.5, 3.5)), 0.8, 16))
    slopes *= np.where(rng.uniform(size=16) < (0.5 if folds else 0.0), -1.0, 1.0)
    slopes[7:9] = 1.0
    if rng.uniform() < 0.3:  # a converter that has no more numbers: nothing above its ceiling
        slopes[int(rng.integers(9, 12)) :] = 0.0
        if rng.uniform() < 0.7:
            slopes[: int(rng.integers(4, 7))] = 0.0
    if rng.uniform() < 0.3:
        slopes[int(rng.integers(0, 2)) * 8 :][:8] = 1.0
    heights = np.concatenate([[0.0], np.cumsum(np.diff(places) * slopes)])
    heights -= np.interp(0.0, places, heights)
    x = signal.resample_poly(sound, finer, 1) if finer > 1 else sound

    def bend(drive: float) -> Mono:
        y = np.interp(x * drive, places, heights) / drive
        return np.asarray(signal.resample_poly(y, 1, finer))[: len(sound)] if finer > 1 else y

    peak = max(float(np.abs(sound).max()), 1e-6)
    return _driven(sound, bend, level, (0.02 / peak, 60.0 / peak), rng)


def part(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound with only its bass or only its treble bent."""
    corner = float(np.exp(rng.uniform(np.log(200), np.log(3000))))
    sos = signal.butter(1, corner, "lowpass", fs=rate_hz, output="sos")
    low = np.asarray(signal.sosfilt(sos, sound))
    own, rest = (low, sound - low) if rng.uniform() < 0.6 else (sound - low, low)
    peak = max(float(np.abs(own).max()), 1e-6)
    power = float(rng.uniform(1.2, 12.0))

    def bend(drive: float) -> Mono:
        y = own * drive
        return y / (1 + np.abs(y) ** power) ** (1 / power) / drive + rest

    return _driven(sound, bend, level, (0.02 / peak, 300.0 / peak), rng)


def recovering(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound of an input that is overloaded, and takes its time to recover."""
    fall = float(np.exp(-1 / (rate_hz * np.exp(rng.uniform(np.log(0.002), np.log(0.2))))))
    power, depth = float(rng.uniform(2.0, 12.0)), float(rng.uniform(0.3, 0.95))
    peak = max(float(np.abs(sound).max()), 1e-6)

    def bend(drive: float) -> Mono:
        y = sound * drive
        over = np.maximum(np.abs(y) - 1, 0)
        # The coupling capacitor charges at once and discharges slowly: the bias moves.
        charge = signal.lfilter([1 - fall], [1.0, -fall], np.minimum(over, 1.0)) * 40
        bias = depth * np.tanh(charge)
        y = y - bias
        return (y / (1 + np.abs(y) ** power) ** (1 / power) + bias) / drive

    return _driven(sound, bend, level, (0.02 / peak, 100.0 / peak), rng)


def mixed_later(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns a clipped sound with an even level put on it later: its ceiling moves with a bed."""
    peak = max(float(np.abs(sound).max()), 1e-6)
    b, a = signal.butter(1, float(np.exp(rng.uniform(np.log(15), np.log(150)))), "high", fs=rate_hz)
    share = float(rng.uniform(0.0, 0.5))

    def bend(drive: float) -> Mono:
        clipped = np.clip(sound * drive, -1, 1) / drive
        return (1 - share) * np.asarray(signal.lfilter(b, a, clipped)) + share * sound

    return _driven(sound, bend, level, (0.5 / peak, 300.0 / peak), rng)


def coarse(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound in steps: of one size, of a size that follows it, shifted or noisy."""
    peak = max(float(np.abs(sound).max()), 1e-6)
    offset, noise = (
        float(rng.uniform()),
        float(rng.choice([0.0, 0.0, 0.5])) * rng.uniform(-1, 1, len(sound)),
    )
    size = np.ones(len(sound))
    if rng.uniform() < 0.4:
        frame = int(rate_hz * float(rng.uniform(0.002, 0.05)))
        around = np.sqrt(np.convolve(sound**2, np.ones(frame) / frame, "same"))
        size = around / max(float(around.max()), 1e-9) + 0.02

    def bend(drive: float) -> Mono:
        step = size * peak * drive
        return (np.floor(sound / step + offset + noise) + 1 - offset - 0.5) * step

    return _driven(sound, bend, level, (1e-4, 1.5), rng)


def sparse(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound at a lower rate, uneven at times, held or joined by lines."""
    jitter = float(rng.choice([0.0, 0.0, 0.3])) * rng.uniform(-1, 1, len(sound))
    straight = rng.uniform() < 0.4

    def bend(drive: float) -> Mono:
        kept = np.floor(np.arange(0, len(sound) - 1, drive) + 0.0)
        kept = np.clip(kept + np.round(jitter[: len(kept)] * drive), 0, len(sound) - 1)
        kept = np.unique(kept).astype(np.int64)
        if straight:
            return np.interp(np.arange(len(sound)), kept, sound[kept])
        place = np.searchsorted(kept, np.arange(len(sound)), side="right") - 1
        return sound[kept[np.maximum(place, 0)]]

    return _driven(sound, bend, level, (1.0, 24.0), rng)


def _driven(
    sound: Mono, bend: Callable[[float], Mono], level: int, reach: tuple[float, float], rng: Rng
) -> Mono:
    """Returns the sound as bent as its level asks for, as loud as it was."""
    wanted = _SDR_DB[level - 1] + float(rng.uniform(-1.5, 1.5))
    low, high = reach
    out = sound
    for _ in range(_BISECTIONS):
        middle = float(np.sqrt(low * high))
        out = bend(middle)
        gain = float(np.dot(sound, out) / max(float(np.dot(sound, sound)), 1e-12))
        lost = float(np.mean((out - gain * sound) ** 2)) + 1e-15
        ratio = 10 * np.log10(gain**2 * float(np.mean(sound**2)) / lost + 1e-12)
        low, high = (middle, high) if ratio > wanted else (low, middle)
    own = max(float(np.sqrt(np.mean(out**2))), 1e-9)
    return out * (float(np.sqrt(np.mean(sound**2))) / own)
