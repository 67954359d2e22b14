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
from defectscope.training.audio_artifacts import way_of_coders, way_of_distortion, way_of_noise
from defectscope.training.audio_artifacts.way_of_clicks import jumped, misplaced, pulses, tailed

signal = cast("Any", scipy.signal)

Mono = NDArray[np.float64]
Rng = np.random.Generator
Spans = list[tuple[int, int]]

# By severity, 1 to 5: hum and hiss over the level of the programme in their band, distortion under
# the signal.
_ADDED_DB = (-10.0, -4.0, 2.0, 8.0, 16.0)
_HUM_HZ, _HISS_HZ = (40.0, 800.0), (1500.0, 12000.0)
# Over the whole programme, which goes on under it.
_DROWNING_DB = (-6.0, -1.0, 4.0, 9.0, 14.0)
_MAINS_HZ = (50.0, 60.0, 100.0, 120.0, 400.0)


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


def make(
    defect: str, sound: Mono, rate_hz: int, level: int, rng: Rng, *, more: bool = False
) -> Made:
    """Returns a sound with a defect of a cause that chance draws.

    Args:
        defect: Which, as `audio_hum`.
        sound: (n,) clean.
        rate_hz: Its rate.
        level: Severity, 1 to 5.
        rng: Where chance comes from.
        more: Of `MORE` as well. What is held out is drawn without, so that it stays what it was.
    """
    families = {**WAYS[defect], **MORE[defect]} if more else WAYS[defect]
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
    spans = way_of_noise.spans(added, rate_hz) if more else [(0, len(sound))]
    # What sets in and stops has its level where it is.
    there = np.concatenate([added[a:b] for a, b in spans])
    own = max(band_level(there[:, None].astype(np.float32), rate_hz, *band), 1e-9)
    wanted = band_level(sound[:, None].astype(np.float32), rate_hz, *band)
    gain = wanted / own * from_db(_ADDED_DB[level - 1] + float(rng.uniform(-2, 2)))
    # What has little in its band must not drown everything to reach its level there.
    whole = rms(sound[:, None]) / max(float(np.sqrt(np.mean(there**2))), 1e-12)
    gain = min(gain, 2.0 * whole)
    if family == "drowning":
        gain = whole * from_db(_DROWNING_DB[level - 1] + float(rng.uniform(-2, 2)))
    return Made(sound + added * gain, family, spans)


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


def _switched_lines(length: int, rate_hz: int, rng: Rng) -> Mono:
    """Returns steady lines that set in, stop, or both."""
    return way_of_noise.switched(_lines(length, rate_hz, rng), rate_hz, rng)


WAYS: dict[str, dict[str, Callable[..., Any]]] = {
    "audio_hum": {"lines": _lines, "strokes": _strokes},
    "audio_hiss": {"coloured": _coloured, "grains": _grains},
    "audio_distortion": {
        "curve": way_of_distortion.curve,
        "part": way_of_distortion.part,
        "recovering": way_of_distortion.recovering,
        "mixed_later": way_of_distortion.mixed_later,
        "coarse": way_of_distortion.coarse,
        "sparse": way_of_distortion.sparse,
    },
    "audio_clicks": {"pulses": pulses, "misplaced": misplaced, "jumped": jumped},
}
# For training alone.
MORE: dict[str, dict[str, Callable[..., Any]]] = {
    "audio_hum": {"skirted": way_of_noise.skirted, "switched": _switched_lines},
    "audio_hiss": {"faded": way_of_noise.faded, "drowning": way_of_noise.drowning},
    "audio_distortion": {"starved": way_of_coders.starved},
    "audio_clicks": {"tailed": tailed},
}
