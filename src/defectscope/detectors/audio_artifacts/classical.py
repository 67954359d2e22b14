"""Classical evidence beside the network: lines that stand, the floor of the quiet, corners.

    lines    how far the harmonics of 50 or 60 Hz stand out of three seconds' spectrum, and how
             far beyond the combs of other fundamentals
    skirt    how much of that is the skirt of a line beside them: a held note
    note     how far the comb of another fundamental stands out beyond theirs
    floor    the least power between 2 and 12 kHz that a second falls to, and how loud the second is
    corners  samples where the waveform stops dead: a ceiling, a stair, a buffer that is not filled

Everything is measured on an absolute grid, from a fixed margin of samples, so nothing depends on
how the sound arrived.
"""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import (
    LINE_DECIMATION,
    MELS,
    RATE_HZ,
    Spectra,
)

fft = cast("Any", scipy.fft)

Floats = NDArray[np.float32]
SLOW_HZ = RATE_HZ // LINE_DECIMATION
MAINS_HZ = (50.0, 60.0)
# Harmonics up to 650 Hz, of which the strongest four tell: most hum has no more.
_HIGHEST_HZ, _STRONGEST = 650.0, 4
# A line is compared with what lies around it, 8 Hz on either side without the line's own 2 Hz.
_NEIGHBOURS_HZ, _OWN_HZ = 8.0, 2.0
_LOWEST_FUNDAMENTAL_HZ, _HIGHEST_FUNDAMENTAL_HZ, _FUNDAMENTAL_STEP_HZ = 42.0, 70.0, 0.1
# How far a supply strays from its frequency, and a recorder's clock with it.
# Source: EN 50160:2010, 50 Hz +- 1 % for 99.5 % of a year.
_STRAY_HZ = 0.5
# What a line must keep to be the mains' own: grids stay within 0.2 Hz but in an emergency.
# Source: Commission Regulation (EU) 2017/1485, Annex III, maximum steady-state deviation.
_KEPT_HZ = 0.3
_MOST_DB = 40.0
# Frames of the mel spectrogram that are averaged before the quietest is looked for: 40 ms.
_QUIET_FRAMES = 4
_FLOOR_BAND_HZ = (2000.0, 12000.0)
# A corner: steps of at least so many tolerances, then two of none.
_CORNER_STEPS = 16.0
# Of the sample's own size, or of sixteen bits where that is more.
_TOLERANCE, _LEAST = 2.5e-4, 1.5 / 32768
# Below -26 dBFS coarse words step by themselves.
_AUDIBLE = 0.05


def standing_lines(slow: Floats) -> NDArray[np.float64]:
    """Returns how far the mains' harmonics stand out, how far beyond others, skirt, note, dB, (4,).

    Of every fundamental from 42 to 70 Hz the strongest four harmonics are averaged. The first
    number is the best of those near 50 or 60 Hz, the second how far it lies over what three in four
    of the others reach: music has lines at many, hum at one. The third is how much the first loses
    when only what peaks at the mains itself counts, not what falls off from a line beside it, as
    the low G of 49 Hz. The fourth is how far the best of the others stands out beyond the first. 0
    where less than half a second is there.

    Args:
        slow: (n,) up to three seconds at `SLOW_HZ`.
    """
    if len(slow) < SLOW_HZ // 2 or not float(np.abs(slow).max()) > 1e-5:
        return np.zeros(4)
    spectrum = fft.rfft(slow * _hann(len(slow)))
    step_hz = SLOW_HZ / len(slow)
    count = int((_HIGHEST_HZ + 3 * _NEIGHBOURS_HZ) / step_hz)
    spectrum = spectrum[:count]
    power_db = 10 * np.log10(spectrum.real**2 + spectrum.imag**2 + 1e-12)
    wide, own = int(_NEIGHBOURS_HZ / step_hz), max(1, int(_OWN_HZ / step_hz))
    neighbours = (_around(power_db, wide) - _around(power_db, own)) / (2 * (wide - own))
    standing = np.clip(power_db - neighbours, 0, _MOST_DB)
    peaks = np.zeros_like(standing)
    is_peak = (power_db[1:-1] >= power_db[:-2]) & (power_db[1:-1] >= power_db[2:])
    peaks[1:-1] = np.where(is_peak, standing[1:-1], 0)
    hz, places = _combs(len(slow))
    off_hz = np.abs(hz[:, None] - np.array(MAINS_HZ)).min(axis=1)
    mains, kept = off_hz <= _STRAY_HZ, off_hz <= _KEPT_HZ
    tops = _strongest(_either(standing)[places])
    best = float(tops[mains].max())
    own = float(_strongest(_either(peaks)[places[kept]]).max())
    beyond = best - float(np.quantile(tops[~mains], 0.75))
    return np.array([best, beyond, best - own, max(float(tops[~mains].max()) - best, 0.0)])


def _either(standing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the greatest of each bin and those beside it: a line between two shows in both."""
    out = standing.copy()
    out[1:-1] = np.maximum(out[1:-1], np.maximum(standing[:-2], standing[2:]))
    return out


def _strongest(harmonics: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean of the strongest harmonics of each comb, (combs,) of (combs, 9)."""
    return np.partition(harmonics, -_STRONGEST, axis=1)[:, -_STRONGEST:].mean(axis=1)


@cache
def _combs(length: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns fundamentals, hertz, and the bins of their harmonics, (fundamentals, 9)."""
    hz = np.arange(_LOWEST_FUNDAMENTAL_HZ, _HIGHEST_FUNDAMENTAL_HZ, _FUNDAMENTAL_STEP_HZ)
    orders = np.arange(1, int(_HIGHEST_HZ / _HIGHEST_FUNDAMENTAL_HZ) + 1)
    return hz, np.round(hz[:, None] * orders * length / SLOW_HZ).astype(np.int64)


def _around(values: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Returns sums over `reach` values on either side and the value itself, edges repeated."""
    padded = np.pad(values, (reach + 1, reach), mode="edge")
    sums = np.cumsum(padded)
    return sums[2 * reach + 1 :] - sums[: -2 * reach - 1]


def floor_and_level(window: Spectra) -> tuple[float, float]:
    """Returns the floor between 2 and 12 kHz and the level of a window of a second, dB.

    Both relative to a full-scale sine.
    """
    power = 10.0 ** window.mel[:, :, 0].astype(np.float64)
    count = len(power) // _QUIET_FRAMES
    high = power[: count * _QUIET_FRAMES, _floor_bands()].sum(axis=1)
    quiet = np.sort(high.reshape(count, _QUIET_FRAMES).mean(axis=1))[: max(1, count // 8)]
    level = power.sum(axis=1).mean()
    return 10 * float(np.log10(quiet.mean())), 10 * float(np.log10(level))


def corners(samples: Floats) -> NDArray[np.bool_]:
    """Returns at which samples the waveform stops dead, (n - 3,) for n samples.

    A long step and two of no length after it: entries of flat tops, stairs of coarse words, held
    samples.

    Args:
        samples: (n,) of one channel, the first three from before.
    """
    steps = np.abs(np.diff(samples))
    size = np.abs(samples[1:-2])
    tolerance = np.maximum(size * np.float32(_TOLERANCE), np.float32(_LEAST))
    into, first, second = steps[:-2], steps[1:-1], steps[2:]
    flat = (first <= tolerance) & (second <= tolerance)
    return flat & (into >= _CORNER_STEPS * tolerance) & (size >= _AUDIBLE)


@cache
def _hann(length: int) -> Floats:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return (window / (length / 4)).astype(np.float32)


@cache
def _floor_bands() -> NDArray[np.int64]:
    """Returns the mel bands whose centres lie in the floor's band."""
    low, high = _FLOOR_BAND_HZ
    return np.flatnonzero((mel_centres_hz() >= low) & (mel_centres_hz() <= high))


@cache
def mel_centres_hz() -> NDArray[np.float64]:
    """Returns where the mel bands of `spectra` are centred, hertz."""

    def to_mel(hz: float) -> float:
        return 2595 * np.log10(1 + hz / 700)

    points = np.linspace(to_mel(40.0), to_mel(RATE_HZ / 2), MELS + 2)[1:-1]
    return 700 * (10 ** (points / 2595) - 1)
