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
# Beyond, squares of spectra in single precision are no numbers any more.
LOUDEST = 1e12


def is_number(value: Any) -> bool:
    """Returns whether a value is one real number, Python's or NumPy's; truth values are none."""
    real = isinstance(value, (int, float, np.integer, np.floating))
    return real and not isinstance(value, bool)


def checked_rate(rate_hz: float) -> int:
    """Returns a sampling rate as a whole number of hertz.

    Raises:
        InvalidParameterError: It is not a whole number from 8,000 to 384,000.
    """
    if (
        not is_number(rate_hz)
        or not float(rate_hz).is_integer()
        or not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ
    ):
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
    try:
        given = np.asarray(samples)
        if np.iscomplexobj(given):
            raise TypeError("complex")
        array = given.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidParameterError("samples must be an array of real numbers") from error
    if array.ndim != 2 or array.shape[0] != channels:
        raise InvalidParameterError(
            f"samples must be ({channels}, samples), not {'x'.join(map(str, array.shape))}"
        )
    if not np.isfinite(array).all():
        raise InvalidParameterError("samples hold values that are no finite numbers")
    if np.abs(array).max(initial=0.0) > LOUDEST:
        raise InvalidParameterError(f"samples must lie within ±{LOUDEST:g}; full scale is ±1")
    return array


def checked_range(name: str, value: float, low: float, high: float) -> float:
    """Returns a parameter that lies within its range.

    Raises:
        InvalidParameterError: It lies outside, or is no number.
    """
    if not is_number(value) or not low <= value <= high:
        raise InvalidParameterError(f"{name} must be from {low:g} to {high:g}, not {value}")
    return float(value)
