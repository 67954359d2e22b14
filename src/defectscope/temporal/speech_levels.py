"""The band of speech: how loud it is in every 100 ms, and how deep it dips within them.

No network: levels alone. Speech is cut into syllables and pauses; music and ambience are not.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.measurements import Table
from defectscope.temporal.tables import TableBuilder

BLOCKS_HZ = 10
_PARTS = 5
_BAND_HZ = 8000
_FLOOR_DBFS = -127.0
_STEP_DB = 0.5
Series = NDArray[np.float64]


def to_dbfs(codes: NDArray[Any]) -> Series:
    """Returns levels in dBFS; digital silence reads -127."""
    return _FLOOR_DBFS + codes * _STEP_DB


class SpeechMeter:
    """Measures every complete block of 100 ms.

    Attributes:
        rows: (first block, mean level codes, level codes of the softest fifth), in order.
    """

    def __init__(self, rate_hz: int, channels: tuple[str, ...]) -> None:
        self.rows: list[tuple[int, NDArray[np.uint8], NDArray[np.uint8]]] = []
        # Dialogue lies in the centre, or equally in front.
        front = [k for k, name in enumerate(channels) if name in ("FL", "FR", "FC")]
        self._front = [channels.index("FC")] if "FC" in channels else front or [0]
        self._rate_hz = rate_hz
        self._factor = max(1, round(rate_hz / _BAND_HZ))
        self._length = rate_hz // BLOCKS_HZ // (_PARTS * self._factor) * _PARTS * self._factor
        self._rest = np.empty(0, np.float32)
        self._at = 0

    def push(self, start: int, data: NDArray[np.float32]) -> None:
        """Takes a run of sound, (samples, channels); NaN and infinity count as full scale."""
        mono = data[:, self._front[0]]
        for channel in self._front[1:]:
            mono = mono + data[:, channel]
        mono = np.nan_to_num(mono, nan=1.0, posinf=1.0, neginf=1.0) / np.float32(len(self._front))
        if start != self._at + len(self._rest):
            self._rest, self._at = self._rest[:0], start
        run = np.concatenate((self._rest, mono))
        first = -(-self._at * BLOCKS_HZ // self._rate_hz)
        last = (self._at + len(run)) * BLOCKS_HZ // self._rate_hz
        if last <= first or self._length == 0:
            self._rest = run
            return
        edges = -(-np.arange(first, last + 1) * self._rate_hz // BLOCKS_HZ) - self._at
        blocks = run[edges[:-1, None] + np.arange(self._length)]
        # A mean over some samples takes the top away, a difference the bottom.
        low = blocks.reshape(len(blocks), -1, self._factor).mean(axis=2)
        band = low[:, 1:] - np.float32(0.9) * low[:, :-1]
        band = np.concatenate((band[:, :1], band), axis=1).reshape(len(blocks), _PARTS, -1)
        power = np.mean(band * band, axis=2, dtype=np.float64)
        self.rows.append((first, _codes(power.mean(axis=1)), _codes(power.min(axis=1))))
        self._rest = run[edges[-1] :]
        self._at += int(edges[-1])

    def table(self) -> Table:
        """Returns the rows as a table of `block`, `level` and `softest`."""
        builder = TableBuilder(
            Fraction(BLOCKS_HZ), block=np.int64, level=np.uint8, softest=np.uint8
        )
        for first, level, softest in self.rows:
            block = np.arange(first, first + len(level))
            builder.add(block=block, level=level, softest=softest)
        return builder.table()

    def take(self) -> Table:
        """Returns the rows so far as a table, and forgets them."""
        taken = self.table()
        self.rows.clear()
        return taken


def _codes(power: Series) -> NDArray[np.uint8]:
    with np.errstate(divide="ignore"):
        level = np.rint((10 * np.log10(power) - _FLOOR_DBFS) / _STEP_DB)
    return np.where(power > 0, np.clip(level, 1, 255), 0).astype(np.uint8)
