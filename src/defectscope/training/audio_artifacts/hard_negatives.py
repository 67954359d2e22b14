"""Sounds that are no defects and resemble them: laid under clean and impaired clips alike.

Bass notes at the frequencies of the mains, hi-hats, snares, applause, engines, breath and
sibilants, distorted guitars as an instrument, beeps and ticking clocks; all synthesised.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

# SciPy annotates its results with arrays of other libraries as well.
signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
_Rng = np.random.Generator


def hard_negative(length: int, rate_hz: int, rng: np.random.Generator) -> tuple[str, Mono]:
    """Returns the name of a hard negative and its sound, RMS 1, of `length` samples."""
    name = str(rng.choice(list(HARD_NEGATIVES)))
    sound = HARD_NEGATIVES[name](length, rate_hz, rng)
    return name, sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9)


def _onsets(length: int, rate_hz: int, rng: _Rng, slow_s: float, fast_s: float) -> list[int]:
    """Returns a tempo's beats, some left out."""
    step = float(np.exp(rng.uniform(np.log(fast_s), np.log(slow_s)))) * rate_hz
    start = float(rng.uniform(0, step))
    places = np.arange(start, length, step)
    kept = [int(p + rng.normal(0, 0.004) * rate_hz) for p in places if rng.uniform() < 0.85]
    return [p for p in kept if 0 <= p < length] or [int(start) % length]


def _put(out: Mono, place: int, sound: Mono) -> None:
    end = min(len(out), place + len(sound))
    out[place:end] += sound[: end - place]


def _decay(count: int, rate_hz: int, seconds: float) -> Mono:
    return np.exp(-np.arange(count) / (seconds * rate_hz))


def _bass(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    onsets = [*_onsets(length, rate_hz, rng, 1.6, 0.2), length]
    roots = rng.choice(
        [41.2, 43.7, 49.0, 50.0, 51.9, 55.0, 58.3, 60.0, 61.7, 98.0, 100.0, 120.0], 3
    )
    partials = int(rng.integers(1, 16))
    tilt = float(rng.uniform(0.7, 2.0))
    for begin, end in pairwise(onsets):
        count = max(8, int((end - begin) * rng.uniform(0.5, 1.0)))
        seconds = np.arange(count) / rate_hz
        pitch = float(rng.choice(roots))
        note = np.zeros(count)
        for k in range(1, partials + 1):
            note += np.sin(2 * np.pi * k * pitch * seconds + rng.uniform(0, 6)) / k**tilt
        edge = max(1, min(count // 2, int(0.008 * rate_hz)))
        envelope = _decay(count, rate_hz, float(rng.uniform(0.15, 2.0)))
        envelope[:edge] *= np.linspace(0, 1, edge)
        envelope[-edge:] *= np.linspace(1, 0, edge)
        _put(out, begin, note * envelope)
    return out


def _band(noise: Mono, rate_hz: int, low_hz: float, high_hz: float) -> Mono:
    high_hz = min(high_hz, 0.48 * rate_hz)
    sos = signal.butter(2, [low_hz, high_hz], "bandpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfilt(sos, noise))


def _hats(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    decay_s = float(rng.uniform(0.015, 0.25))
    for place in _onsets(length, rate_hz, rng, 0.5, 0.1):
        count = int(5 * decay_s * rate_hz)
        hit = rng.standard_normal(count) * _decay(count, rate_hz, decay_s)
        _put(out, place, hit * rng.uniform(0.4, 1.0))
    return _band(out, rate_hz, float(rng.uniform(3000, 7000)), 15500)


def _snares(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    body_hz = float(rng.uniform(140, 240))
    for place in _onsets(length, rate_hz, rng, 1.0, 0.25):
        count = int(0.4 * rate_hz)
        tone = np.sin(2 * np.pi * body_hz * np.arange(count) / rate_hz)
        hit = tone * _decay(count, rate_hz, 0.05)
        hit += 0.8 * rng.standard_normal(count) * _decay(count, rate_hz, 0.09)
        _put(out, place, hit * rng.uniform(0.6, 1.0))
    return _band(out, rate_hz, 90, 14000)


def _applause(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    claps = int(float(np.exp(rng.uniform(np.log(8), np.log(250)))) * length / rate_hz) + 1
    for place in rng.integers(0, length, claps):
        count = int(0.03 * rate_hz)
        clap = rng.standard_normal(count) * _decay(count, rate_hz, float(rng.uniform(0.002, 0.008)))
        _put(out, int(place), clap * float(rng.uniform(0.1, 1.0)) ** 2)
    return _band(out, rate_hz, 500, float(rng.uniform(4000, 9000)))


def _engine(length: int, rate_hz: int, rng: _Rng) -> Mono:
    seconds = np.arange(length) / rate_hz
    speed = float(rng.uniform(22, 110))
    sway = 1 + rng.uniform(0.02, 0.25) * np.sin(2 * np.pi * rng.uniform(0.1, 0.8) * seconds)
    # Every firing differs a little: pitch wanders, unlike the mains.
    wander = np.cumsum(rng.standard_normal(length)) / np.sqrt(length) * 0.05
    phase = 2 * np.pi * np.cumsum(speed * (sway + wander)) / rate_hz
    out = np.zeros(length)
    for k in range(1, 14):
        out += np.sin(k * phase + rng.uniform(0, 6)) * rng.uniform(0.2, 1.0) / k
    rumble = _band(rng.standard_normal(length), rate_hz, 60, 1200)
    return out + rumble * float(rng.uniform(0.3, 1.5)) * (1 + 0.5 * np.sin(phase))


def _breath(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    for place in _onsets(length, rate_hz, rng, 1.6, 0.35):
        count = int(float(rng.uniform(0.07, 0.5)) * rate_hz)
        puff = rng.standard_normal(count) * np.hanning(count)
        low = float(rng.uniform(800, 5000))
        _put(out, place, _band(puff, rate_hz, low, low * rng.uniform(1.6, 3)))
    return out


def _guitar(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    for place in _onsets(length, rate_hz, rng, 1.5, 0.15):
        count = int(float(rng.uniform(0.2, 2.0)) * rate_hz)
        root = 82.4 * 2 ** (float(rng.integers(0, 12)) / 12)
        seconds = np.arange(count) / rate_hz
        chord = np.zeros(count)
        for ratio in (1.0, 1.5, 2.0):
            chord += signal.sawtooth(2 * np.pi * root * ratio * seconds + rng.uniform(0, 6))
        chord *= _decay(count, rate_hz, float(rng.uniform(0.3, 1.5)))
        _put(out, place, chord)
    # The cabinet takes the treble away: an instrument, not a fault of the programme.
    bent = np.tanh(out * float(rng.uniform(2, 12)))
    return _band(bent, rate_hz, 90, float(rng.uniform(3500, 6000)))


def _beeps(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    pitch = float(np.exp(rng.uniform(np.log(180), np.log(6000))))
    for place in _onsets(length, rate_hz, rng, 2.0, 0.2):
        count = int(float(rng.uniform(0.05, 1.2)) * rate_hz)
        note = np.sin(2 * np.pi * pitch * np.arange(count) / rate_hz)
        if rng.uniform() < 0.3:
            note = np.sign(note) * 0.5 + note * 0.5
        edge = max(1, min(count // 2, int(0.01 * rate_hz)))
        note[:edge] *= np.linspace(0, 1, edge)
        note[-edge:] *= np.linspace(1, 0, edge)
        _put(out, place, note)
    return out


def _ticks(length: int, rate_hz: int, rng: _Rng) -> Mono:
    out = np.zeros(length)
    tone_hz = float(rng.uniform(1200, 5000))
    ring_s = float(rng.uniform(0.006, 0.04))
    for place in _onsets(length, rate_hz, rng, 1.0, 0.2):
        count = int(6 * ring_s * rate_hz)
        seconds = np.arange(count) / rate_hz
        tick = np.sin(2 * np.pi * tone_hz * seconds) + 0.6 * np.sin(
            2 * np.pi * tone_hz * 1.7 * seconds
        )
        tick *= _decay(count, rate_hz, ring_s) * (1 - _decay(count, rate_hz, 0.0012))
        _put(out, place, tick * rng.uniform(0.7, 1.0))
    return out


HARD_NEGATIVES: dict[str, Callable[[int, int, np.random.Generator], Mono]] = {
    "bass": _bass,
    "hats": _hats,
    "snares": _snares,
    "applause": _applause,
    "engine": _engine,
    "breath": _breath,
    "guitar": _guitar,
    "beeps": _beeps,
    "ticks": _ticks,
}
