"""Defects of no named make, for training: curves, spectra and pulses that chance draws.

The simulators make what is known by name. A network that hears nothing else learns those names. So
a share of its defects is drawn from whole classes of causes: any curve that bends a waveform, any
comb of steady lines, any coloured noise, any short pulse, any buffer put where it does not belong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.simulate.effects.audio_span import band_level, rms
from defectscope.simulate.effects.sound import from_db
from defectscope.training.audio_artifacts.way_of_clicks import jumped, misplaced, pulses

signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
Rng = np.random.Generator
Spans = list[tuple[int, int]]

# By severity, 1 to 5: hum and hiss over the level of the programme in their band, distortion under
# the signal.
_ADDED_DB = (-10.0, -4.0, 2.0, 8.0, 16.0)
_SDR_DB = (22.0, 18.0, 14.0, 11.0, 7.5)
_HUM_HZ, _HISS_HZ = (40.0, 800.0), (1500.0, 12000.0)
_MAINS_HZ = (50.0, 60.0, 100.0, 120.0, 400.0)
_BISECTIONS = 9


@dataclass(frozen=True, slots=True)
class Made:
    """What chance made of a sound.

    Attributes:
        sound: (n,) with the defect.
        family: Which class of causes.
        spans: First and last sample of each event.
    """

    sound: Mono
    family: str
    spans: Spans


def make(defect: str, sound: Mono, rate_hz: int, level: int, rng: Rng) -> Made:
    """Returns a sound with a defect of a cause that chance draws.

    Args:
        defect: Which, as `audio_hum`.
        sound: (n,) clean.
        rate_hz: Its rate.
        level: Severity, 1 to 5.
        rng: Where chance comes from.
    """
    families = WAYS[defect]
    family = str(rng.choice(list(families)))
    if defect == "audio_clicks":
        out, spans = families[family](sound, rate_hz, level, rng)
        return Made(out, family, spans)
    if defect == "audio_distortion":
        out = families[family](sound, rate_hz, level, rng)
        silent = not len(sound) or float(np.abs(sound).max()) < 1e-4
        return Made(sound if silent else out, family, [] if silent else [(0, len(sound))])
    band = _HUM_HZ if defect == "audio_hum" else _HISS_HZ
    added = families[family](len(sound), rate_hz, rng)
    own = max(band_level(added[:, None].astype(np.float32), rate_hz, *band), 1e-9)
    wanted = band_level(sound[:, None].astype(np.float32), rate_hz, *band)
    gain = wanted / own * from_db(_ADDED_DB[level - 1] + float(rng.uniform(-2, 2)))
    # What has little in its band must not drown everything to reach its level there.
    most = 2.0 * rms(sound[:, None]) / max(float(np.sqrt(np.mean(added**2))), 1e-12)
    return Made(sound + added * min(gain, most), family, [(0, len(sound))])


def _smooth(length: int, knots: int, rng: Rng) -> Mono:
    """Returns a slow random line of mean about 0 and spread about 1."""
    values = rng.standard_normal(max(2, knots))
    return np.interp(np.linspace(0, len(values) - 1, length), np.arange(len(values)), values)


def _lines(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns any number of steady harmonics, each as strong as chance makes it."""
    phase = _periods(length, rate_hz, rng)
    orders = np.arange(1, int(rng.integers(1, 40)) + 1)
    kept = orders[rng.uniform(size=len(orders)) < rng.uniform(0.3, 1.0)]
    orders = kept if len(kept) else orders[:1]
    tilt, spread = float(rng.uniform(0.0, 2.0)), float(rng.uniform(0.0, 1.2))
    out = np.zeros(length)
    for k in orders:
        size = float(k) ** -tilt * float(np.exp(spread * rng.standard_normal()))
        out += size * np.cos(2 * np.pi * k * phase + float(rng.uniform(0, 2 * np.pi)))
    return _breathing(out, rate_hz, rng)


def _strokes(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns one short stroke a period, of any shape, at times of alternating sign."""
    phase = _periods(length, rate_hz, rng)
    shape = rng.standard_normal(int(rng.integers(6, 60)))
    shape = np.convolve(shape, np.hanning(int(rng.integers(3, 9))), "same")
    share = float(np.exp(rng.uniform(np.log(0.02), np.log(0.9))))
    place = (phase % 1.0) / share * len(shape)
    out = np.interp(place, np.arange(len(shape)), shape * np.hanning(len(shape)), right=0.0)
    if rng.uniform() < 0.5:
        out *= np.where(phase % 2.0 < 1.0, 1.0, -1.0)
    b, a = signal.butter(1, float(np.exp(rng.uniform(np.log(300), np.log(8000)))), fs=rate_hz)
    out = np.asarray(signal.lfilter(b, a, out))
    return _breathing(out - out.mean(), rate_hz, rng)


def _periods(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns how many periods have gone by at every sample."""
    own = float(rng.choice(_MAINS_HZ, p=(0.3, 0.3, 0.15, 0.15, 0.1)))
    hz = own if rng.uniform() < 0.7 else float(np.exp(rng.uniform(np.log(40), np.log(420))))
    sway = 1.0 + float(rng.uniform(0, 0.004)) * _smooth(length, length // rate_hz + 2, rng)
    return np.cumsum(hz * sway) / rate_hz + float(rng.uniform())


def _breathing(sound: Mono, rate_hz: int, rng: Rng) -> Mono:
    depth = float(rng.uniform(0, 0.35)) * (rng.uniform() < 0.5)
    return sound * (1 + depth * np.clip(_smooth(len(sound), 2 * len(sound) // rate_hz, rng), -2, 2))


def _coloured(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns noise of any smooth colour, at times with a low edge or a high one."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    hz = np.maximum(np.fft.rfftfreq(length, 1 / rate_hz), 20.0)
    knots = np.geomspace(20, rate_hz / 2, 14)
    steps = rng.normal(float(rng.uniform(-3.5, 2.0)), float(rng.uniform(0, 4)), 14)
    gains_db = np.cumsum(steps)
    gains_db = np.maximum(gains_db - gains_db[6:].max(), -50)
    gain = 10 ** (np.interp(np.log(hz), np.log(knots), gains_db) / 20)
    if rng.uniform() < 0.4:
        edge = float(np.exp(rng.uniform(np.log(3000), np.log(15000))))
        gain = gain / (1 + (hz / edge) ** int(rng.choice([2, 4, 8, 30])))
    return _breathing(np.fft.irfft(spectrum * gain, length), rate_hz, rng)


def _grains(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns so many tiny impulses that they are noise, each coloured alike."""
    dense = float(np.exp(rng.uniform(np.log(0.03), np.log(0.5))))
    grains = rng.standard_normal(length) * (rng.uniform(size=length) < dense)
    count = int(rng.integers(1, 24))
    taps = rng.standard_normal(count) * float(rng.uniform(0.5, 0.95)) ** np.arange(count)
    return np.convolve(grains, taps, "same")


def _curve(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
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


def _part(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
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


def _recovering(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
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


def _mixed_later(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
    """Returns a clipped sound with an even level put on it later: its ceiling moves with a bed."""
    peak = max(float(np.abs(sound).max()), 1e-6)
    b, a = signal.butter(1, float(np.exp(rng.uniform(np.log(15), np.log(150)))), "high", fs=rate_hz)
    share = float(rng.uniform(0.0, 0.5))

    def bend(drive: float) -> Mono:
        clipped = np.clip(sound * drive, -1, 1) / drive
        return (1 - share) * np.asarray(signal.lfilter(b, a, clipped)) + share * sound

    return _driven(sound, bend, level, (0.5 / peak, 300.0 / peak), rng)


def _coarse(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
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


def _sparse(sound: Mono, rate_hz: int, level: int, rng: Rng) -> Mono:
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


WAYS: dict[str, dict[str, Callable[..., Any]]] = {
    "audio_hum": {"lines": _lines, "strokes": _strokes},
    "audio_hiss": {"coloured": _coloured, "grains": _grains},
    "audio_distortion": {
        "curve": _curve,
        "part": _part,
        "recovering": _recovering,
        "mixed_later": _mixed_later,
        "coarse": _coarse,
        "sparse": _sparse,
    },
    "audio_clicks": {"pulses": pulses, "misplaced": misplaced, "jumped": jumped},
}
