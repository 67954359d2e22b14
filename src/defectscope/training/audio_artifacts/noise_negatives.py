"""Noise that is no defect, laid under training clips or put in their place.

Explosions, gunshots and cymbals decay; rockets, passing cars and wings glide or beat; rain is made
of drops, surf and wind swell; organs and drones are chords; interface sounds are short. All of it
is synthesised. Each decays or moves faster than a fault of `way_of_noise`: 15 dB in a second, or a
third of an octave.
Source: Farnell, "Designing Sound", MIT Press, 2010, parts on rain, wind, fire, guns and rockets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
Rng = np.random.Generator


def noise_negative(length: int, rate_hz: int, rng: Rng) -> tuple[str, Mono]:
    """Returns the name of such a sound and the sound, RMS 1, of `length` samples."""
    name = str(rng.choice(list(NOISE_NEGATIVES)))
    sound = NOISE_NEGATIVES[name](length, rate_hz, rng)
    return name, sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9)


def _log(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _blast(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns bursts that decay by 15 to 300 dB in a second, their treble sooner."""
    out = np.zeros(length)
    seconds = np.arange(length) / rate_hz
    for place in rng.integers(0, length, int(rng.integers(1, 5))):
        fall_db = _log(rng, 15, 300)
        white = rng.standard_normal(length)
        b, a = signal.butter(1, _log(rng, 80, 3000), fs=rate_hz)
        dull = np.asarray(signal.lfilter(b, a, white))
        dull /= max(float(np.sqrt(np.mean(dull**2))), 1e-9)
        bright = float(rng.uniform(0.05, 1.0)) * 10 ** (-2.5 * fall_db * seconds / 20)
        hit = dull * 10 ** (-fall_db * seconds / 20) + white * bright
        edge = max(1, int(_log(rng, 0.0005, 0.15) * rate_hz))
        hit[:edge] *= np.linspace(0, 1, edge)
        out[place:] += hit[: length - place] * float(rng.uniform(0.3, 1.0))
    return out


def _glide(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns noise in a band that moves by a third of an octave to three octaves in a second."""
    frame, hop = 1024, 256
    _, _, spectrum = signal.stft(rng.standard_normal(length), nperseg=frame, noverlap=frame - hop)
    lines, frames = spectrum.shape
    octaves = float(rng.choice([-1, 1])) * _log(rng, 0.33, 3.0) * np.arange(frames) * hop / rate_hz
    if rng.uniform() < 0.5:  # there and back, as what passes by
        octaves = -np.abs(octaves - octaves[int(frames * rng.uniform(0.2, 0.8))])
    centre = _log(rng, 300, 6000) * 2.0**octaves
    hz = np.maximum(np.arange(lines) * rate_hz / frame, 15.0)
    away = np.log2(hz[:, None] / np.clip(centre, 60, 0.45 * rate_hz)[None, :])
    gain = np.exp(-((away / float(rng.uniform(0.3, 1.5))) ** 2))
    _, out = signal.istft(spectrum * gain, nperseg=frame, noverlap=frame - hop)
    out = np.pad(np.asarray(out), (0, max(0, length - len(out))))[:length]
    pace, begin = float(rng.uniform(0.15, 0.6)), float(rng.uniform(0, np.pi))
    return out * (0.1 + np.abs(np.sin(np.pi * pace * np.arange(length) / rate_hz + begin)))


def _rain(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns drops, 20 to 600 in a second, each with a ring of its own."""
    out = np.zeros(length + rate_hz)
    drops = int(_log(rng, 20, 600) * length / rate_hz)
    kinds = []
    for _ in range(12):
        count = int(rate_hz * _log(rng, 0.002, 0.03))
        seconds = np.arange(count) / rate_hz
        ring = np.sin(2 * np.pi * _log(rng, 600, 9000) * seconds + float(rng.uniform(0, 6)))
        ring = ring + float(rng.uniform(0, 1.5)) * rng.standard_normal(count)
        kinds.append(ring * np.exp(-6 * seconds * rate_hz / count))
    for place, kind in zip(
        rng.integers(0, length, drops), rng.integers(0, len(kinds), drops), strict=True
    ):
        drop = kinds[int(kind)]
        out[int(place) : int(place) + len(drop)] += drop * float(rng.exponential(1.0)) ** 1.5
    return out[:length]


def _surf(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns waves: noise that swells by 15 dB and more, brighter where it is louder."""
    white = rng.standard_normal(length)
    b, a = signal.butter(1, float(rng.uniform(150, 900)), fs=rate_hz)
    dull = np.asarray(signal.lfilter(b, a, white)) * 4.0
    seconds = np.arange(length) / rate_hz
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.2, 0.5) * seconds + rng.uniform(0, 6))
    swell = swell ** float(rng.uniform(1.5, 4.0))
    return dull * (0.15 + swell) + white * swell**2 * float(rng.uniform(0.2, 1.0))


def _wind(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns gusts: a narrow band of noise that wanders and swells at random."""
    knots = max(3, int(length / rate_hz * rng.uniform(1.5, 5)))
    line = np.interp(np.linspace(0, knots - 1, length), np.arange(knots), rng.uniform(size=knots))
    white = rng.standard_normal(length)
    out = np.zeros(length)
    for centre in np.geomspace(150, 2500, 5):
        sos = signal.butter(1, [centre * 0.8, centre * 1.25], "bandpass", fs=rate_hz, output="sos")
        weight = np.exp(-((np.log2(centre / (200 * 8**line)) / 0.9) ** 2))
        out += np.asarray(signal.sosfilt(sos, white)) * weight
    return out * (0.08 + line**2)


def _wings(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns noise that beats 4 to 40 times in a second: wings, rotors, steps of a machine."""
    seconds = np.arange(length) / rate_hz
    beats = _log(rng, 4, 40) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.2, 1.0) * seconds))
    phase = np.cumsum(beats) / rate_hz + float(rng.uniform())
    shape = np.abs(np.sin(np.pi * phase)) ** float(rng.uniform(2, 12))
    low = _log(rng, 100, 2500)
    high = min(low * float(rng.uniform(2, 6)), 0.45 * rate_hz)
    sos = signal.butter(1, [low, high], "bandpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfilt(sos, rng.standard_normal(length))) * shape


def _clapping(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns many hands: 30 to 600 claps in a second that swell and die away."""
    claps = int(_log(rng, 30, 600) * length / rate_hz)
    rise, fall = float(rng.uniform(0.6, 2.5)), float(rng.uniform(0.6, 2.5))
    places = np.sort(rng.beta(rise, fall, claps)) * (length - 1)
    train = np.zeros(length)
    np.add.at(train, places.astype(int), rng.choice([-1, 1], claps) * rng.exponential(1.0, claps))
    count = int(rate_hz * rng.uniform(0.004, 0.02))
    clap = rng.standard_normal(count) * np.exp(-5 * np.arange(count) / count)
    centre = float(rng.uniform(900, 2500))
    sos = signal.butter(1, [centre / 2, centre * 2], "bandpass", fs=rate_hz, output="sos")
    return np.asarray(signal.sosfilt(sos, np.convolve(train, clap)[:length]))


def _chord(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns held chords of an organ, drone or synthesiser: two notes or more, ranks detuned."""
    out = np.zeros(length)
    place = 0
    while place < length:
        count = min(length - place, int(rate_hz * _log(rng, 0.5, 6.0)))
        seconds = np.arange(count) / rate_hz
        root, part = 55.0 * 2 ** (int(rng.integers(0, 30)) / 12), np.zeros(count)
        chord = [(0, 7), (0, 12, 19), (0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 3, 7, 10)]
        partials, tilt = int(rng.integers(3, 24)), float(rng.uniform(0.3, 1.8))
        for step in chord[int(rng.integers(len(chord)))]:
            for cents in rng.normal(0, float(rng.uniform(1, 9)), 2):
                hz = root * 2 ** (step / 12 + cents / 1200)
                for k in range(1, min(partials, int(0.45 * rate_hz / hz)) + 1):
                    part += np.sin(2 * np.pi * k * hz * seconds + rng.uniform(0, 6)) / k**tilt
        edge = max(1, min(count // 2, int(_log(rng, 0.005, 0.4) * rate_hz)))
        part[:edge] *= np.linspace(0, 1, edge)
        part[-edge:] *= np.linspace(1, 0, edge)
        out[place : place + count] += part
        place += count
    return out


def _interface(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns short tones and chirps that set in within 2 to 8 ms, amid silence."""
    out = np.zeros(length)
    for place in rng.integers(0, length, int(rng.integers(1, 7))):
        count = min(length - int(place), int(rate_hz * _log(rng, 0.02, 0.5)))
        if count < 16:
            continue
        seconds = np.arange(count) / rate_hz
        hz = _log(rng, 150, 4000) * 2 ** (float(rng.normal(0, 1.5)) * seconds)
        note = np.sin(2 * np.pi * np.cumsum(np.minimum(hz, 0.4 * rate_hz)) / rate_hz)
        note = note + float(rng.uniform(0, 0.4)) * note**3
        note *= np.exp(-seconds * _log(rng, 2, 60))
        edge = max(1, min(count // 2, int(float(rng.uniform(0.002, 0.008)) * rate_hz)))
        note[:edge] *= np.sin(np.linspace(0, np.pi / 2, edge)) ** 2
        note[-edge:] *= np.cos(np.linspace(0, np.pi / 2, edge)) ** 2
        out[int(place) : int(place) + count] += note * float(rng.uniform(0.3, 1.0))
    return out if out.any() else _chord(length, rate_hz, rng)


NOISE_NEGATIVES: dict[str, Callable[[int, int, Rng], Mono]] = {
    "blast": _blast,
    "glide": _glide,
    "rain": _rain,
    "surf": _surf,
    "wind": _wind,
    "wings": _wings,
    "clapping": _clapping,
    "chord": _chord,
    "interface": _interface,
}
