"""Where all of the spectrum turns over at once between two channels.

What left and right have in common differs from frequency to frequency: a voice in the middle
agrees, an effect opposes, a reverberation does neither. Whatever it is, it goes on over a tenth of
a second. An inverted channel makes it all its own negative between one sample and the next, also
where the channels have next to nothing in common on average. New notes replace what was there;
they do not invert it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft

# Hops that are compared on either side of one that is left out: 160 ms and 20 ms.
NEIGHBOUR_HOPS = 8
_LEFT_OUT = 1
_STEPS = 127
# Halvings of the sample rate: what lies above 6 kHz at 48 kHz is phase noise after a codec.
_HALVINGS = 2
Halves = tuple[NDArray[np.int8], NDArray[np.int8]]


class ReversalMeter:
    """Measures how the cross-spectrum goes on, hop by hop.

    Attributes:
        rows: (first hop, (weighted, even)) by run. Both say how well the cross-spectrum after a
            hop's start continues that before it, 127 for fully and -127 for its negative:
            `weighted` counts loud frequencies more, `even` counts all alike.
    """

    def __init__(self) -> None:
        self.rows: list[tuple[int, Halves]] = []
        self._first = 0
        self._held = np.empty((0, 0), np.complex64)

    @property
    def reached(self) -> int:
        """The hop whose turn is told next; of those before it nothing more is learnt."""
        return self._first + NEIGHBOUR_HOPS + _LEFT_OUT

    def push(self, first: int, a: NDArray[np.float32], b: NDArray[np.float32]) -> None:
        """Takes hops of both channels, (hops, samples) each, the first of them by its number."""
        for _ in range(_HALVINGS):
            even = a.shape[1] // 2 * 2
            a, b = (x[:, 0:even:2] + x[:, 1:even:2] for x in (a, b))
        window = np.hanning(a.shape[1]).astype(np.float32)
        spectra = [np.asarray(fft.rfft(x * window), np.complex64) for x in (a, b)]
        cross = spectra[0] * np.conj(spectra[1])
        if first != self._first + len(self._held) or not len(self._held):
            self._first, self._held = first, cross
        else:
            self._held = np.concatenate((self._held, cross))
        reach = 2 * NEIGHBOUR_HOPS + _LEFT_OUT
        count = len(self._held) - reach + 1
        if count <= 0:
            return
        # Summed in one order, however the sound was cut: sums that run on would round otherwise.
        sums = self._held[: len(self._held) - NEIGHBOUR_HOPS + 1].copy()
        for k in range(1, NEIGHBOUR_HOPS):
            sums += self._held[k : k + len(sums)]
        before, after = sums[:count], sums[NEIGHBOUR_HOPS + _LEFT_OUT :]
        at = self._first + NEIGHBOUR_HOPS + _LEFT_OUT
        self.rows.append((at, _continuity(before, after)))
        self._held = self._held[count:].copy()
        self._first += count


def _continuity(before: NDArray[np.complex64], after: NDArray[np.complex64]) -> Halves:
    size = np.abs(before) * np.abs(after)
    agree = (before * np.conj(after)).real
    agree = np.divide(agree, size, out=np.zeros_like(agree), where=size > 0)
    # The fourth root: a bass note does not outvote everything above it.
    weight = np.sqrt(np.sqrt(size))
    total = weight.sum(axis=1)
    weighted = np.divide(
        (agree * weight).sum(axis=1), total, out=np.zeros_like(total), where=total > 0
    )
    return _codes(weighted), _codes(agree.mean(axis=1))


def _codes(values: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.rint(np.clip(values, -1, 1) * _STEPS).astype(np.int8)


def laid_out(rows: Sequence[tuple[int, Halves]], first: int, length: int) -> Halves:
    """Returns both measures for consecutive hops; 127 (nothing turns) where they are not known."""
    out = (np.full(length, _STEPS, np.int8), np.full(length, _STEPS, np.int8))
    for at, measured in rows:
        low, top = max(at, first), min(at + len(measured[0]), first + length)
        if low < top:
            for kept, values in zip(out, measured, strict=True):
                kept[low - first : top - first] = values[low - at : top - at]
    return out


def as_ratio(codes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Returns -1 to 1 from codes."""
    return codes / _STEPS
