"""What short filters leave of a wanted tone at the ears, and the gain that makes up for it."""

from __future__ import annotations

import numpy as np

from defectscope.spatial.arrays import Complexes, Reals

# Third octaves, as tone is measured; from the bottom of what drivers are asked for to its top.
_OCTAVES = 1 / 3
_BAND_HZ = (100.0, 14_000.0)
_MOST_DB = 3.0


def tone_gain(got: Complexes, wanted_power: Reals, grid_hz: Reals, before: Reals) -> Reals:
    """Returns the gain that brings the power at both ears to the wanted one, (frequencies,).

    A filter of few taps smooths what changes fast over frequency, so that bass comes out too soft
    or too loud. Powers are compared over third octaves; the gain stays within 3 dB.

    Args:
        got: What the ears get with the gain of `before`, (frequencies, 2 ears, 2 channels).
        wanted_power: The power that both ears together shall get, (frequencies,).
        grid_hz: Rising evenly from 0, (frequencies,).
        before: The gain so far, (frequencies,).
    """
    power = _smoothed(np.sum(np.abs(got) ** 2, axis=(1, 2)), grid_hz)
    wanted = _smoothed(wanted_power, grid_hz)
    error = np.sqrt(wanted / np.maximum(power, 1e-12))
    inside = (grid_hz >= _BAND_HZ[0]) & (grid_hz <= _BAND_HZ[1])
    most = 10 ** (_MOST_DB / 20)
    return np.clip(np.where(inside, before * error, before), 1 / most, most)


def _smoothed(power: Reals, grid_hz: Reals) -> Reals:
    """Returns the mean over a third octave about every frequency, (frequencies,)."""
    total = np.concatenate([np.zeros(1), np.cumsum(power)])
    first = np.searchsorted(grid_hz, grid_hz * 2 ** (-_OCTAVES / 2))
    after = np.searchsorted(grid_hz, grid_hz * 2 ** (_OCTAVES / 2), side="right")
    return (total[after] - total[first]) / (after - first)
