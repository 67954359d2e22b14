"""RMS level per channel and 10 ms hop, about the hop's own mean, in half decibels.

What stands still is not heard: a converter that goes on with its last sample is as silent as zeros.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

HOPS_HZ = 100
# A hop is held where it stands still at a value: so far above nothing, so far above what moves
# about it (an encode leaves ripples), and not at the rail, where sound is clipped.
_HELD_LEAST, _HELD_MOST = 10 ** (-46 / 20), 0.985
_HELD_BELOW_DB, _HELD_MOVES_DBFS = 30.0, -45.0
_HELD_CODES = 32767
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
        held: Hop, channel and value in 1/32767 of full scale where a channel stands still off zero.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self.rows: list[tuple[int, NDArray[np.uint8]]] = []
        self.held: list[tuple[int, int, int]] = []
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
        sizes = np.diff(edges)
        # After a gap sound may begin within a hop, which is not complete then.
        inside, begins = clean[edges[0] : edges[-1]], edges[:-1] - edges[0]
        still = np.add.reduceat(inside, begins, axis=0) / sizes[:, None]
        moving = inside - np.repeat(still, sizes, axis=0)
        mean = np.add.reduceat(moving**2, begins, axis=0) / sizes[:, None]
        # At the rail nothing stands still: there, sound is clipped.
        mean = np.where(np.abs(still) < _HELD_MOST, mean, mean + still**2)
        with np.errstate(divide="ignore"):
            dbfs = 10 * np.log10(mean)
        level = np.rint((dbfs - _FLOOR_DBFS) / _STEP_DB)
        off = (np.abs(still) >= _HELD_LEAST) & (dbfs <= _HELD_MOVES_DBFS)
        off &= mean <= still**2 * 10 ** (-_HELD_BELOW_DB / 10)
        for hop, channel in np.argwhere(off).tolist():
            self.held.append((first + hop, channel, round(still[hop, channel] * _HELD_CODES)))
        codes = np.where(mean > 0, np.clip(level, 1, 255), 0).astype(np.uint8)
        self.rows.append((first, codes))
        self._rest = run[edges[-1] :]
        self._at += int(edges[-1])
