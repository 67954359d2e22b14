"""What the front pair has in common, band by band, in blocks of the absolute grid of time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from defectscope.spatial.interaural import MOST_ITD_S

BLOCKS_HZ = 5
# Octaves in which ears tell directions; below, rooms do what they like.
EDGES_HZ = (200.0, 400.0, 800.0, 1_600.0, 3_200.0, 6_400.0, 12_800.0)
BANDS = len(EDGES_HZ) - 1
# Delays between the channels are looked for up to here: a frame of 25 a second.
MOST_DELAY_S = 0.04
# One byte: 0 is digital silence, 1 is -126.5 dBFS, 255 is +0.5 dBFS.
_FLOOR_DBFS = -127.0
_STEP_DB = 0.5
SHARES = 100
# Blocks that are measured together: two seconds.
_TOGETHER = 10
Columns = dict[str, NDArray[Any]]
# What ears compare lies below; so much is kept of the spectrum for delays, at four times its rate.
_TOP_HZ = 8_000
_LAGS_HZ = 4 * _TOP_HZ
_SIZE = _LAGS_HZ // BLOCKS_HZ
# A tenth of a millisecond is no delay: microphones of one head or stand differ by as much.
_NO_LAGS = 3
_MOST_LAGS = int(MOST_DELAY_S * _LAGS_HZ)


def front_pair(channels: Sequence[str]) -> tuple[int, int] | None:
    """Returns the indices of the front pair, or None where there is none."""
    if "FL" in channels and "FR" in channels:
        return channels.index("FL"), channels.index("FR")
    return None


def to_power(codes: NDArray[Any]) -> NDArray[np.float64]:
    """Returns mean squares from level codes; digital silence gives 0."""
    return np.where(codes > 0, 10 ** ((_FLOOR_DBFS + codes * _STEP_DB) / 10), 0.0)


def to_codes(power: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Returns mean squares as codes of half a decibel."""
    level = 10 * np.log10(np.maximum(power, 1e-20))
    codes = np.clip(np.rint((level - _FLOOR_DBFS) / _STEP_DB), 0, 255)
    return np.where(power > 0, codes, 0).astype(np.uint8)


class StageMeter:
    """Measures every complete block of the front pair.

    Attributes:
        rows: (block's number, columns of one row), in order; whoever takes them empties it.
    """

    def __init__(self, rate_hz: int, pair: tuple[int, int]) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self._rate_hz = rate_hz
        self._pair = pair
        self._length = rate_hz // BLOCKS_HZ
        self._window = np.hanning(self._length).astype(np.float32)
        self._energy = float(np.sum(self._window.astype(np.float64) ** 2))
        frequencies = np.fft.rfftfreq(self._length, 1 / rate_hz)
        self._bands = np.searchsorted(frequencies, EDGES_HZ)
        top_hz = min(float(_TOP_HZ), 0.45 * rate_hz)
        first, last = np.searchsorted(frequencies, (EDGES_HZ[0], top_hz))
        self._inside = slice(int(first), int(last))
        self._rest = np.empty((0, 2), np.float32)
        self._at = 0

    def push(self, start: int, data: NDArray[np.float32]) -> None:
        """Takes a run of sound, (samples, channels); NaN and infinity count as full scale."""
        if start != self._at + len(self._rest):
            self._rest, self._at = self._rest[:0], start
        own = data[:, self._pair]
        run = np.concatenate((self._rest, own)) if len(self._rest) else own
        position = 0
        numbers: list[int] = []
        firsts: list[int] = []
        while True:
            number = -(-(self._at + position) * BLOCKS_HZ // self._rate_hz)
            # Blocks begin at whole samples at any rate, and all have the same length.
            first = -(-number * self._rate_hz // BLOCKS_HZ) - self._at
            if first + self._length > len(run):
                break
            numbers.append(number)
            firsts.append(first)
            position = first + 1
        for group in range(0, len(firsts), _TOGETHER):
            taken = slice(group, group + _TOGETHER)
            blocks = np.stack([run[first : first + self._length] for first in firsts[taken]])
            self.rows += zip(numbers[taken], self._measured(blocks), strict=True)
        # What has been measured goes; the rest begins a block or lies before one.
        kept = min(max(position, 0), len(run))
        self._rest = run[kept:].copy()
        self._at += kept

    def _measured(self, blocks: NDArray[np.float32]) -> list[dict[str, float]]:
        """Returns the columns of some blocks, (blocks, samples, 2): none for silent ones."""
        signals = np.ascontiguousarray(blocks.transpose(0, 2, 1))
        if not np.isfinite(signals).all():
            signals = np.nan_to_num(signals, nan=1.0, posinf=1.0, neginf=1.0)
        rows: list[dict[str, float]] = [{} for _ in signals]
        sounding = np.flatnonzero(signals.any(axis=(1, 2)))
        if not len(sounding):
            return rows
        signals = signals[sounding]
        spectra = np.asarray(fft.rfft(signals * self._window, axis=2), np.complex64)
        # Twice: a real signal's energy lies in both halves of its spectrum.
        scale = 2 / (self._length * self._energy)
        power = scale * (spectra.real**2 + spectra.imag**2)
        apart = spectra[:, 0] - spectra[:, 1]
        side = scale / 4 * (apart.real**2 + apart.imag**2)
        every = np.concatenate((power, side[:, None]), axis=1)
        sums = [every[:, :, a:b].sum(axis=2) for a, b in pairwise(self._bands.tolist())]
        inside = self._inside
        cross = np.zeros((len(signals), inside.stop), np.complex64)
        cross[:, inside] = np.conj(spectra[:, 0, inside]) * spectra[:, 1, inside]
        powers = power[:, :, inside].sum(axis=2) / scale
        coherence = _coherence(cross, powers)
        delays = _delays(cross, inside.stop - inside.start)
        codes = to_codes(np.stack(sums, axis=1)).tolist()
        for place, at in enumerate(sounding.tolist()):
            row = rows[at]
            for band, (left, right, sides) in enumerate(codes[place]):
                row[f"left_{band}"], row[f"right_{band}"], row[f"side_{band}"] = left, right, sides
            row["coherence"] = round(SHARES * coherence[place])
            row["delay_us"], peak, zero = delays[place]
            row["peak"], row["zero"] = round(SHARES * peak), round(SHARES * zero)
        return rows


def _coherence(cross: NDArray[Any], powers: NDArray[Any]) -> list[float]:
    """Returns every block's largest correlation within ±1 ms, as ISO 3382-1 has it."""
    scales = np.sqrt(powers[:, 0] * powers[:, 1]).tolist()
    most = int(MOST_ITD_S * _LAGS_HZ)
    whole = np.asarray(fft.irfft(cross, _SIZE, axis=1))
    highest = np.abs(whole[:, np.arange(-most, most + 1)]).max(axis=1).tolist()
    return [
        min(1.0, high * _SIZE / 2 / scale) if scale > 0 else 0.0
        for high, scale in zip(highest, scales, strict=True)
    ]


def _delays(cross: NDArray[Any], count: int) -> list[tuple[int, float, float]]:
    """Returns by how many microseconds each block's right channel is late, and how sure that is.

    The second and third number are the heights of the peak and of the value at no delay, 1 for
    channels that are copies.

    Source: Knapp and Carter 1976, the phase transform: every frequency counts alike, so that one
    delay that all share makes one sharp peak.
    """
    size = np.abs(cross)
    floors = 1e-9 * size.max(axis=1, initial=0.0).astype(np.float64)
    known = floors > 0
    least = np.where(known, floors, 1.0).astype(size.dtype)[:, None]
    phases = np.where(size > least, cross / np.maximum(size, least), 0)
    most = _MOST_LAGS
    whole = np.asarray(fft.irfft(phases, _SIZE, axis=1))
    near = np.concatenate((whole[:, -most:], whole[:, : most + 1]), axis=1)
    values = np.clip(near * (_SIZE / 2 / count), 0, 1)
    best = np.argmax(values, axis=1)
    none = values[:, most - _NO_LAGS : most + _NO_LAGS + 1].max(axis=1)
    peaks = np.take_along_axis(values, best[:, None], axis=1)[:, 0]
    found = zip(best.tolist(), peaks.tolist(), none.tolist(), known.tolist(), strict=True)
    return [
        (round((at - most) / _LAGS_HZ * 1e6), peak, zero) if known_here else (0, 0.0, 0.0)
        for at, peak, zero, known_here in found
    ]
