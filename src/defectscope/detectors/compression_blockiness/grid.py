"""Finds a block grid of any phase and several scales in profiles of steps.

A grid of period p puts a comb into the profile of steps between columns (or rows), whose spectrum
has a line at every multiple of 1/p. No phase needs to be tried, and p need not be whole samples.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Floats = NDArray[np.float64]

# Blocks of 8 and of 16 coded at full size, 3/4, 2/3 and 1/2 of it, and blocks of 8 at 1/4.
PERIODS_PX = np.array([8.0, 32 / 3, 12.0, 16.0, 64 / 3, 24.0, 32.0])
_MAX_HARMONICS = 4
# Harmonics below half the sampling frequency, as cycles per sample, period after period.
_COUNTS = np.minimum(_MAX_HARMONICS, np.ceil(PERIODS_PX / 2).astype(np.intp) - 1)
_LINES = np.concatenate([np.arange(1, n + 1) / p for n, p in zip(_COUNTS, PERIODS_PX, strict=True)])
_FIRST_LINES = np.concatenate(([0], np.cumsum(_COUNTS)[:-1]))
# A step profile is compared with its own surroundings, this many samples wide.
_SURROUND = 17
# What stands out is bounded, so that one edge in the frame is not a grid.
_MAX_RELATIVE = 4.0
# The spectrum is looked at in halves of a bin, up to one of them from where a line should be.
_FINE = 2
_NEAR = 1
# A line counts as far as it exceeds this many times what is typical.
_FLOOR = 1.5


def comb(profiles: Floats) -> tuple[Floats, Floats]:
    """Returns, per profile and period, how strong a comb is and how far it stands out.

    Args:
        profiles: (n, length) sums of steps.

    Returns:
        (n, periods) each: the height of the comb beside the steps around it, 0 without one; and its
        lines' amplitude over the spectrum's typical one. Zeros for profiles too short to tell.
    """
    count, length = profiles.shape
    if length < 4 * _SURROUND or not count:
        return np.zeros((count, len(PERIODS_PX))), np.zeros((count, len(PERIODS_PX)))
    local = ndimage.uniform_filter1d(profiles, _SURROUND, axis=1, mode="nearest")
    relative = np.clip(profiles / np.maximum(local, 1e-9) - 1.0, -1.0, _MAX_RELATIVE)
    relative -= relative.mean(axis=1, keepdims=True)
    window, near = _plan(length)
    # Single precision halves the time; lines are compared with each other, not with an absolute.
    windowed = (relative * window).astype(np.float32)
    # One by one: several at once might round differently, and chunks would matter.
    spectra = np.abs(np.stack([_spectrum(each) for each in windowed]))
    # Neighbouring halves of a bin tell the same.
    typical = np.maximum(np.median(spectra[:, _FINE::_FINE], axis=1), 1e-9)[:, None]
    lines = spectra[:, near].max(axis=1)
    # The weakest lines count too: a regular pattern in the frame has but one or two.
    logs = np.add.reduceat(np.log(np.maximum(lines, 1e-9)), _FIRST_LINES, axis=1) / _COUNTS
    amplitude = np.exp(logs) * profiles.any(axis=1, keepdims=True)
    strength = np.maximum(0.0, amplitude - _FLOOR * typical) * PERIODS_PX
    return strength, amplitude / typical


def _spectrum(windowed: NDArray[np.float32]) -> NDArray[np.complex64]:
    return np.asarray(fft.rfft(windowed, _FINE * len(windowed)), np.complex64)


@lru_cache(maxsize=16)
def _plan(length: int) -> tuple[Floats, NDArray[np.intp]]:
    """A window of sum 1, and the bins near each line, (2 near + 1, lines)."""
    window = np.hanning(length)
    bins = np.rint(_LINES * _FINE * length).astype(np.intp)
    near = bins + np.arange(-_NEAR, _NEAR + 1)[:, None]
    return window / window.sum(), np.clip(near, 0, _FINE * length // 2)


def grid(columns: Floats, rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Returns strength, clarity and period of the strongest grid that both profiles share.

    Args:
        columns: (n, width) sums of steps between columns.
        rows: (n, height) sums of steps between rows.

    Returns:
        (n,) each, the period in samples.
    """
    across, clear_across = comb(columns)
    down, clear_down = comb(rows)
    both = np.sqrt(across * down)
    every, best = np.arange(len(both)), np.argmax(both, axis=1)
    clarity = np.sqrt(clear_across[every, best] * clear_down[every, best])
    return both[every, best], clarity, PERIODS_PX[best]
