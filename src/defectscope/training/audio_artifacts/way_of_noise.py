"""Hum and hiss that come, go, drift and drown, for training.

Noise of equipment is steady or changes slowly. It sets in when something is switched on, fades as
somebody turns a control, and is louder than the programme where that is soft. What decays or
glides within a second is an effect, and lies among `noise_negatives`.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

ndimage = cast("Any", scipy.ndimage)

Mono = NDArray[np.float64]
Rng = np.random.Generator

# Slower than any effect: 6 dB in a second at most.
_FADE_DB_PER_S = 6.0
_EDGE_S = (0.001, 0.25)
# Supplies, motors and converters.
_SUPPLY_HZ = (40.0, 440.0)


def switched(sound: Mono, rate_hz: int, rng: Rng) -> Mono:
    """Returns a sound that sets in, stops, or does both, once."""
    length = len(sound)
    first, last = sorted(int(p) for p in rng.uniform(0.0, 1.0, 2) * length)
    if rng.uniform() < 0.4:
        first = 0
    elif rng.uniform() < 0.5:
        last = length
    # Less than 0.6 s would be a bleep.
    last = min(length, max(last, first + int(0.6 * rate_hz)))
    envelope = np.zeros(length)
    envelope[first:last] = 1.0
    edge = max(1, int(float(np.exp(rng.uniform(*np.log(_EDGE_S)))) * rate_hz))
    return sound * ndimage.uniform_filter1d(envelope, edge, mode="nearest")


def skirted(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns lines that are a few hertz wide, at multiples of any supply's frequency.

    The frequency of a grid wanders by some hundredths of a hertz, that of a motor or generator
    under load by a hundred times as much. Source: Grigoras, "Applications of ENF analysis in
    forensic authentication of digital audio and video recordings", JAES 57(9), 2009.
    """
    hz = float(np.exp(rng.uniform(*np.log(_SUPPLY_HZ))))
    own = 50.0 if rng.uniform() < 0.5 else 60.0
    hz = own * int(rng.choice([1, 2, 6])) if rng.uniform() < 0.4 else hz
    wander = _slow(length, rate_hz, float(rng.uniform(0.2, 3.0)), rng) * float(rng.uniform(0, 0.01))
    phase = 2 * np.pi * np.cumsum(hz * (1 + wander)) / rate_hz
    width_hz = float(np.exp(rng.uniform(np.log(0.3), np.log(8.0))))
    tilt, odd = float(rng.uniform(0.0, 1.8)), float(rng.uniform(0.05, 1.0))
    out = np.zeros(length)
    for k in range(1, int(rng.integers(2, 30))):
        if k * hz > 0.45 * rate_hz:
            break
        depth = float(rng.uniform(0, 0.5))
        sway = 1 + depth * _slow(length, rate_hz, width_hz, rng)
        turn = depth * _slow(length, rate_hz, width_hz, rng)
        size = k**-tilt * (odd if k % 2 == 0 else 1.0) * float(np.exp(0.6 * rng.standard_normal()))
        out += size * sway * np.sin(k * phase + turn + float(rng.uniform(0, 2 * np.pi)))
    return switched(out, rate_hz, rng) if rng.uniform() < 0.4 else out


def faded(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns coloured noise that rises or falls slowly, by 6 dB in a second at most."""
    slope = float(rng.uniform(-_FADE_DB_PER_S, _FADE_DB_PER_S))
    out = _noise(length, rate_hz, rng)
    seconds = np.arange(length) / rate_hz
    out = out * 10 ** ((slope * seconds - max(0.0, slope * length / rate_hz)) / 20)
    return switched(out, rate_hz, rng) if rng.uniform() < 0.4 else out


def drowning(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns coloured noise whose level goes by the whole programme, not by its treble."""
    out = _noise(length, rate_hz, rng)
    return switched(out, rate_hz, rng) if rng.uniform() < 0.3 else out


def spans(sound: Mono, rate_hz: int) -> list[tuple[int, int]]:
    """Returns where an added sound is, to a twentieth of a second."""
    frame = rate_hz // 20
    count = max(1, -(-len(sound) // frame))
    padded = np.pad(sound, (0, count * frame - len(sound)))
    size = np.sqrt(np.mean(padded.reshape(count, frame) ** 2, axis=1))
    there = np.pad((size > 1e-3 * max(float(size.max()), 1e-12)).astype(np.int8), 1)
    edges = np.flatnonzero(np.diff(there)) * frame
    return [(int(a), int(min(b, len(sound)))) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _slow(length: int, rate_hz: int, hz: float, rng: Rng) -> Mono:
    """Returns a random line that changes about so many times in a second, within -1 and 1."""
    values = np.clip(rng.standard_normal(max(2, int(2 * hz * length / rate_hz) + 2)) / 2, -1, 1)
    return np.interp(np.linspace(0, len(values) - 1, length), np.arange(len(values)), values)


def _noise(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns noise with one slope from -4 to +4 dB an octave, at times between two corners."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hz = np.maximum(np.fft.rfftfreq(length, 1 / rate_hz), 50.0)
    gain = (hz / 1000.0) ** (float(rng.uniform(-4, 4)) / 6.02)
    if rng.uniform() < 0.35:
        gain = gain / (1 + (hz / float(rng.uniform(4000, 15000))) ** int(rng.choice([2, 6, 24])))
    if rng.uniform() < 0.25:
        gain = gain / (1 + (float(rng.uniform(200, 2500)) / hz) ** int(rng.choice([2, 6])))
    return np.fft.irfft(spectrum * gain, length)
