"""Left and right split into left, centre and right, frequency by frequency.

With M = (L + R) / 2 and S = (L - R) / 2 the centre is C = c M, c = max(0, 1 - sqrt(P_S / P_M)),
on powers smoothed over 20 ms and over 300 ms, of which the smaller c counts. What is left,
L' = L - C and R' = R - C, adds up with C to what was. A source at one side has as much side as
mid, so that nothing of it goes to the centre; a source in the middle has no side, so that all of
it goes.

Over a short time, sounds that have nothing in common agree by chance, and what agrees would go to
the centre. Over a long time they do not, but a sound that begins at one side would pass as the one
before it in the middle. A steady source has the same c in both.
"""

from __future__ import annotations

import numpy as np
import scipy.fft

from defectscope.spatial.arrays import Reals, checked_rate, checked_samples

WINDOW_S = 4096 / 48_000
# Time constants of the smoothed powers, seconds.
SMOOTHING_S = (0.02, 0.3)
_HOPS = 4
# Frames transformed at once: enough to keep overheads small, few enough for the cache.
_BATCH = 16


class Upmixer:
    """Splits a stream of stereo blocks, whatever their length.

    Args:
        rate_hz: Sampling rate, hertz.

    Attributes:
        latency_samples: How many samples must follow one before it comes out.

    Raises:
        InvalidParameterError: The sampling rate is out of range.
    """

    def __init__(self, rate_hz: int) -> None:
        rate = checked_rate(rate_hz)
        self._hop = 8 * round(WINDOW_S * rate / _HOPS / 8)
        self._length = self._hop * _HOPS
        phase = np.pi * (np.arange(self._length) + 0.5) / self._length
        self._window = np.sin(phase).astype(np.float32)
        self._keeps = np.exp(-self._hop / rate / np.array(SMOOTHING_S)).astype(np.float32)
        self.latency_samples = self._length
        self._memories = np.zeros((len(SMOOTHING_S), 2, self._length // 2 + 1), np.float32)
        # The first samples are covered by as many frames as all others.
        self._pending = np.zeros((2, self._length - self._hop))
        self._tail = np.zeros(self._length - self._hop)
        self._lead = self._length - self._hop
        self._taken = self._given = 0

    def push(self, samples: Reals) -> Reals:
        """Returns what is ready of left, centre and right, (3, samples).

        Args:
            samples: Left and right, (2, samples), full scale at ±1.

        Raises:
            InvalidParameterError: The shape is another one, or a sample is no finite number.
        """
        block = checked_samples(samples, 2)
        self._taken += block.shape[1]
        return self._advance(block)

    def flush(self) -> Reals:
        """Returns the rest, (3, samples); as many samples have come out as went in."""
        rest = self._advance(np.zeros((2, 2 * self._length)))
        wanted = rest.shape[1] - (self._given - self._taken)
        self._given = self._taken
        return rest[:, :wanted]

    def _advance(self, block: Reals) -> Reals:
        self._pending = np.concatenate([self._pending, block], axis=1)
        ready = (self._pending.shape[1] - self._length) // self._hop + 1
        parts: list[Reals] = []
        while ready > 0:
            count = min(ready, _BATCH)
            parts.append(self._batch(count))
            ready -= count
        out = np.concatenate(parts, axis=1) if parts else np.zeros((3, 0))
        skipped = min(self._lead, out.shape[1])
        self._lead -= skipped
        self._given += out.shape[1] - skipped
        return out[:, skipped:]

    def _batch(self, count: int) -> Reals:
        """Returns the samples that so many more frames complete."""
        span = (count - 1) * self._hop + self._length
        part = self._pending[:, :span]
        # The share is found in single precision; the subtraction below makes up for it.
        mid_side = (np.stack([part[0] + part[1], part[0] - part[1]]) / 2).astype(np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(mid_side, self._length, axis=1)
        windowed = frames[:, :: self._hop] * self._window
        spectra = np.asarray(scipy.fft.rfft(windowed, axis=-1), np.complex64)
        powers = spectra.real**2 + spectra.imag**2
        share = np.ones_like(powers[0])
        for keep, memory in zip(self._keeps, self._memories, strict=True):
            np.minimum(share, _centre_share(powers, keep, memory), out=share)
        pieces = np.asarray(scipy.fft.irfft(share * spectra[0], self._length, axis=-1))
        pieces = pieces * (self._window * np.float32(2 / _HOPS))
        total = np.zeros(span)
        total[: len(self._tail)] = self._tail
        for number in range(count):
            start = number * self._hop
            total[start : start + self._length] += pieces[number]
        done = count * self._hop
        centre = total[:done]
        self._tail = total[done:]
        sides = part[:, :done] - centre
        self._pending = self._pending[:, done:]
        return np.stack([sides[0], centre, sides[1]])


def _centre_share(powers: Reals, keep: np.float32, memory: Reals) -> Reals:
    """Returns how much of the mid goes to the centre, (frames, bins), and moves the memory on.

    Args:
        powers: Of mid and side, (2, frames, bins).
        keep: How much of the smoothed powers is kept from one frame to the next.
        memory: The smoothed powers before the first frame, (2, bins); the last ones afterwards.
    """
    smooth = powers * (1 - keep)
    for number in range(smooth.shape[1]):
        smooth[:, number] += keep * memory
        memory[:] = smooth[:, number]
    ratio = np.divide(smooth[1], smooth[0], out=np.ones_like(smooth[0]), where=smooth[0] > 0)
    return np.maximum(np.float32(0.0), 1 - np.sqrt(ratio))


def upmix(samples: Reals, rate_hz: int) -> Reals:
    """Returns left, centre and right, (3, samples).

    Left plus centre is the left that went in, right plus centre the right, to rounding.

    Args:
        samples: Left and right, (2, samples), full scale at ±1.
        rate_hz: Sampling rate, hertz.

    Raises:
        InvalidParameterError: The shape is another one, a sample is no finite number, or the
            sampling rate is out of range.
    """
    upmixer = Upmixer(rate_hz)
    return np.concatenate([upmixer.push(samples), upmixer.flush()], axis=1)
