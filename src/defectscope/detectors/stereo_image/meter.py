"""What the channels have in common, measured on a fixed grid of programme time.

Two tables come out: levels, correlation and side level every 20 ms, from which the ends of a
fault are read, and levels and correlation in six bands every 100 ms, which tell a fault of the
channel (alike in all bands) from a source that moves (only in its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stereo_image.reversals import Halves, ReversalMeter

HOPS_HZ = 50
HOPS_PER_BLOCK = 5
BLOCKS_HZ = HOPS_HZ // HOPS_PER_BLOCK
# Which channel is which changes with the file, not with the moment.
HOPS_PER_LOOK = 10
BANDS = 6
# One byte: 0 is digital silence, 1 is -126.5 dBFS, 255 is +0.5 dBFS.
_FLOOR_DBFS = -127.0
_STEP_DB = 0.5
CORRELATION_STEPS = 127
Columns = dict[str, NDArray[Any]]
# Left and right of one position, by the names that FFmpeg gives to channels.
_PAIRS = (("FL", "FR"), ("BL", "BR"), ("SL", "SR"), ("FLC", "FRC"), ("TFL", "TFR"), ("TBL", "TBR"))


def pairs_of(channels: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the left and right channels that belong together, the front pair first."""
    at = {name: index for index, name in enumerate(channels)}
    return [(at[a], at[b]) for a, b in _PAIRS if a in at and b in at]


def to_dbfs(codes: NDArray[Any]) -> NDArray[np.float64]:
    """Returns levels in dBFS; digital silence reads -127."""
    return _FLOOR_DBFS + codes * _STEP_DB


def to_codes(power: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Returns mean squares as codes of half a decibel."""
    with np.errstate(divide="ignore"):
        level = np.rint((10 * np.log10(power) - _FLOOR_DBFS) / _STEP_DB)
    return np.where(power > 0, np.clip(level, 1, 255), 0).astype(np.uint8)


def _correlation(
    cross: NDArray[np.float64], a: NDArray[np.float64], b: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Returns the correlation coefficient as codes; 0 where a channel is silent."""
    scale = np.sqrt(a * b)
    ratio = np.divide(cross, scale, out=np.zeros_like(cross), where=scale > 0)
    return np.rint(np.clip(ratio, -1, 1) * CORRELATION_STEPS).astype(np.int8)


def band_sums(
    a: NDArray[np.float32], b: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns energies of two signals and their products in octave bands, by a Haar pyramid.

    A pyramid of sums and differences costs two additions a sample and keeps every energy. Its
    bands overlap widely, which does not matter to a question asked of all of them.

    Args:
        a: (hops, samples).
        b: Likewise.

    Returns:
        Energies of `a` and `b` and their products, (hops, bands), from low to high. The highest
        octave, which codecs leave empty, is left out.
    """
    found: list[tuple[NDArray[np.float64], ...]] = []
    for level in range(BANDS):
        even = a.shape[1] // 2 * 2
        low, high = [], []
        for signal in (a, b):
            first, second = signal[:, 0:even:2], signal[:, 1:even:2]
            low.append((first + second) * np.float32(0.70710678))
            high.append((first - second) * np.float32(0.70710678))
        if level:
            found.append(_products(high[0], high[1]))
        a, b = low[0], low[1]
    found.append(_products(a, b))
    energy_a, energy_b, cross = (np.stack(c, axis=1) for c in zip(*reversed(found), strict=True))
    return energy_a, energy_b, cross


def _products(a: NDArray[np.float32], b: NDArray[np.float32]) -> tuple[NDArray[np.float64], ...]:
    return tuple(
        np.asarray(np.sum(x * y, axis=1, dtype=np.float64) / max(1, x.shape[1]))
        for x, y in ((a, a), (b, b), (a, b))
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, run by run.

    Attributes:
        hops: (first hop, columns).
        blocks: (first block, columns).
        reversals: (first hop, how the front pair's cross-spectrum goes on).
        looks: (hop numbers, columns).
    """

    hops: Sequence[tuple[int, Columns]]
    blocks: Sequence[tuple[int, Columns]]
    reversals: Sequence[tuple[int, Halves]]
    looks: Sequence[tuple[NDArray[np.int64], Columns]]


class ImageMeter:
    """Measures every complete hop and block of the absolute grid.

    Attributes:
        hops: (first hop, columns) by run; columns as in `hop_columns`.
        blocks: (first block, columns) by run; columns as in `block_columns`.
        reversals: How the front pair's cross-spectrum goes on.
        looks: (hop numbers, columns) of layouts with effects: what is high in every channel.
    """

    def __init__(self, rate_hz: int, channels: Sequence[str]) -> None:
        self.pairs = pairs_of(channels)
        self._surround = "LFE" in channels
        self.looks: list[tuple[NDArray[np.int64], dict[str, NDArray[Any]]]] = []
        self.hops: list[tuple[int, dict[str, NDArray[Any]]]] = []
        self.blocks: list[tuple[int, dict[str, NDArray[Any]]]] = []
        self.reversals = ReversalMeter()
        self._rate_hz = rate_hz
        self._rest = np.empty((0, len(channels)), np.float32)
        self._at = 0
        self._bands: NDArray[np.float64] = np.empty((0, 3, BANDS))
        self._bands_from = 0

    def push(self, start: int, data: NDArray[np.float32]) -> None:
        """Takes a run of sound, (samples, channels); NaN and infinity count as full scale."""
        if start != self._at + len(self._rest):
            self._rest, self._at = self._rest[:0], start
        run = np.concatenate((self._rest, data)) if len(self._rest) else data
        first = -(-self._at * HOPS_HZ // self._rate_hz)
        last = (self._at + len(run)) * HOPS_HZ // self._rate_hz
        if last <= first:
            self._rest = run.copy()
            return
        # Hop edges are whole samples at any rate, so that their length may differ by one.
        hops = np.arange(first, last + 1, dtype=np.int64)
        edges = -(-hops * self._rate_hz // HOPS_HZ) - self._at
        self._measure(first, run[: edges[-1]], edges)
        self._rest = run[edges[-1] :].copy()
        self._at += int(edges[-1])

    def rows(self) -> Measured:
        """Returns all that was measured and not taken."""
        return Measured(self.hops, self.blocks, self.reversals.rows, self.looks)

    def taken(self) -> Measured:
        """Returns what is final, and forgets it: hops whose turn is known, and all blocks."""
        until = self.reversals.reached if self.pairs else 0
        final: list[tuple[int, Columns]] = []
        waiting: list[tuple[int, Columns]] = []
        for first, columns in self.hops:
            count = len(columns["level_0"])
            cut = min(max(0, until - first), count)
            if cut:
                final.append((first, {name: c[:cut] for name, c in columns.items()}))
            if cut < count:
                waiting.append((first + cut, {name: c[cut:] for name, c in columns.items()}))
        taken = Measured(final, self.blocks, self.reversals.rows, self.looks)
        self.hops, self.blocks, self.looks, self.reversals.rows = waiting, [], [], []
        return taken

    def _measure(self, first: int, run: NDArray[np.float32], edges: NDArray[np.int64]) -> None:
        signals = np.ascontiguousarray(run.T)
        if not np.isfinite(signals).all():
            signals = np.nan_to_num(signals, nan=1.0, posinf=1.0, neginf=1.0)
        exact = signals.astype(np.float64)
        lengths = np.diff(edges)

        def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.add.reduceat(values, edges[:-1]) / lengths

        power = [mean(channel * channel) for channel in exact]
        sides = [mean((exact[a] - exact[b]) ** 2) / 4 for a, b in self.pairs]
        codes = to_codes(np.array([*power, *sides]))
        columns: dict[str, NDArray[Any]] = {f"level_{k}": codes[k] for k in range(len(power))}
        for index, (a, b) in enumerate(self.pairs):
            columns[f"correlation_{index}"] = _correlation(
                mean(exact[a] * exact[b]), power[a], power[b]
            )
            columns[f"side_{index}"] = codes[len(power) + index]
        if self._surround:
            self._look_up(first, exact, edges)
        self.hops.append((first, columns))
        if self.pairs:
            a, b = self.pairs[0]
            length = self._rate_hz // HOPS_HZ
            rows = edges[:-1, None] + np.arange(length)
            left, right = signals[a][rows], signals[b][rows]
            self.reversals.push(first, left, right)
            sums = band_sums(left, right)
            self._collect(first, np.stack(sums, axis=1))

    def _look_up(self, first: int, exact: NDArray[np.float64], edges: NDArray[np.int64]) -> None:
        """Measures how much of every channel is high, in some of the hops."""
        numbers = first + np.arange(len(edges) - 1)
        chosen = np.flatnonzero(numbers % HOPS_PER_LOOK == 0)
        if len(chosen):
            places = edges[chosen, None] + np.arange(self._rate_hz // HOPS_HZ)
            # Differences of neighbours inside a hop: loud where there are high frequencies.
            steps = (np.diff(channel[places], axis=1) for channel in exact)
            columns = {f"edge_{k}": to_codes(np.mean(d * d, axis=1)) for k, d in enumerate(steps)}
            self.looks.append((numbers[chosen], columns))

    def _collect(self, first: int, sums: NDArray[np.float64]) -> None:
        """Joins hops to blocks; those of an incomplete block wait."""
        if first != self._bands_from + len(self._bands):
            self._bands, self._bands_from = self._bands[:0], first
        joined = np.concatenate((self._bands, sums))
        skip = -self._bands_from % HOPS_PER_BLOCK
        count = max(0, len(joined) - skip) // HOPS_PER_BLOCK
        if count:
            end = skip + count * HOPS_PER_BLOCK
            shape = (count, HOPS_PER_BLOCK, 3, BANDS)
            means = joined[skip:end].reshape(shape).mean(axis=1)
            # All bands at once: there are many blocks in an hour and few in a second.
            a, b, cross = (np.ascontiguousarray(means[:, k].T) for k in range(3))
            left, right, correlation = to_codes(a), to_codes(b), _correlation(cross, a, b)
            columns: dict[str, NDArray[Any]] = {}
            for band in range(BANDS):
                columns[f"left_{band}"], columns[f"right_{band}"] = left[band], right[band]
                columns[f"correlation_{band}"] = correlation[band]
            self.blocks.append(((self._bands_from + skip) // HOPS_PER_BLOCK, columns))
            joined = joined[end:]
            self._bands_from += end
        self._bands = joined
