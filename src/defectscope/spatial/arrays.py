"""The kinds of array that spatial audio passes around, and the checks at its door."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError

Reals = NDArray[np.floating[Any]]
Complexes = NDArray[np.complexfloating[Any, Any]]

SPEED_OF_SOUND_M_S = 343.0
LOWEST_RATE_HZ = 8_000
HIGHEST_RATE_HZ = 384_000


def checked_rate(rate_hz: float) -> int:
    """Returns a sampling rate as a whole number of hertz.

    Raises:
        InvalidParameterError: It is not a whole number from 8,000 to 384,000.
    """
    if not float(rate_hz).is_integer() or not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise InvalidParameterError(
            f"the sampling rate must be whole hertz from {LOWEST_RATE_HZ} to {HIGHEST_RATE_HZ}, "
            f"not {rate_hz}"
        )
    return int(rate_hz)


def checked_samples(samples: Any, channels: int) -> Reals:
    """Returns samples as float64, (channels, samples).

    Args:
        samples: (channels, samples), full scale at ±1.
        channels: How many channels they must have.

    Raises:
        InvalidParameterError: The shape is another one, or a sample is no finite number.
    """
    array = np.asarray(samples, np.float64)
    if array.ndim != 2 or array.shape[0] != channels:
        raise InvalidParameterError(
            f"samples must be ({channels}, samples), not {'x'.join(map(str, array.shape))}"
        )
    if not np.isfinite(array).all():
        raise InvalidParameterError("samples hold values that are no finite numbers")
    return array


def checked_range(name: str, value: float, low: float, high: float) -> float:
    """Returns a parameter that lies within its range.

    Raises:
        InvalidParameterError: It lies outside, or is no number.
    """
    if not low <= value <= high:
        raise InvalidParameterError(f"{name} must be from {low:g} to {high:g}, not {value}")
    return float(value)
