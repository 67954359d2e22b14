"""Hum and hiss by ways that the simulators do not use: (length, rate, rng) -> sound."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
Rng = np.random.Generator


def _wander(length: int, rate_hz: int, depth_hz: float, rng: Rng) -> Mono:
    """Returns a slow random walk of a frequency, hertz."""
    knots = rng.standard_normal(max(3, length // rate_hz + 3)).cumsum()
    knots *= depth_hz / max(1e-9, float(np.abs(knots).max()))
    return np.interp(np.linspace(0, len(knots) - 1, length), np.arange(len(knots)), knots)


def _mains_phase(length: int, rate_hz: int, rng: Rng) -> Mono:
    base = float(rng.choice([50.0, 60.0])) + float(rng.uniform(-0.08, 0.08))
    hz = base + _wander(length, rate_hz, float(rng.uniform(0.0, 0.15)), rng)
    return 2 * np.pi * np.cumsum(hz) / rate_hz


def rectified(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns ripple of a supply: a capacitor that loads and sags twice a period."""
    phase = (_mains_phase(length, rate_hz, rng) / np.pi) % 1.0
    knee = float(rng.uniform(0.1, 0.35))
    return np.where(phase < knee, phase / knee, (1 - phase) / (1 - knee)) - 0.5


def induced(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns what a coil near a mains lead picks up: a bent sine, differentiated."""
    phase = _mains_phase(length, rate_hz, rng)
    bent = np.tanh(float(rng.uniform(1, 6)) * np.sin(phase) + float(rng.uniform(-0.5, 0.5)))
    share = float(rng.uniform(0, 0.9))
    return bent - share * np.concatenate([[0.0], bent[:-1]])


def few_tones(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns two to five harmonics of the mains at random strengths."""
    phase = _mains_phase(length, rate_hz, rng)
    orders = rng.choice(np.arange(1, 13), size=int(rng.integers(2, 6)), replace=False)
    tones = [rng.uniform(0.2, 1) / k**0.5 * np.sin(k * phase + rng.uniform(0, 6)) for k in orders]
    return np.sum(tones, axis=0)


def triac(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns what a dimmer leaves: short spikes twice a period through a leaky path."""
    phase = (_mains_phase(length, rate_hz, rng) / np.pi) % 1.0
    spikes = np.diff((phase > float(rng.uniform(0.2, 0.8))).astype(float), prepend=0.0)
    corner = float(rng.uniform(600, 3000))
    b, a = signal.butter(1, corner, fs=rate_hz)
    return np.asarray(signal.lfilter(b, a, np.clip(spikes, 0, None)))


def aircraft(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns the whine of a 400 Hz supply: few harmonics, steady to a part in a thousand."""
    hz = float(rng.uniform(396, 404)) + _wander(length, rate_hz, float(rng.uniform(0, 0.4)), rng)
    phase = 2 * np.pi * np.cumsum(hz) / rate_hz
    tones = [
        rng.uniform(0.1, 1.0) / k * np.sin(k * phase + rng.uniform(0, 6)) for k in (1, 2, 3, 5)
    ]
    return np.sum(tones, axis=0)


def ground_loop(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns two supplies of slightly different frequency that beat, odd harmonics leading."""
    out = np.zeros(length)
    for size in (1.0, float(rng.uniform(0.2, 0.8))):
        phase = _mains_phase(length, rate_hz, rng)
        for k in (1, 3, 5, 7, 2):
            out += size * float(rng.uniform(0.1, 1)) / k * np.sin(k * phase + rng.uniform(0, 6))
    return out


def _shaped(length: int, rate_hz: int, rng: Rng, gains_db: Mono) -> Mono:
    """Returns noise through an equaliser, given at equal steps of log frequency from 50 Hz."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hz = np.maximum(np.fft.rfftfreq(length, 1 / rate_hz), 1.0)
    knots = np.geomspace(50, rate_hz / 2, len(gains_db))
    gain = 10 ** (np.interp(np.log(hz), np.log(knots), gains_db) / 20)
    return np.fft.irfft(spectrum * gain, length)


def preamp(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns white noise over a 1/f part, through the roll-off of an input stage."""
    steps = np.linspace(0, 1, 9)
    tilt = np.maximum(0, 0.35 - steps) * float(rng.uniform(10, 40))
    fall = np.maximum(0, steps - 0.9) * float(rng.uniform(-80, 0))
    return _shaped(length, rate_hz, rng, tilt + fall)


def room(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns a rough, uneven floor as microphones record it, slowly breathing."""
    gains = np.cumsum(rng.normal(-1.0, 3.0, 12))
    gains = np.maximum(gains - gains.max(), -25)
    breath = 1 + float(rng.uniform(0, 0.3)) * np.sin(
        2 * np.pi * float(rng.uniform(0.05, 0.3)) * np.arange(length) / rate_hz
    )
    return _shaped(length, rate_hz, rng, gains) * breath


def cassette(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns tape noise: rising to the treble, with drop-outs of a few decibels."""
    gains = np.linspace(-12, 0, 10) - np.maximum(0, np.linspace(-9, 1, 10)) * 12
    dips = np.interp(
        np.linspace(0, 1, length),
        np.linspace(0, 1, max(4, length // (rate_hz // 4))),
        rng.uniform(0.6, 1.0, max(4, length // (rate_hz // 4))),
    )
    return _shaped(length, rate_hz, rng, gains) * dips


def dithered(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns the noise of coarse words with triangular dither, first-order shaped."""
    noise = rng.uniform(-1, 1, length) + rng.uniform(-1, 1, length)
    return noise - float(rng.uniform(0, 0.8)) * np.concatenate([[0.0], noise[:-1]])


def radio(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns the noise of a weak FM carrier: rising by 6 dB an octave up to the de-emphasis."""
    corner = float(rng.uniform(2000, 4000))
    rising = np.diff(rng.standard_normal(length + 1))
    b, a = signal.butter(1, corner, fs=rate_hz)
    level = 1 + float(rng.uniform(0, 0.4)) * np.clip(_wander(length, rate_hz, 1.0, rng), -1, 1)
    return np.asarray(signal.lfilter(b, a, rising)) * level
