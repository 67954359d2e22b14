"""Brings sound of any rate onto the network's clock, on an absolute grid.

Cells of half a second at 32 kHz are each resampled from their own interval of the source, so the
way the sound arrives in runs changes no bit of them. Gaps are silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import gcd
from typing import Any, cast

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.spectra import BLOCK, RATE_HZ
from defectscope.temporal.filters import low_pass

# Zero crossings of the interpolation filter on either side, and its Kaiser window: what
# `scipy.signal.resample_poly` uses, with which the training data were made.
_CROSSINGS = 10
_KAISER = 5.0
# A longer gap is not filled: the grid goes on behind it.
_MAX_GAP_S = 4

# Up to so many phases of the filter, outputs are computed in rows of so many.
_FEW, _ROW = 8, 32

Floats = NDArray[np.float32]


class Resampler:
    """Returns the cells of one channel, in order.

    Args:
        rate_hz: Rate of the source.
    """

    def __init__(self, rate_hz: int) -> None:
        common = gcd(rate_hz, RATE_HZ)
        self._up, self._down = RATE_HZ // common, rate_hz // common
        self._rate_hz = rate_hz
        self._half = self._down * -(-_CROSSINGS * max(self._up, self._down) // self._down)
        # Reach of the filter in source samples.
        self._reach = -(-self._half // self._up) + 1
        self._held = np.zeros(0, np.float32)
        self._at = 0  # source position of the first held sample
        self._next: int | None = None  # the next cell to give

    @property
    def _end(self) -> int:
        return self._at + len(self._held)

    def push(self, start: int, data: Floats) -> Iterator[tuple[int, Floats]]:
        """Takes a run of samples and gives the cells that it completes, with their number."""
        if start < 0:
            start, data = 0, data[min(len(data), -start) :]
        if not len(data):
            return
        if self._next is None:
            self._restart(start)
        gap = start - self._end
        if gap > _MAX_GAP_S * self._rate_hz:
            yield from self.finish()
            self._restart(start)
            gap = start - self._end
        if gap > 0:
            data = np.concatenate([np.zeros(gap, np.float32), data])
        elif gap < 0:
            data = data[-gap:]  # what was heard already is not heard again
        self._held = np.concatenate([self._held, data])
        while self._next is not None and self._last_needed(self._next) <= self._end:
            yield self._next, self._cell(self._next)
            self._next += 1
        self._forget()

    def finish(self) -> Iterator[tuple[int, Floats]]:
        """Returns the cells that the last samples reach into, silence following."""
        if self._next is None:
            return
        last = -(-self._end * RATE_HZ // (BLOCK * self._rate_hz))
        while self._next < last:
            yield self._next, self._cell(self._next)
            self._next += 1
        self._next = None
        self._held = np.zeros(0, np.float32)

    def _restart(self, start: int) -> None:
        self._next = start * RATE_HZ // (BLOCK * self._rate_hz)
        self._held = np.zeros(0, np.float32)
        self._at = start

    def _first_needed(self, cell: int) -> int:
        first = cell * BLOCK * self._down // self._up - self._reach
        # Outputs fall on the grid only from a multiple of the decimation on.
        return first // self._down * self._down

    def _last_needed(self, cell: int) -> int:
        return -(-(cell + 1) * BLOCK * self._down // self._up) + self._reach

    def _cell(self, cell: int) -> Floats:
        first, last = self._first_needed(cell), self._last_needed(cell)
        source = np.zeros(last - first, np.float32)
        low, high = max(first, self._at), min(last, self._end)
        if high > low:
            source[low - first : high - first] = self._held[low - self._at : high - self._at]
        if self._up == self._down:
            start = cell * BLOCK - first
            return source[start : start + BLOCK]
        if self._up <= _FEW:
            begin = cell * BLOCK * self._down // self._up - first
            return _by_rows(source, begin, self._up, self._down, self._half)
        # Odd rates alone: SciPy's signal processing takes half a second to import.
        from scipy import signal

        taps = _filter(self._up, self._down, self._half)
        full = cast("Any", signal).upfirdn(taps, source, self._up, self._down)
        skip = cell * BLOCK - first * self._up // self._down + self._half // self._down
        return np.asarray(full[skip : skip + BLOCK], np.float32)

    def _forget(self) -> None:
        if self._next is None:
            return
        keep = max(self._at, min(self._end, self._first_needed(self._next)))
        self._held, self._at = self._held[keep - self._at :], keep


def _by_rows(source: Floats, begin: int, up: int, down: int, half: int) -> Floats:
    """Returns a cell, `begin` being its first instant in the source: what `upfirdn` gives, faster.

    Intervals of the source, each long enough for a row of outputs, times one matrix.
    """
    matrix = _rows(up, down, half)
    step, reach = _ROW * down // up, -(-half // up)
    first = source[begin - reach :]
    spans = as_strided(first, (BLOCK // _ROW, len(matrix)), (step * first.itemsize, first.itemsize))
    return (np.ascontiguousarray(spans) @ matrix).ravel()


@lru_cache(maxsize=8)
def _rows(up: int, down: int, half: int) -> Floats:
    """Returns the matrix from an interval of the source to `_ROW` outputs."""
    taps, reach = _filter(up, down, half), -(-half // up)
    out = np.zeros((_ROW * down // up + 2 * reach, _ROW), np.float32)
    for column in range(_ROW):
        for row in range(len(out)):
            # Sample `row` lies at (row - reach) * up, output `column` at column * down.
            place = column * down - (row - reach) * up + half
            if 0 <= place < len(taps):
                out[row, column] = taps[place]
    return out


@lru_cache(maxsize=32)
def _filter(up: int, down: int, half: int) -> Floats:
    return (low_pass(2 * half + 1, 1.0 / max(up, down), _KAISER) * up).astype(np.float32)
