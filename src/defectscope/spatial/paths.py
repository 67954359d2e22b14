"""From every driver of a device to both ears, on the model of the spherical head."""

from __future__ import annotations

import numpy as np

from defectscope.spatial.arrays import SPEED_OF_SOUND_M_S, Complexes, Reals
from defectscope.spatial.device import Device, Listener, azimuth_and_distance
from defectscope.spatial.head import Crosstalk, crosstalk_at, near_ear_gain


def ear_paths(
    device: Device,
    frequencies_hz: Reals,
    listener: Listener | None = None,
    crosstalk: Crosstalk | None = None,
) -> Complexes:
    """Returns the responses from drivers to ears, (frequencies, 2 ears, drivers).

    The left driver's path to its near ear has unit gain and no delay, drivers' bands aside, so
    that figures stay the same wherever the listener sits. Where the head is turned, drivers reach
    their near ears from unlike angles: how much louder one is than the other is the sphere's.

    Args:
        device: The drivers.
        frequencies_hz: (frequencies,).
        listener: Where the head is; the device's own listener by default.
        crosstalk: The same numbers for all drivers; by default each driver's own, by its angle.
    """
    place = listener or device.listener
    reference_m = azimuth_and_distance(device.drivers[device.left], place)[1]
    reference_s = None
    reference_gain = np.ones(len(frequencies_hz))
    out = np.empty((len(frequencies_hz), 2, len(device.drivers)), np.complex128)
    order = [device.left, *(n for n in range(len(device.drivers)) if n != device.left)]
    for number in order:
        driver = device.drivers[number]
        azimuth, distance = azimuth_and_distance(driver, place)
        shadow = crosstalk or crosstalk_at(azimuth, distance)
        # Symmetric about the middle of the head: the near ear hears as early as the far one late.
        near_s = distance / SPEED_OF_SOUND_M_S - shadow.delay_s / 2
        gain = near_ear_gain(frequencies_hz, azimuth, distance)
        if reference_s is None:
            reference_s, reference_gain = near_s, gain
        near = reference_m / distance * driver.band_gain(frequencies_hz) * gain / reference_gain
        near = near * np.exp(-2j * np.pi * frequencies_hz * (near_s - reference_s))
        ears = (0, 1) if azimuth >= 0 else (1, 0)
        out[:, ears[0], number] = near
        out[:, ears[1], number] = near * shadow.response(frequencies_hz)
    return out
