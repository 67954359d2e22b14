"""Tells film by 3:2 pulldown from interlaced video: of five frames, always the same two comb."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Source: SMPTE RP 202 and common practice: four film frames give five frames, two of them woven.
_PERIOD = 5
_CYCLES = 4
# Share of the comb's variance that the place in the cycle must explain. Four cycles of unrelated
# numbers reach 0.21 on average and this in fewer than one of a thousand.
_EXPLAINED = 0.7
_LEAST_CONTRAST = 0.002


def telecined(within: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tells which frames belong to an unbroken 3:2 pulldown.

    Args:
        within: (n,) share of each frame's samples that stand out between the rows around them.

    Returns:
        (n,) bool.
    """
    length = _PERIOD * _CYCLES
    inside = np.zeros(len(within), bool)
    if len(within) < length:
        return inside
    windows = np.lib.stride_tricks.sliding_window_view(within, length)
    cycles = windows.reshape(-1, _CYCLES, _PERIOD)
    by_place = cycles.mean(axis=1)
    explained = by_place.var(axis=1) / np.maximum(windows.var(axis=1), 1e-12)
    order = np.argsort(by_place, axis=1)
    apart = (order[:, -1] - order[:, -2]) % _PERIOD
    neighbours = (apart == 1) | (apart == _PERIOD - 1)
    rows = np.arange(len(by_place))
    second, third = by_place[rows, order[:, -2]], by_place[rows, order[:, -3]]
    # The two woven frames stand apart from the other three.
    contrast = second - third
    two = contrast > np.maximum(by_place[rows, order[:, -1]] - second, _LEAST_CONTRAST)
    for start in np.flatnonzero((explained >= _EXPLAINED) & neighbours & two):
        inside[start : start + length] = True
    return inside
