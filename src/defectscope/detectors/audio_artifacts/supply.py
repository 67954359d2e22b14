"""Hum of a supply of 400 Hz, as aircraft and ships have: a line that hardly any note is.

The nearest notes are G at 392.0 Hz and G sharp at 415.3. What stands between them, keeps its
frequency to one part in 300 and its level to about a decibel, was not sung. Music in another tuning
has notes there, but holds them for a few seconds; a supply stays. Lines of 50 and 60 Hz stand at
400 and 420 Hz as well; the former is hum too.

Source: MIL-STD-704F, 2004, 5.3: 393 to 407 Hz in the steady state.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import LINE_DECIMATION, RATE_HZ
from defectscope.temporal.spans import runs

fft = cast("Any", scipy.fft)

Floats = NDArray[np.float32]
DEFECT = "audio_hum"
# Frames of half a second, a quarter apart; so many of them in a row are 2.3 s.
_FRAME, _HOP, _FRAMES = 1024, 500, 8
_BIN_HZ = RATE_HZ / LINE_DECIMATION / _FRAME
# Where the line is looked for, and where it has to be: a semitone's width less.
_BAND_HZ, _LOWEST_HZ, _HIGHEST_HZ = (392.0, 408.0), 395.5, 404.5
# The most that it may stray, Hz, and the most that its level may deviate, dB.
_MOST_STRAY_HZ, _MOST_DEVIATION_DB = 1.2, 1.2
# Bins on either side that it stands out of, without those of the line itself.
_OWN, _AROUND = 5, 25
# How far it must stand out in each frame, and what such a step is told by: likelier hum than not.
LEAST_DB, LOG_ODDS = 15.0, 3.0
# Steps of a quarter second over which the line must stay: six seconds. A voice may hide it for two.
LEAST_STEPS, _HIDDEN_STEPS = 24, 8


def steady_line(slow: Floats) -> float:
    """Returns how far a steady line of 400 Hz stands out for 2.3 s of some sound, dB; 0 without.

    Args:
        slow: (n,) up to three seconds at 2 kHz.
    """
    if len(slow) < _FRAME + (_FRAMES - 1) * _HOP:
        return 0.0
    frames = sliding_window_view(slow, _FRAME)[::_HOP]
    level = 20 * np.log10(np.abs(fft.rfft(frames * _hann(), axis=1)).astype(np.float64) + 1e-7)
    first, last = (round(hz / _BIN_HZ) for hz in _BAND_HZ)
    rows = np.arange(len(level))
    place = first + level[:, first : last + 1].argmax(axis=1)
    before, top, after = (level[rows, place + k] for k in (-1, 0, 1))
    bend = np.minimum(before - 2 * top + after, -1e-9)
    hz = (place + (before - after) / (2 * bend)) * _BIN_HZ
    near = np.r_[np.arange(-_AROUND, 1 - _OWN), np.arange(_OWN + 1, _AROUND + 1)]
    over = top - np.median(level[rows[:, None], place[:, None] + near], axis=1)
    best = 0.0
    for k in range(len(level) - _FRAMES + 1):
        own = slice(k, k + _FRAMES)
        is_there = hz[own].min() >= _LOWEST_HZ and hz[own].max() <= _HIGHEST_HZ
        is_steady = np.ptp(hz[own]) <= _MOST_STRAY_HZ and top[own].std() <= _MOST_DEVIATION_DB
        if is_there and is_steady:
            best = max(best, float(over[own].min()))
    return best


def raised(
    log_odds: NDArray[np.float64], columns: Mapping[str, NDArray[Any]], scale: float
) -> NDArray[np.float64]:
    """Returns log odds of hum, (n,), at least `LOG_ODDS` where such a line stays for six seconds.

    Args:
        log_odds: (n,) of hum.
        columns: What the analysis measured.
        scale: What a decibel is in them.
    """
    stands = columns["supply"] >= LEAST_DB * scale
    stays = stands.copy()
    for first, last in runs(~stands):
        if last - first <= _HIDDEN_STEPS and first > 0 and last < len(stands):
            stays[first:last] = True
    for first, last in runs(stays):
        stays[first:last] = stands[first:last] & (last - first >= LEAST_STEPS)
    return np.where(stays, np.maximum(log_odds, LOG_ODDS), log_odds)


@cache
def _hann() -> Floats:
    return np.hanning(_FRAME).astype(np.float32)
