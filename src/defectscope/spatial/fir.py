"""Finite impulse responses from frequency responses."""

from __future__ import annotations

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.spatial.arrays import Complexes, Reals, is_number

# The grid on which responses are designed is this many times finer than the filter resolves.
_OVERSAMPLING = 8
_FEWEST_TAPS = 16
_MOST_TAPS = 65_536
_REFERENCE_RATE_HZ = 48_000


def taps_at_rate(taps: int, rate_hz: int) -> int:
    """Returns how many taps last as long at a rate as `taps` do at 48 kHz, an even number."""
    return max(_FEWEST_TAPS, 2 * round(taps * rate_hz / _REFERENCE_RATE_HZ / 2))


def checked_taps(taps: int) -> int:
    """Returns a number of taps that is even and within 16 to 65,536.

    Raises:
        InvalidParameterError: It is not.
    """
    if (
        not is_number(taps)
        or not float(taps).is_integer()
        or taps % 2
        or not _FEWEST_TAPS <= taps <= _MOST_TAPS
    ):
        raise InvalidParameterError(
            f"taps must be an even number from {_FEWEST_TAPS} to {_MOST_TAPS}, not {taps}"
        )
    return int(taps)


def design_grid(taps: int, rate_hz: int) -> Reals:
    """Returns the frequencies at which a filter of so many taps is designed, hertz."""
    return np.fft.rfftfreq(_OVERSAMPLING * taps, 1 / rate_hz)


def to_taps(response: Complexes, taps: int) -> Reals:
    """Returns the filter with a given response, delayed by half of its taps, (..., taps).

    Args:
        response: (..., frequencies) on `design_grid`; zero phase means no delay.
        taps: Length of the filter.
    """
    impulse = np.fft.irfft(response, _OVERSAMPLING * taps)
    impulse = np.roll(impulse, taps // 2, axis=-1)[..., :taps]
    return impulse * _window(taps)


def to_response(taps: Reals) -> Complexes:
    """Returns the response of filters on their design grid, (..., frequencies)."""
    return np.fft.rfft(taps, _OVERSAMPLING * taps.shape[-1])


def _window(taps: int) -> Reals:
    """Returns a window that is flat in the middle half and falls as a cosine on either side."""
    away = np.abs(np.arange(taps) - taps // 2) / (taps / 2)
    return np.where(away <= 0.5, 1.0, 0.5 + 0.5 * np.cos(np.pi * (2 * away - 1)))
