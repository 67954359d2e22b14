"""Filters applied to sound that arrives in blocks."""

from __future__ import annotations

import numpy as np
import scipy.fft

from defectscope.spatial.arrays import Reals


class BlockFilter:
    """A matrix of filters over a stream, by overlap and save.

    Args:
        taps: (outputs, inputs, taps).
    """

    def __init__(self, taps: Reals) -> None:
        self._length = taps.shape[-1]
        # Transforms about eight times as long as the filter cost least per sample.
        self._size = 1 << int(np.ceil(np.log2(8 * self._length)))
        self._step = self._size - self._length + 1
        # Single precision: rounding stays 120 dB below the loudest sample.
        single = taps.astype(np.float32)
        self._response = np.asarray(scipy.fft.rfft(single, self._size, axis=-1))
        self._history = np.zeros((taps.shape[1], self._length - 1), np.float32)

    def push(self, samples: Reals) -> Reals:
        """Returns as many samples as come in, (outputs, samples), delayed by the filter alone.

        Args:
            samples: (inputs, samples).
        """
        line = np.concatenate([self._history, samples.astype(np.float32)], axis=1)
        count = samples.shape[1]
        out = np.empty((self._response.shape[0], count))
        for start in range(0, count, self._step):
            part = line[:, start : start + self._size]
            piece = np.asarray(scipy.fft.rfft(part, self._size, axis=-1))
            mixed = self._response[:, 0] * piece[0]
            for number in range(1, len(piece)):
                mixed += self._response[:, number] * piece[number]
            made = np.asarray(scipy.fft.irfft(mixed, self._size, axis=-1))[:, self._length - 1 :]
            end = min(start + self._step, count)
            out[:, start:end] = made[:, : end - start]
        self._history = line[:, line.shape[1] - self._length + 1 :]
        return out
