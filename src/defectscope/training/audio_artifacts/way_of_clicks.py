"""Clicks of no named make, for training: any short pulse, any buffer where it does not belong."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.simulate.effects.audio_span import band_level, rms
from defectscope.simulate.effects.sound import from_db

Mono = NDArray[np.float64]
Rng = np.random.Generator
Spans = list[tuple[int, int]]

# By severity, 1 to 5: pulses over the programme's baseline treble, buffers in milliseconds.
_CLICK_DB = (17.0, 21.0, 26.0, 32.0, 40.0)
_BUFFER_MS = (4.0, 7.0, 11.0, 19.0, 32.0)
_CLICK_HZ = (2000.0, 12000.0)
# An interval that runs ahead or behind is so many buffers long.
_LONGEST = 12.0


def _places(length: int, rate_hz: int, per_s: float, rng: Rng) -> list[int]:
    count = max(1, int(rng.poisson(per_s * length / rate_hz)))
    return sorted(int(p) for p in rng.integers(32, max(33, length - 32), count))


def pulses(sound: Mono, rate_hz: int, level: int, rng: Rng) -> tuple[Mono, Spans]:
    """Returns the sound with short pulses of any shape, alike or each another."""
    out, spans = sound.copy(), list[tuple[int, int]]()
    size = band_level(sound[:, None].astype(np.float32), rate_hz, *_CLICK_HZ)
    size *= from_db(_CLICK_DB[level - 1] + float(rng.uniform(-2, 2)))
    similar = rng.uniform() < 0.4
    shape = _pulse(rate_hz, rng)
    for place in _places(len(sound), rate_hz, float(np.exp(rng.uniform(-0.4, 3.5))), rng):
        shape = shape if similar else _pulse(rate_hz, rng)
        own = shape * size * float(rng.choice([-1, 1])) * from_db(-float(rng.exponential(3.0)))
        end = min(len(out), place + len(own))
        out[place:end] += own[: end - place]
        spans.append((place, end))
    return out, spans


def _pulse(rate_hz: int, rng: Rng) -> Mono:
    length = max(1, int(rate_hz * float(np.exp(rng.uniform(np.log(3e-5), np.log(4e-3))))))
    shape = rng.standard_normal(length + 8)
    shape = np.convolve(shape, np.hanning(int(rng.integers(2, 2 + max(2, length // 2)))), "same")
    shape = shape[:length] if rng.uniform() < 0.6 else np.ones(length)
    kind = rng.uniform()
    if kind < 0.4:
        shape = shape * np.exp(-np.arange(length) / max(1.0, length * rng.uniform(0.1, 0.6)))
    elif kind < 0.7:
        shape = shape * np.sin(np.pi * (np.arange(length) + 0.5) / length)
    return shape / max(float(np.abs(shape).max()), 1e-9)


def tailed(sound: Mono, rate_hz: int, level: int, rng: Rng) -> tuple[Mono, Spans]:
    """Returns the sound with pulses that ring on for 5 to 80 ms, as in a room or a filter."""
    out, spans = sound.copy(), list[tuple[int, int]]()
    size = band_level(sound[:, None].astype(np.float32), rate_hz, *_CLICK_HZ)
    size *= from_db(_CLICK_DB[level - 1] + float(rng.uniform(-2, 2)))
    length = max(8, int(rate_hz * float(np.exp(rng.uniform(np.log(0.005), np.log(0.08))))))
    fall = np.exp(-6.9 * np.arange(length) / length)
    tail = rng.standard_normal(length) * fall * float(rng.uniform(0.02, 0.3))
    if rng.uniform() < 0.4:
        hz = float(np.exp(rng.uniform(np.log(150), np.log(6000))))
        tail = np.sin(2 * np.pi * hz * np.arange(length) / rate_hz) * fall
        tail *= float(rng.uniform(0.05, 0.5))
    for place in _places(len(sound), rate_hz, float(np.exp(rng.uniform(-0.4, 2.5))), rng):
        pulse = _pulse(rate_hz, rng)
        own = np.pad(pulse, (0, length))
        own[len(pulse) :] += tail * float(np.sqrt(np.mean(pulse**2)))
        own *= size * float(rng.choice([-1, 1])) * from_db(-float(rng.exponential(3.0)))
        end = min(len(out), place + len(own))
        out[place:end] += own[: end - place]
        spans.append((place, end))
    return out, spans


def misplaced(sound: Mono, rate_hz: int, level: int, rng: Rng) -> tuple[Mono, Spans]:
    """Returns the sound with buffers from elsewhere in it, or with nothing in them."""
    return _replaced(sound, rate_hz, level, rng, longest=1.0)


def jumped(sound: Mono, rate_hz: int, level: int, rng: Rng) -> tuple[Mono, Spans]:
    """Returns the sound with intervals that run ahead or behind: samples lost or played twice."""
    return _replaced(sound, rate_hz, level, rng, longest=_LONGEST)


def _replaced(
    sound: Mono, rate_hz: int, level: int, rng: Rng, longest: float
) -> tuple[Mono, Spans]:
    out, spans = sound.copy(), list[tuple[int, int]]()
    length = max(8, int(rate_hz * _BUFFER_MS[level - 1] * float(rng.uniform(0.8, 1.25)) / 1000))
    span = round(length * longest)
    loud, kind = rms(sound[:, None]) * from_db(-12.0), rng.uniform()
    lag = float(rng.choice([1.0, 1.0, 2.0, 3.0, float(rng.uniform(1.0, 5.0))]))
    ahead = rng.uniform() < 0.3
    for place in _places(len(sound), rate_hz, float(np.exp(rng.uniform(0.2, 1.8))), rng):
        end = place + span
        start = place + round(lag * length) if ahead else place - round(lag * length)
        if spans and place < spans[-1][1] + length:
            continue
        if start < 0 or end + 2 > len(sound) or start + span > len(sound):
            continue
        if rms(sound[place - min(place, length) : place + length, None]) < loud:
            continue
        own = sound[start : start + span]
        if longest == 1.0 and kind < 0.35:
            own = np.zeros(span) if kind < 0.2 else own * -1.0 if kind < 0.25 else own[::-1]
        out[place:end] = own
        spans += [(place, end)] if longest == 1.0 else [(place, place + 8), (end, end + 8)]
    return out, spans
