"""The BS.1770 meter: K-weighted energy and true peak per 100 ms of the absolute grid.

The filters carry their state from call to call, and blocks begin where the grid says, so that
chunking changes nothing. libebur128 would be faster but neither keeps the energy of a block, which
is what lets segments merge before gating, nor ships in a maintained Python package.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from defectscope.temporal.filters import Biquads, low_pass
from defectscope.temporal.order import windows
from defectscope.temporal.products import product

BLOCKS_HZ = 10
# The highest momentary loudness of a short sound is missed on a grid of 100 ms by up to 0.5 LU.
# Source: EBU Tech 3341, cases 13 and 14, move 400 ms of sound in steps of 20 ms.
_FINE_PER_BLOCK = 5
_MOMENTARY_FINE = 20
# Source: ITU-R BS.1770-5, annex 1, table 3 and annex 3: weights by position; LFE is left out.
_SURROUND = {"BL", "BR", "SL", "SR"}
_SURROUND_WEIGHT = 1.41
_LFE = {"LFE", "LFE2"}
# Source: BS.1770-5, annex 2: at least 192 kHz after oversampling, for rates up to 96 kHz 4x or 2x.
_TRUE_PEAK_HZ = 192_000
_TAPS_PER_PHASE = 12
_KAISER = 5.0
# Samples that are interpolated in one row of a product of matrices.
_ROW = 32


def weights(channels: Sequence[str]) -> NDArray[np.float64]:
    """Returns every channel's weight in the loudness sum."""
    return np.array(
        [
            0.0 if c in _LFE else _SURROUND_WEIGHT if c in _SURROUND and len(channels) > 4 else 1.0
            for c in channels
        ]
    )


def k_weighting(rate_hz: int) -> NDArray[np.float64]:
    """Returns the K filter as second-order sections, (2, 6), for any rate.

    Source: ITU-R BS.1770-5, annex 1, tables 1 and 2 give the coefficients at 48 kHz; the analogue
    prototypes that yield them through the bilinear transform (a high shelf of +3.9998 dB at
    1681.97 Hz and a high-pass at 38.135 Hz) are transformed at the wanted rate.
    """
    gain_db, shelf_hz, shelf_q = 3.999843853973347, 1681.974450955533, 0.7071752369554196
    k = math.tan(math.pi * shelf_hz / rate_hz)
    high = 10 ** (gain_db / 20)
    band = high**0.4996667741545416
    a0 = 1 + k / shelf_q + k * k
    shelf = [
        (high + band * k / shelf_q + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / shelf_q + k * k) / a0,
        1.0,
        2 * (k * k - 1) / a0,
        (1 - k / shelf_q + k * k) / a0,
    ]
    pass_hz, pass_q = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * pass_hz / rate_hz)
    a0 = 1 + k / pass_q + k * k
    high_pass = [1.0, -2.0, 1.0, 1.0, 2 * (k * k - 1) / a0, (1 - k / pass_q + k * k) / a0]
    return np.array([shelf, high_pass])


class Meter:
    """Measures sound block by block.

    Attributes:
        rows: (block, energy, highest 400 ms energy ending in it, sample peak, true peak) of every
            complete block.
    """

    def __init__(self, rate_hz: int, channels: Sequence[str]) -> None:
        self.rows: list[tuple[int, float, float, float, float]] = []
        self._rate_hz = rate_hz
        self._weights = weights(channels)
        self._sections = k_weighting(rate_hz)
        factor = max(1, -(-_TRUE_PEAK_HZ // rate_hz))
        # A windowed sinc of the standard's length; its phases interpolate between samples.
        # At 192 kHz and more nothing lies between the samples: one tap, which passes them on.
        sinc = (
            low_pass(_TAPS_PER_PHASE * factor, 1 / factor, _KAISER)
            if factor > 1
            else np.eye(_TAPS_PER_PHASE)[_TAPS_PER_PHASE // 2]
        )
        taps = np.asarray(sinc * factor, np.float32)
        phases = taps.reshape(_TAPS_PER_PHASE, factor)[::-1]
        # The filter over a row of samples as one matrix, so that a product does all rows at once.
        self._oversample = np.zeros((_ROW + _TAPS_PER_PHASE - 1, _ROW, phases.shape[1]), np.float32)
        for place in range(_ROW):
            self._oversample[place : place + _TAPS_PER_PHASE, place] = phases
        self._oversample = self._oversample.reshape(len(self._oversample), -1)
        self._count = len(channels)
        self._restart(0)

    def _restart(self, position: int) -> None:
        """Begins afresh after a gap, at the next block's start."""
        self._position = position
        self._weighting = Biquads(self._sections, self._count)
        self._fine: NDArray[np.float64] = np.empty(0)
        self._tail = np.zeros((_TAPS_PER_PHASE - 1, self._count), np.float32)
        self._pending: list[NDArray[np.float32]] = []
        self._pending_from = position
        self._pending_samples = 0
        self._block = -(-position * BLOCKS_HZ // self._rate_hz)

    def _edge(self, block: int) -> int:
        """First sample of a block; edges are whole samples at any rate."""
        return -(-block * self._rate_hz // BLOCKS_HZ)

    def push(self, start: int, data: NDArray[np.float32]) -> None:
        """Takes a run of sound, (samples, channels); NaN and infinity count as silence."""
        if start != self._position:
            self._restart(start)
        if not np.isfinite(data).all():
            data = np.nan_to_num(data, nan=0.0, posinf=0.0, neginf=0.0)
        self._pending.append(data)
        self._pending_samples += len(data)
        self._position += len(data)
        if self._position >= self._edge(self._block + 1):
            self._measure()

    def _measure(self) -> None:
        run = np.concatenate(self._pending) if len(self._pending) > 1 else self._pending[0]
        at = self._pending_from
        first = self._edge(self._block)
        if at < first:
            # What precedes the grid's next block only settles the filters.
            self._filtered(run[: first - at])
            run, at = run[first - at :], first
        while len(run) and at + len(run) >= self._edge(self._block + 1):
            length = self._edge(self._block + 1) - at
            block = run[:length]
            weighted, oversampled_peak = self._filtered(block)
            power = (weighted * weighted) @ self._weights
            energy = float(np.mean(power))
            sample_peak = float(np.max(np.abs(block)))
            true_peak = max(sample_peak, oversampled_peak)
            self.rows.append((self._block, energy, self._momentary(power), sample_peak, true_peak))
            run, at = run[length:], at + length
            self._block += 1
        self._pending = [run] if len(run) else []
        self._pending_from, self._pending_samples = at, len(run)

    def _momentary(self, power: NDArray[np.float64]) -> float:
        """Returns the highest mean over 400 ms that ends in this block, in steps of 20 ms."""
        first = self._block * _FINE_PER_BLOCK
        fine_hz = BLOCKS_HZ * _FINE_PER_BLOCK
        edges = [
            -(-(first + k) * self._rate_hz // fine_hz) - self._edge(self._block)
            for k in range(_FINE_PER_BLOCK + 1)
        ]
        sums = np.add.reduceat(power, edges[:-1])
        self._fine = np.concatenate((self._fine[-(_MOMENTARY_FINE - 1) :], sums))
        if len(self._fine) < _MOMENTARY_FINE:
            return 0.0
        spans = windows(self._fine, _MOMENTARY_FINE)
        samples = self._rate_hz * _MOMENTARY_FINE / fine_hz
        return float(spans.sum(axis=1).max() / samples)

    def _filtered(self, run: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
        """Filters a run and gives its K-weighted samples and its oversampled peak."""
        weighted = self._weighting(run)
        joined = np.concatenate((self._tail, run))
        peak = 0.0
        reach = _TAPS_PER_PHASE - 1
        if len(joined) > reach:
            # The last row is filled up by what came before it, which is looked at twice.
            places = len(joined) - reach
            width = min(_ROW, places)
            starts = np.minimum(np.arange(-(-places // width)) * width, places - width)
            whole = len(starts) - 1
            factor = self._oversample.shape[1] // _ROW
            taps = self._oversample[: width + reach, : width * factor]
            rows = np.empty((whole + 1, width + reach), np.float32)
            for channel in range(self._count):
                own = np.ascontiguousarray(joined[:, channel])
                rows[:whole] = windows(own, width + reach)[: whole * width : width]
                rows[whole] = own[starts[-1] :]
                between = product(rows, taps)
                peak = max(peak, float(between.max()), -float(between.min()))
        self._tail = joined[-(_TAPS_PER_PHASE - 1) :]
        return weighted, peak
