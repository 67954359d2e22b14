"""Distortion by ways that the simulators do not use: (sound, rate, level, rng) -> sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.training.audio_artifacts.coding import through_codec

signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
Rng = np.random.Generator


SDR_DB = (22.0, 18.0, 14.0, 11.0, 8.0)
# Bits per second of a coder that has too few of them, by level.
STARVED_BITS = (24000, 18000, 13000, 9000, 6000)


def _driven(
    sound: Mono, shape: Callable[[Mono, float], Mono], level: int, low: float, high: float
) -> Mono:
    """Returns the sound through a bend whose strength gives the level's signal to distortion."""
    peak = max(float(np.abs(sound).max()), 1e-9)
    x = sound / peak
    for _ in range(12):
        middle = float(np.sqrt(low * high))
        y = shape(x, middle)
        gain = float(np.dot(x, y) / max(np.dot(x, x), 1e-12))
        lost = float(np.mean((y - gain * x) ** 2)) + 1e-15
        sdr = 10 * np.log10(gain**2 * float(np.mean(x**2)) / lost + 1e-12)
        low, high = (middle, high) if sdr > SDR_DB[level - 1] else (low, middle)
    out = shape(x, float(np.sqrt(low * high)))
    own = float(np.sqrt(np.mean(out**2)))
    return out * (float(np.sqrt(np.mean(sound**2))) / max(own, 1e-9))


def ceiling(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound under one hard ceiling."""
    return _driven(sound, lambda x, k: np.clip(k * x, -1, 1), level, 1.0, 300.0)


def lopsided(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound under ceilings of two heights."""
    bottom = float(rng.uniform(0.3, 0.7))
    return _driven(sound, lambda x, k: np.clip(k * x, -bottom, 1), level, 0.5, 300.0)


def cubic(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound through a cubic bend."""

    def bend(x: Mono, k: float) -> Mono:
        y = np.clip(k * x, -1, 1)
        return 1.5 * y - 0.5 * y**3

    return _driven(sound, bend, level, 0.3, 300.0)


def crushed(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound in coarse, even steps without zero."""
    return _driven(sound, lambda x, k: (np.floor(x / k) + 0.5) * k, level, 1e-4, 2.0)


def folded(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound folded back where it is too loud."""

    def fold(x: Mono, k: float) -> Mono:
        return np.abs((k * x - 1) % 4 - 2) - 1

    return _driven(sound, fold, level, 0.9, 60.0)


def aliased(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound at a lower rate without the filters that belong there."""

    def fewer(x: Mono, k: float) -> Mono:
        place = np.arange(len(x))
        kept = np.floor(place / k) * k
        return np.interp(kept, place, x)

    return _driven(sound, fewer, level, 1.01, 12.0)


def overshoot(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns what a converter clips between the samples: bent at four times the rate."""

    def bend(x: Mono, k: float) -> Mono:
        fine = np.clip(k * signal.resample_poly(x, 4, 1), -1, 1)
        return np.asarray(signal.resample_poly(fine, 1, 4))[: len(x)]

    return _driven(sound, bend, level, 1.0, 300.0)


def starved(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns the sound through Opus with too few bits."""
    coded = through_codec(sound.astype(np.float32), rate_hz, "libopus", STARVED_BITS[level - 1])
    return coded.astype(np.float64)
