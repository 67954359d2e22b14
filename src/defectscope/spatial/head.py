"""A spherical head, and the crosstalk from a driver to the far ear as four numbers.

The near ear is taken as an all-pass, the far ear as the near one times `g / (1 + j f / fc)` and a
delay. The numbers come from the sound field around a rigid sphere, angle by angle; no measured head
goes in, so that measured heads can evaluate what is designed here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import least_squares
from scipy.special import eval_legendre, spherical_jn, spherical_yn

from defectscope.spatial.arrays import SPEED_OF_SOUND_M_S, Complexes, Reals

# Source: Brown and Duda 1998, "A structural model for binaural sound synthesis": 8.75 cm.
HEAD_RADIUS_M = 0.0875
# Source: ibid., equations 6 and 7.
_SHADOW_MIN = 0.1
_SHADOW_ANGLE_DEG = 150.0

_FIT_HZ = np.geomspace(200.0, 8000.0, 64)
# Fine enough to be read between: the near ear's level has no ripples.
_LEVEL_HZ = np.geomspace(40.0, 20_000.0, 96)


@dataclass(frozen=True, slots=True)
class Crosstalk:
    """The far ear against the near one.

    Attributes:
        gain: Ratio of amplitudes at low frequencies.
        corner_hz: Where the far ear has lost 3 dB more; infinite for a driver straight ahead.
        delay_s: How much later the far ear hears, seconds.
    """

    gain: float
    corner_hz: float
    delay_s: float

    def response(self, frequencies_hz: Reals) -> Complexes:
        """Returns the far ear's response over the near one's, (frequencies,)."""
        slope = 1 + 1j * frequencies_hz / self.corner_hz
        return self.gain / slope * np.exp(-2j * np.pi * frequencies_hz * self.delay_s)


# Two drivers at ±10 degrees, as commonly quoted: 0.85, 5.3 kHz, 64 µs.
NARROW_PAIR = Crosstalk(0.85, 5300.0, 64e-6)


def woodworth_itd_s(azimuth_deg: float, radius_m: float = HEAD_RADIUS_M) -> float:
    """Returns the interaural delay of high frequencies, seconds, for azimuths up to 90 degrees.

    Source: Woodworth 1938; r / c (sin a + a).
    """
    angle = math.radians(azimuth_deg)
    return radius_m / SPEED_OF_SOUND_M_S * (math.sin(angle) + angle)


def brown_duda_shadow(frequencies_hz: Reals, incidence_deg: float) -> Complexes:
    """Returns the head's shadow by one pole and one zero, (frequencies,).

    Source: Brown and Duda 1998, equations 5 to 7.

    Args:
        frequencies_hz: (frequencies,).
        incidence_deg: Angle between the ray to the ear and the ray to the source, 0 to 180.
    """
    turn = math.radians(incidence_deg / _SHADOW_ANGLE_DEG * 180.0)
    alpha = (1 + _SHADOW_MIN / 2) + (1 - _SHADOW_MIN / 2) * math.cos(turn)
    ratio = np.pi * frequencies_hz * HEAD_RADIUS_M / SPEED_OF_SOUND_M_S
    return (1 + 1j * alpha * ratio) / (1 + 1j * ratio)


def sphere_pressure(
    frequencies_hz: Reals, incidence_deg: float, distance_m: float = 100.0
) -> Complexes:
    """Returns the pressure on a rigid sphere, against a free field at its centre, (frequencies,).

    Source: Duda and Martens 1998, "Range dependence of the response of a spherical head model",
    equation 4, with time as exp(+j w t).

    Args:
        frequencies_hz: (frequencies,), above 0.
        incidence_deg: Angle between ear and source seen from the centre.
        distance_m: Of the source from the centre; more than the radius.
    """
    ka = 2 * np.pi * frequencies_hz * HEAD_RADIUS_M / SPEED_OF_SOUND_M_S
    kr = ka * distance_m / HEAD_RADIUS_M
    cosine = math.cos(math.radians(incidence_deg))
    total = np.zeros(len(frequencies_hz), np.complex128)
    for order in range(int(np.max(ka) * 1.5) + 12):
        far = spherical_jn(order, kr) - 1j * spherical_yn(order, kr)
        near = spherical_jn(order, ka, True) - 1j * spherical_yn(order, ka, True)
        # High orders over- or underflow at low frequencies, where they count for nothing.
        used = (ka > 0.03 * order) & np.isfinite(far) & np.isfinite(near)
        ratio = np.divide(far, near, out=np.zeros_like(total), where=used)
        total += (2 * order + 1) * eval_legendre(order, cosine) * ratio
    scale = distance_m / (HEAD_RADIUS_M * ka)
    return -scale * total * np.exp(1j * kr)


def near_ear_gain(frequencies_hz: Reals, azimuth_deg: float, distance_m: float) -> Reals:
    """Returns how much louder the ear beside a driver hears than a free field, (frequencies,).

    Args:
        frequencies_hz: (frequencies,); below 40 Hz the gain of 40 Hz is taken.
        azimuth_deg: Of the driver, either side, up to 180 degrees from the nose.
        distance_m: Of the driver from the middle of the head.
    """
    key = (round(abs(azimuth_deg), 2), round(max(distance_m, 0.15), 2))
    levels = _near_levels(*key)
    return np.exp(np.interp(np.log(np.maximum(frequencies_hz, 1.0)), np.log(_LEVEL_HZ), levels))


@lru_cache(maxsize=512)
def _near_levels(azimuth_deg: float, distance_m: float) -> Reals:
    pressure = sphere_pressure(_LEVEL_HZ, abs(90.0 - azimuth_deg), distance_m)
    return np.log(np.maximum(np.abs(pressure), 1e-6))


def crosstalk_at(azimuth_deg: float, distance_m: float = 1.4) -> Crosstalk:
    """Returns the crosstalk of a driver at an angle, fitted to the rigid sphere.

    Args:
        azimuth_deg: Of the driver, either side, up to 90 degrees from the nose.
        distance_m: Of the driver from the middle of the head.
    """
    return _fitted(round(abs(azimuth_deg), 2), round(max(distance_m, 0.15), 2))


@lru_cache(maxsize=512)
def _fitted(azimuth_deg: float, distance_m: float) -> Crosstalk:
    azimuth_deg = min(azimuth_deg, 90.0)
    if azimuth_deg < 0.05:
        return Crosstalk(1.0, math.inf, 0.0)
    far = sphere_pressure(_FIT_HZ, 90.0 + azimuth_deg, distance_m)
    near = sphere_pressure(_FIT_HZ, 90.0 - azimuth_deg, distance_m)
    wanted = far / near

    def error(given: Reals) -> Reals:
        gain, slope, delay_us = given
        model = gain / (1 + 1j * _FIT_HZ * slope * 1e-4)
        model = model * np.exp(-2j * np.pi * _FIT_HZ * delay_us * 1e-6)
        return np.concatenate([(model - wanted).real, (model - wanted).imag])

    start = [0.9, 1.5, woodworth_itd_s(azimuth_deg) * 0.9e6]
    bounds = ([0.01, 1e-4, 0.0], [1.0, 50.0, 1500.0])
    gain, slope, delay_us = least_squares(error, start, bounds=bounds).x
    return Crosstalk(float(gain), float(1e4 / slope), float(delay_us * 1e-6))
