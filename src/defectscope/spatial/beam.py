"""A beam ahead: unit gain at the front, nulls to the sides, the least energy that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.spatial.arrays import (
    SPEED_OF_SOUND_M_S,
    Complexes,
    Reals,
    checked_range,
    checked_rate,
    is_number,
)
from defectscope.spatial.device import Device, load_device
from defectscope.spatial.fir import checked_taps, design_grid, taps_at_rate, to_response, to_taps

BEAM_TAPS = 1024
NULLS_DEG = (-90.0, 90.0)
NULL_DB = -30.0
BEAM_CAP_DB = 12.0
# Below, drivers would be asked for more than they have; the beam opens to what they do alone.
_FADE_HZ = (60.0, 140.0)
# Above, drivers are wavelengths apart and a beam has many lobes: the driver in the middle plays.
_FADE_OUT_HZ = (2_200.0, 3_200.0)
_MIDDLE_M = 0.02
_ROUNDS = 32
_CAP_ROUNDS = 6
_CAP_TOLERANCE = 1.001
# Bounds of the search for the weight of the nulls against energy, as powers of ten.
_WEAKEST, _STRONGEST = -6.0, 10.0


def beam_filters(
    device: Device | Mapping[str, Any] | str | Path,
    rate_hz: int,
    *,
    nulls_deg: Sequence[float] = NULLS_DEG,
    null_db: float = NULL_DB,
    null_width_deg: float = 0.0,
    cap_db: float = BEAM_CAP_DB,
    taps: int | None = None,
) -> Reals:
    """Returns the filters that make a beam ahead of the device, (drivers, taps).

    From 140 Hz to 2.2 kHz the weights have unit gain ahead and, of all that reach the wanted
    depth at the nulls, the least energy. Where the depth takes more driver gain than the cap, the
    nulls become shallower. Above, the driver in the middle plays alone.

    Args:
        device: Anything that `load_device` takes.
        rate_hz: Sampling rate, hertz.
        nulls_deg: Directions of the nulls; 0 is ahead.
        null_db: Depth of the nulls against the front, decibels.
        null_width_deg: Every null is held over so many degrees, for a flat one.
        cap_db: Largest gain of a driver, decibels.
        taps: Length of the filters; by default 1024 at 48 kHz and as long at other rates. They
            delay by half of it.

    Raises:
        InvalidParameterError: A parameter is out of range, or the device makes no sense.
    """
    checked = load_device(device)
    rate = checked_rate(rate_hz)
    length = checked_taps(taps if taps is not None else taps_at_rate(BEAM_TAPS, rate))
    checked_range("null_db", null_db, -80.0, 0.0)
    checked_range("null_width_deg", null_width_deg, 0.0, 60.0)
    checked_range("cap_db", cap_db, 0.0, 40.0)
    angles: list[float] = []
    if not isinstance(cast("object", nulls_deg), (Sequence, np.ndarray)):
        raise InvalidParameterError("nulls_deg must be a list of directions")
    for null in nulls_deg:
        if not is_number(null) or not 20.0 <= abs(null) <= 180.0:
            raise InvalidParameterError("a null must lie from 20 to 180 degrees off the front")
        half = null_width_deg / 2
        angles += [null - half, null, null + half] if half else [null]
    if not angles:
        raise InvalidParameterError("a beam needs a null")
    grid = design_grid(length, rate)
    ahead = steering(checked, grid, np.zeros(1))[:, 0]
    nulls = steering(checked, grid, np.asarray(angles, np.float64))
    # Ahead the beam plays what the widest driver plays: no driver is pushed out of its band.
    goal = np.abs(ahead).max(axis=1)
    depth = 10 ** (null_db / 20)
    # The least energy alone, where nothing is asked of the sides.
    power = np.maximum(np.sum(np.abs(ahead) ** 2, axis=1), 1e-12)
    alone = np.conj(ahead) * (goal / power)[:, None]
    single = _middle(checked, ahead, goal, alone)
    share = np.clip((grid - _FADE_HZ[0]) / (_FADE_HZ[1] - _FADE_HZ[0]), 0, 1)[:, None]
    high = (grid - _FADE_OUT_HZ[0]) / (_FADE_OUT_HZ[1] - _FADE_OUT_HZ[0])
    high = np.clip(high, 0, 1)[:, None]
    # Cutting the response to so many taps adds ripples: the cap is lowered until they fit as well.
    cap = bound = 10 ** (cap_db / 20)
    excess = 1.0
    found = np.zeros((len(checked.drivers), length))
    for _ in range(_CAP_ROUNDS):
        weights = _weights(ahead, nulls, goal, depth, bound)
        low = (1 - share) * alone + share * weights
        found = to_taps(((1 - high) * low + high * single).T, length)
        excess = float(beam_gain(found).max()) / cap
        if excess <= _CAP_TOLERANCE:
            break
        bound /= excess
    return found / max(1.0, excess)


def steering(device: Device, frequencies_hz: Reals, angles_deg: Reals) -> Complexes:
    """Returns far-field responses of the drivers, (frequencies, angles, drivers).

    Delays count from the device's origin; drivers' bands are part of the response.

    Args:
        device: The drivers.
        frequencies_hz: (frequencies,).
        angles_deg: Directions in the horizontal plane, 0 ahead, positive to the left as the
            listener sees it, (angles,).
    """
    turn = np.radians(angles_deg)
    x = np.array([driver.x_m for driver in device.drivers])
    y = np.array([driver.y_m for driver in device.drivers])
    nearer_s = (np.outer(np.cos(turn), y) - np.outer(np.sin(turn), x)) / SPEED_OF_SOUND_M_S
    bands = np.stack([driver.band_gain(frequencies_hz) for driver in device.drivers], axis=1)
    angle = 2 * np.pi * frequencies_hz[:, None, None] * nearer_s
    return np.exp(1j * angle) * bands[:, None, :].astype(np.complex128)


def directivity_db(
    device: Device | Mapping[str, Any] | str | Path,
    taps: Reals,
    rate_hz: int,
    frequencies_hz: Reals,
    angles_deg: Reals,
) -> Reals:
    """Returns the level in every direction against the front, decibels, (frequencies, angles).

    Args:
        device: The drivers.
        taps: (drivers, taps), as `beam_filters` returns them.
        rate_hz: Sampling rate, hertz.
        frequencies_hz: (frequencies,).
        angles_deg: (angles,).
    """
    checked = load_device(device)
    clock = np.outer(np.arange(taps.shape[-1]), frequencies_hz) / rate_hz
    weights = (taps @ np.exp(-2j * np.pi * clock)).T
    angles = np.concatenate([np.zeros(1), angles_deg])
    field = np.einsum("fad,fd->fa", steering(checked, frequencies_hz, angles), weights)
    level = 20 * np.log10(np.maximum(np.abs(field), 1e-9))
    return level[:, 1:] - level[:, :1]


def beam_gain(taps: Reals) -> Reals:
    """Returns the largest gain of a driver at every frequency of the design grid."""
    return np.abs(to_response(taps)).max(axis=0)


def _middle(device: Device, ahead: Complexes, goal: Reals, alone: Complexes) -> Complexes:
    """Returns the weights of the driver in the middle alone; without one, those of all."""
    inner = [n for n, driver in enumerate(device.drivers) if abs(driver.x_m) <= _MIDDLE_M]
    if not inner:
        return alone
    front = max(inner, key=lambda n: device.drivers[n].y_m)
    weights = np.zeros_like(ahead)
    level = goal / np.maximum(np.abs(ahead[:, front]), 1e-3)
    weights[:, front] = level * np.exp(-1j * np.angle(ahead[:, front]))
    return weights


class _Search:
    """Least-energy weights as a function of how much the nulls count against energy.

    The weights are (I + v N^H N)^-1 a* over their gain ahead. One eigenvalue decomposition makes
    them cheap for every v.
    """

    def __init__(self, ahead: Complexes, nulls: Complexes, goal: Reals) -> None:
        matrix = np.conj(np.swapaxes(nulls, 1, 2)) @ nulls
        self._values, self._vectors = np.linalg.eigh(matrix)
        turned = np.conj(np.swapaxes(self._vectors, 1, 2))
        self._ahead = (turned @ np.conj(ahead)[:, :, None])[:, :, 0]
        self._nulls = nulls @ self._vectors
        self._goal = goal

    def weights(self, exponent: Reals) -> Complexes:
        """Returns the weights, (frequencies, drivers), for v = 10^exponent, (frequencies,)."""
        return (self._vectors @ self._turned(exponent)[:, :, None])[:, :, 0]

    def null_level(self, exponent: Reals) -> Reals:
        """Returns the loudest null, (frequencies,)."""
        return np.abs(self._nulls @ self._turned(exponent)[:, :, None])[:, :, 0].max(axis=1)

    def driver_level(self, exponent: Reals) -> Reals:
        """Returns the largest gain of a driver, (frequencies,)."""
        return np.abs(self.weights(exponent)).max(axis=1)

    def _turned(self, exponent: Reals) -> Complexes:
        damped = self._ahead / (1 + 10.0 ** exponent[:, None] * np.maximum(self._values, 0.0))
        gain = np.sum(np.conj(self._ahead) * damped, axis=1).real
        return damped * (self._goal / np.maximum(gain, 1e-12))[:, None]


def _weights(
    ahead: Complexes, nulls: Complexes, goal: Reals, depth: float, cap: float
) -> Complexes:
    """Returns the weights that reach the depth with the least energy, (frequencies, drivers)."""
    search = _Search(ahead, nulls, goal)
    wanted = _crossing(lambda v: search.null_level(v) <= depth * goal, len(goal))
    most = _crossing(lambda v: search.driver_level(v) > cap, len(goal))
    return search.weights(np.minimum(wanted, most))


def _crossing(beyond: Callable[[Reals], NDArray[np.bool_]], count: int) -> Reals:
    """Returns where a condition that holds for large values begins to hold, (frequencies,)."""
    low = np.full(count, _WEAKEST)
    high = np.full(count, _STRONGEST)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        holds = beyond(middle)
        high, low = np.where(holds, middle, high), np.where(holds, low, middle)
    return high
