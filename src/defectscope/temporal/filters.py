"""Filters of sound without `scipy.signal`, whose import takes half a second of every start.

`scipy.signal` has the same, and is what the tests hold these against.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.temporal.sections import run_sections

Doubles = NDArray[np.float64]
# State of a filter below which it is none: -600 dB.
_NOTHING = 1e-30
# Source: scipy.signal.resample_poly's defaults.
_RESAMPLING_BETA, _RESAMPLING_REACH = 5.0, 10


def low_pass(taps: int, cutoff: float, beta: float) -> Doubles:
    """Returns a low-pass FIR filter, a sinc under a Kaiser window, with unit gain at 0 Hz.

    Args:
        taps: How many.
        cutoff: Where it has lost half, as a share of half the sampling rate.
        beta: Of the Kaiser window.
    """
    at = np.arange(taps) - (taps - 1) / 2
    shape = np.sinc(cutoff * at) * np.kaiser(taps, beta)
    return shape / shape.sum()


def resampled(sound: NDArray[Any], rate_hz: int, wanted_hz: int) -> NDArray[Any]:
    """Returns mono sound at another rate; its first sample stays where it is.

    Args:
        sound: (n,) samples.
        rate_hz: Their rate.
        wanted_hz: The rate wanted.
    """
    common = gcd(rate_hz, wanted_hz)
    up, down = wanted_hz // common, rate_hz // common
    if up == down or not len(sound):
        return sound
    if up > 1:
        from scipy import signal

        return np.asarray(signal.resample_poly(sound, up, down), sound.dtype)
    half = _RESAMPLING_REACH * down
    taps = low_pass(2 * half + 1, 1 / down, _RESAMPLING_BETA).astype(sound.dtype)
    return sliding_window_view(np.pad(sound, half), len(taps))[::down] @ taps


class Biquads:
    """Second-order sections in a row, with state from one call to the next.

    Args:
        sections: (n, 6) coefficients b0, b1, b2, 1, a1, a2 of each.
        channels: How many are filtered side by side.
    """

    def __init__(self, sections: Doubles, channels: int) -> None:
        self._sections = np.ascontiguousarray(sections, np.float64)
        self._state = np.zeros((channels, len(sections), 2))

    def __call__(self, run: NDArray[Any]) -> Doubles:
        """Filters consecutive samples, (n, channels)."""
        # The recursion leaves its result where the samples were.
        out = np.array(run.T, np.float64, order="C")
        run_sections(self._sections, out, self._state)
        # What sound leaves behind in silence would become numbers that processors are slow with.
        self._state[np.abs(self._state) < _NOTHING] = 0.0
        return out.T
