"""RMS level per channel and 10 ms hop, in half decibels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HOPS_HZ = 100
# One byte: 0 is digital silence, 1 is -126.5 dBFS, 255 is +0.5 dBFS.
_FLOOR_DBFS = -127.0
_STEP_DB = 0.5


def to_dbfs(codes: NDArray[Any]) -> NDArray[np.float32]:
    """Returns levels in dBFS; digital silence reads -127."""
    return np.float32(_FLOOR_DBFS) + codes * np.float32(_STEP_DB)


class LevelMeter:
    """Measures every complete hop of the absolute grid.

    Attributes:
        rows: (first hop, (hops, channels) uint8 codes), in order.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self.rows: list[tuple[int, NDArray[np.uint8]]] = []
        self._rate_hz = rate_hz
        self._rest = np.empty((0, channels), np.float32)
        self._at = 0

    def push(self, start: int, data: NDArray[np.float32]) -> None:
        """Takes a run of sound, (samples, channels); NaN and infinity count as full scale."""
        if start != self._at + len(self._rest):
            self._rest, self._at = self._rest[:0], start
        run = np.concatenate((self._rest, data)) if len(self._rest) else data
        first = -(-self._at * HOPS_HZ // self._rate_hz)
        last = (self._at + len(run)) * HOPS_HZ // self._rate_hz
        if last <= first:
            self._rest = run
            return
        # Hop edges are whole samples at any rate, so that their length may differ by one.
        hops = np.arange(first, last + 1, dtype=np.int64)
        edges = -(-hops * self._rate_hz // HOPS_HZ) - self._at
        clean = np.nan_to_num(run, nan=1.0, posinf=1.0, neginf=1.0).astype(np.float64)
        power = np.add.reduceat(clean[: edges[-1]] ** 2, edges[:-1], axis=0)
        mean = power / np.diff(edges)[:, None]
        with np.errstate(divide="ignore"):
            level = np.rint((10 * np.log10(mean) - _FLOOR_DBFS) / _STEP_DB)
        codes = np.where(mean > 0, np.clip(level, 1, 255), 0).astype(np.uint8)
        self.rows.append((first, codes))
        self._rest = run[edges[-1] :]
        self._at += int(edges[-1])
