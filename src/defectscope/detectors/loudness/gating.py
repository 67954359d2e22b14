"""Loudness from block energies: momentary, short-term, integrated, and range.

Source: ITU-R BS.1770-5 (gating), EBU Tech 3341 (time scales), EBU Tech 3342 (loudness range).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.temporal.order import windows

_OFFSET_LU = -0.691  # BS.1770-5, equation (2): makes a 997 Hz sine at 0 dBFS read -3.01 LKFS
_MOMENTARY_BLOCKS = 4  # 400 ms
_SHORT_TERM_BLOCKS = 30  # 3 s
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_RANGE_GATE_LU = -20.0
_RANGE_PERCENTILES = (10, 95)
SILENCE_LUFS = -120.0  # what is reported where there is no energy at all


def lufs(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns loudness of mean square energies; silence reads -120."""
    return np.maximum(_OFFSET_LU + 10 * np.log10(np.maximum(energy, 1e-13)), SILENCE_LUFS)


def sliding(energy: NDArray[np.float64], blocks: int) -> NDArray[np.float64]:
    """Returns the mean energy of every window of so many consecutive blocks."""
    if len(energy) < blocks:
        return np.empty(0)
    return windows(energy, blocks).mean(axis=1)


def momentary(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean energy of every 400 ms window, 75 % overlap."""
    return sliding(energy, _MOMENTARY_BLOCKS)


def short_term(energy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the mean energy of every 3 s window, one each 100 ms."""
    return sliding(energy, _SHORT_TERM_BLOCKS)


def integrated(windows: NDArray[np.float64]) -> float:
    """Returns gated programme loudness in LUFS from 400 ms windows' energies."""
    loud = windows[lufs(windows) > _ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return SILENCE_LUFS
    gate = float(lufs(np.array([loud.mean()]))[0]) + _RELATIVE_GATE_LU
    kept = loud[lufs(loud) > gate]
    return float(lufs(np.array([kept.mean()]))[0]) if len(kept) else SILENCE_LUFS


def loudness_range(windows: NDArray[np.float64]) -> float:
    """Returns loudness range in LU from 3 s windows' energies."""
    loud = windows[lufs(windows) >= _ABSOLUTE_GATE_LUFS]
    if not len(loud):
        return 0.0
    gate = float(lufs(np.array([loud.mean()]))[0]) + _RANGE_GATE_LU
    kept = lufs(loud)[lufs(loud) >= gate]
    if not len(kept):
        return 0.0
    low, high = np.percentile(kept, _RANGE_PERCENTILES)
    return float(high - low)
