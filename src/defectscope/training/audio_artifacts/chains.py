"""What programmes have been through before a defect, and what happens to both after it.

Applied to clean and impaired training clips alike: nothing here tells one from the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import scipy.signal
from numpy.typing import NDArray

from defectscope.training.audio_artifacts.coding import PEAK, resample, through_codec
from defectscope.training.audio_artifacts.noise_negatives import noise_negative

signal = cast("Any", scipy.signal)

Sound = NDArray[Any]
Rng = np.random.Generator

# Shares of the clips.
_NEGATIVE, _ALONE, _ROOM, _CODED, _RESAMPLED = 0.3, 0.35, 0.15, 0.15, 0.1
_RIDDEN, _LATER_ROOM = 0.25, 0.08
_RATES_HZ = (16000, 22050, 24000, 44100)


def before(sound: Sound, rate_hz: int, codecs: Sequence[tuple[str, int | None]], rng: Rng) -> Sound:
    """Returns a clean programme as it reaches the place where something goes wrong.

    Args:
        sound: (n,).
        rate_hz: Its rate.
        codecs: Encoders and bit rates that it may have been through.
        rng: Where chance comes from.
    """
    out = np.asarray(sound, np.float64)
    level = max(float(np.sqrt(np.mean(out**2))), 1e-5)
    if rng.uniform() < _NEGATIVE:
        _, other = noise_negative(len(out), rate_hz, rng)
        if rng.uniform() < _ALONE:
            # By itself, or over next to nothing.
            out = other * level + out * 10 ** (float(rng.uniform(-70, -25)) / 20)
        else:
            out = out + other * level * 10 ** (float(rng.uniform(-15, 12)) / 20)
    if rng.uniform() < _ROOM:
        out = in_room(out, rate_hz, rng)
    if rng.uniform() < _RESAMPLED:
        between = int(rng.choice(_RATES_HZ))
        there = resample(resample(out, rate_hz, between), between, rate_hz)
        out = np.pad(there, (0, max(0, len(out) - len(there))))[: len(out)].astype(np.float64)
    if rng.uniform() < _CODED:
        codec, bit_rate = codecs[int(rng.integers(len(codecs)))]
        peak = max(float(np.abs(out).max()), 1e-6)
        scaled = (out * (PEAK / peak)).astype(np.float32)
        out = through_codec(scaled, rate_hz, codec, bit_rate).astype(np.float64) * (peak / PEAK)
    return out.astype(np.float32)


def after(layers: NDArray[np.float64], rate_hz: int, rng: Rng) -> NDArray[np.float64]:
    """Returns a clip and what its defects added, (layers, n), after what happens to them later."""
    out = layers
    if rng.uniform() < _LATER_ROOM:
        ir = _impulse_response(rate_hz, rng)
        out = np.stack([signal.fftconvolve(row, ir)[: len(row)] for row in out])
    if rng.uniform() < _RIDDEN:
        out = out * _ridden(out[0], rate_hz, rng)
    return np.asarray(out)


def in_room(sound: Sound, rate_hz: int, rng: Rng) -> NDArray[np.float64]:
    """Returns a sound with the decay of a room: noise that falls by 60 dB in 0.1 to 2 s.

    Source: Moorer, "About This Reverberation Business", Computer Music Journal 3(2), 1979.
    """
    return np.asarray(signal.fftconvolve(sound, _impulse_response(rate_hz, rng))[: len(sound)])


def _impulse_response(rate_hz: int, rng: Rng) -> NDArray[np.float64]:
    decay_s = float(np.exp(rng.uniform(np.log(0.1), np.log(2.0))))
    seconds = np.arange(int(0.7 * decay_s * rate_hz)) / rate_hz
    out = rng.standard_normal(len(seconds)) * 10 ** (-3 * seconds / decay_s)
    b, a = signal.butter(1, float(rng.uniform(2000, 9000)), fs=rate_hz)
    out = np.asarray(signal.lfilter(b, a, out))
    out *= float(rng.uniform(0.05, 0.7)) / max(float(np.sqrt(np.sum(out**2))), 1e-9)
    out[0] += 1.0
    return out


def _ridden(sound: NDArray[np.float64], rate_hz: int, rng: Rng) -> NDArray[np.float64]:
    """Returns the gain of a hand on the fader, or of an automatic one that follows the level."""
    length = len(sound)
    if rng.uniform() < 0.5:
        knots = max(2, int(length / rate_hz * rng.uniform(0.5, 2)) + 1)
        gain_db = rng.normal(0, float(rng.uniform(1, 4)), knots)
        line = np.interp(np.linspace(0, knots - 1, length), np.arange(knots), gain_db)
        return 10 ** (line / 20)
    pole = float(np.exp(-1 / (rate_hz * np.exp(rng.uniform(np.log(0.05), np.log(1.0))))))
    power = np.asarray(signal.lfilter([1 - pole], [1.0, -pole], sound**2))
    typical = max(float(np.mean(power)), 1e-12)
    ratio = float(rng.uniform(0.1, 0.35))
    return np.clip((power / typical + 0.01) ** -ratio, 0.25, 4.0)
