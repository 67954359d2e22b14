"""Finds a block grid of any phase and several scales in profiles of steps.

A grid of period p puts a comb into the profile of steps between columns (or rows), whose spectrum
has a line at every multiple of 1/p. No phase needs to be tried, and p need not be whole samples.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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
# What stands out is bounded, so that one edge in the picture is not a grid.
_MAX_RELATIVE = 4.0
# The spectrum is looked at in quarters of a bin, up to three of them from where a line should be.
_FINE = 4
_NEAR = 3
# A line counts as far as it exceeds this many times what is typical.
_FLOOR = 1.5


def comb(profile: Floats) -> tuple[Floats, Floats]:
    """Gives, per period, how strong a comb is and how far it stands out.

    Args:
        profile: (length,) sums of steps.

    Returns:
        The height of the comb beside the steps around it, 0 without one; and its lines' amplitude
        over the spectrum's typical one. Zeros for profiles too short to tell.
    """
    length = len(profile)
    if length < 4 * _SURROUND or not np.any(profile):
        return np.zeros(len(PERIODS_PX)), np.zeros(len(PERIODS_PX))
    local = ndimage.uniform_filter1d(profile, _SURROUND, mode="nearest")
    relative = np.clip(profile / np.maximum(local, 1e-9) - 1.0, -1.0, _MAX_RELATIVE)
    relative -= relative.mean()
    window = np.hanning(length)
    spectrum = np.abs(np.fft.rfft(relative * window, _FINE * length)) / window.sum()
    typical = max(float(np.median(spectrum[_FINE:])), 1e-9)
    bins = np.rint(_LINES * _FINE * length).astype(np.intp)
    near = bins + np.arange(-_NEAR, _NEAR + 1)[:, None]
    lines = spectrum[np.clip(near, 0, len(spectrum) - 1)].max(axis=0)
    # The weakest lines count too: a regular pattern in the picture has but one or two.
    logs = np.add.reduceat(np.log(np.maximum(lines, 1e-9)), _FIRST_LINES) / _COUNTS
    amplitude = np.exp(logs)
    strength = np.maximum(0.0, amplitude - _FLOOR * typical) * PERIODS_PX
    clarity = amplitude / typical
    return strength, clarity


def grid(columns: Floats, rows: Floats) -> tuple[float, float, float]:
    """Gives strength, clarity and period of the strongest grid that both profiles share."""
    across, clear_across = comb(columns)
    down, clear_down = comb(rows)
    both = np.sqrt(across * down)
    best = int(np.argmax(both))
    clarity = float(np.sqrt(clear_across[best] * clear_down[best]))
    return float(both[best]), clarity, float(PERIODS_PX[best])
