"""Filters of sound in NumPy: SciPy's need half a second to import, which every start would pay.

`scipy.signal` has the same, and is what the tests hold these against.
"""

from __future__ import annotations

from functools import lru_cache
from math import gcd
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.temporal.products import product

Doubles = NDArray[np.float64]
# Samples that one product of matrices filters: more multiplies more, fewer loop more.
_BLOCK = 96
# Source: scipy.signal.resample_poly's defaults.
_RESAMPLING_BETA, _RESAMPLING_REACH = 5.0, 10


def low_pass(taps: int, cutoff: float, beta: float) -> Doubles:
    """Returns a low-pass FIR filter, a sinc under a Kaiser window, with unit gain at 0 Hz.

    Args:
        taps: How many.
        cutoff: Where it has lost half, as a share of half the sampling rate.
        beta: Of the Kaiser window.
    """
    at = np.arange(taps) - (taps - 1) / 2
    shape = np.sinc(cutoff * at) * np.kaiser(taps, beta)
    return shape / shape.sum()


def resampled(sound: NDArray[Any], rate_hz: int, wanted_hz: int) -> NDArray[Any]:
    """Returns mono sound at another rate; its first sample stays where it is.

    Args:
        sound: (n,) samples.
        rate_hz: Their rate.
        wanted_hz: The rate wanted.
    """
    common = gcd(rate_hz, wanted_hz)
    up, down = wanted_hz // common, rate_hz // common
    if up == down or not len(sound):
        return sound
    if up > 1:
        from scipy import signal

        return np.asarray(signal.resample_poly(sound, up, down), sound.dtype)
    half = _RESAMPLING_REACH * down
    taps = low_pass(2 * half + 1, 1 / down, _RESAMPLING_BETA).astype(sound.dtype)
    return sliding_window_view(np.pad(sound, half), len(taps))[::down] @ taps


class Biquads:
    """Second-order sections in a row, with state from one call to the next.

    The recursion over `_BLOCK` samples is written out as matrices: one from samples to samples, one
    from the state before to samples, and two that lead the state on.

    Args:
        sections: (n, 6) coefficients b0, b1, b2, 1, a1, a2 of each.
        channels: How many are filtered side by side.
    """

    def __init__(self, sections: Doubles, channels: int) -> None:
        self._state = np.zeros((2 * len(sections), channels))
        self._blocks = _matrices(tuple(tuple(row) for row in sections.tolist()))

    def __call__(self, run: Doubles) -> Doubles:
        """Filters consecutive samples, (n, channels)."""
        channels = run.shape[1]
        out = np.empty((len(run), channels))
        powers, feed, observe, respond = self._blocks
        whole = len(run) // _BLOCK
        end = whole * _BLOCK
        if whole:
            # One row per block and channel: a single product of matrices filters all of them.
            rows = run[:end].reshape(whole, _BLOCK, channels).transpose(0, 2, 1)
            rows = np.ascontiguousarray(rows).reshape(whole * channels, _BLOCK)
            fed = product(rows, feed.T).reshape(whole, channels, -1)
            states = np.empty_like(fed)
            state, lead = self._state.T, powers[_BLOCK].T
            for k in range(whole):
                states[k] = state
                state = state @ lead + fed[k]
            self._state = state.T
            filtered = product(rows, respond.T)
            filtered += product(states.reshape(whole * channels, -1), observe.T)
            filtered = filtered.reshape(whole, channels, _BLOCK).transpose(0, 2, 1)
            out[:end] = filtered.reshape(end, channels)
        rest = len(run) - end
        if rest:
            # What is left over is a block of its own: the first rows and last columns of a whole.
            out[end:] = observe[:rest] @ self._state + respond[:rest, :rest] @ run[end:]
            self._state = powers[rest] @ self._state + feed[:, -rest:] @ run[end:]
        return out


def _state_space(sections: Doubles) -> tuple[Doubles, Doubles, Doubles, float]:
    """Returns (A, B, C, D) of the sections: x' = A x + B u, y = C x + D u, u one sample."""
    count = 2 * len(sections)
    step, feed, observe, passed = np.zeros((count, count)), np.zeros(count), np.zeros(count), 1.0
    for k, (b0, b1, b2, _, a1, a2) in enumerate(sections):
        # Transposed direct form II, fed with what the sections before give.
        own = slice(2 * k, 2 * k + 2)
        enters = np.array([b1 - a1 * b0, b2 - a2 * b0])
        step[own] += np.outer(enters, observe)
        step[own, own] = [[-a1, 1.0], [-a2, 0.0]]
        feed[own] = enters * passed
        observe = b0 * observe
        observe[2 * k] += 1.0
        passed *= float(b0)
    return step, feed, observe, passed


@lru_cache(maxsize=16)
def _matrices(
    sections: tuple[tuple[float, ...], ...],
) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Returns what a block does.

    Returns:
        The state after 0, 1, ... samples of silence as matrices; from samples to the state; from
        the state to samples; from samples to samples.
    """
    step, feed, observe, passed = _state_space(np.array(sections))
    powers = [np.eye(len(step))]
    for _ in range(_BLOCK):
        powers.append(step @ powers[-1])
    answers = [passed, *(float(observe @ powers[k] @ feed) for k in range(_BLOCK - 1))]
    respond = np.array(
        [[answers[row - at] if at <= row else 0.0 for at in range(_BLOCK)] for row in range(_BLOCK)]
    )
    from_samples = np.stack([powers[_BLOCK - 1 - at] @ feed for at in range(_BLOCK)], axis=1)
    observed = np.stack([observe @ p for p in powers[:_BLOCK]])
    return np.stack(powers), from_samples, observed, respond
