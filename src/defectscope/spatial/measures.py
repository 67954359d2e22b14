"""What a measured head hears of a rendering: cancellation, tone, direction, reverberation."""

from __future__ import annotations

import numpy as np

from defectscope.spatial.arrays import Complexes, Reals
from defectscope.spatial.device import Device, Listener
from defectscope.spatial.hrtf import Head
from defectscope.spatial.interaural import MOST_ITD_S

# Source: ISO 3382-1 and common use: what arrives within 2.5 ms of the first sound is direct.
DIRECT_S = 2.5e-3
# Where interaural delay decides on direction (Wightman and Kistler 1992: below 1.5 kHz).
_ITD_BAND_HZ = (200.0, 1_500.0)
_LEVEL_BAND_HZ = (1_600.0, 8_000.0)
_BAND_POINTS = 24
_SEARCH_DEG = np.arange(-80.0, 80.1, 5.0)


def third_octaves_hz(low_hz: float = 200.0, high_hz: float = 8_000.0) -> Reals:
    """Returns the centres of third-octave bands (base two, on 1 kHz) between two frequencies."""
    first = round(3 * np.log2(low_hz / 1000))
    last = round(3 * np.log2(high_hz / 1000))
    return 1000 * 2.0 ** (np.arange(first, last + 1) / 3)


def band_points_hz(centres_hz: Reals) -> Reals:
    """Returns frequencies that fill third-octave bands evenly, (bands, points)."""
    edges = np.linspace(-1 / 6, 1 / 6, _BAND_POINTS)
    return centres_hz[:, None] * 2.0**edges


def response_at(taps: Reals, rate_hz: int, frequencies_hz: Reals) -> Complexes:
    """Returns filters' responses at any frequencies, (..., frequencies)."""
    clock = np.outer(np.arange(taps.shape[-1]), frequencies_hz) / rate_hz
    return taps @ np.exp(-2j * np.pi * clock)


def ears_of(
    device: Device,
    taps: Reals,
    rate_hz: int,
    head: Head,
    frequencies_hz: Reals,
    listener: Listener | None = None,
) -> Complexes:
    """Returns what a measured head hears of each input, (frequencies, 2 ears, inputs)."""
    paths = head.ear_paths(device, frequencies_hz, listener)
    return paths @ np.moveaxis(response_at(taps, rate_hz, frequencies_hz), -1, 0)


def natural_ears(
    device: Device, head: Head, frequencies_hz: Reals, listener: Listener | None = None
) -> Complexes:
    """Returns what a measured head hears of the plain pair, (frequencies, 2 ears, 2)."""
    return head.ear_paths(device, frequencies_hz, listener)[:, :, [device.left, device.right]]


def separation_db(ears: Complexes, bands: int) -> Reals:
    """Returns the near ear's level over the far one's, both channels' mean, decibels, (bands,).

    Args:
        ears: (frequencies, 2 ears, 2 channels), frequencies being equally many for each band.
        bands: How many bands there are.
    """
    power = np.abs(ears.reshape(bands, -1, 2, 2)) ** 2
    power = power.mean(axis=1)
    left = 10 * np.log10(power[:, 0, 0] / power[:, 1, 0])
    right = 10 * np.log10(power[:, 1, 1] / power[:, 0, 1])
    return (left + right) / 2


def cancellation_db(rendered: Complexes, natural: Complexes, bands: int) -> Reals:
    """Returns how much lower the crosstalk is than the natural one, decibels, (bands,)."""
    return separation_db(rendered, bands) - separation_db(natural, bands)


def tone_db(rendered: Complexes, natural: Complexes, bands: int) -> Reals:
    """Returns the power at both ears against the natural one, decibels, (bands,)."""
    powers = [
        np.sum(np.abs(ears.reshape(bands, -1, *ears.shape[1:])) ** 2, axis=(1, 2, 3))
        for ears in (rendered, natural)
    ]
    return 10 * np.log10(powers[0] / powers[1])


def direct_to_reverberant_db(impulse: Reals, rate_hz: int) -> float:
    """Returns the energy within 2.5 ms of the first sound against the rest, decibels.

    Args:
        impulse: Impulse response, (samples,).
        rate_hz: Sampling rate, hertz.
    """
    energy = np.asarray(impulse, np.float64) ** 2
    if not energy.any():
        return 0.0
    first = int(np.flatnonzero(energy >= energy.max() * 0.05)[0])
    end = first + round(DIRECT_S * rate_hz)
    direct, rest = float(energy[:end].sum()), float(energy[end:].sum())
    return 10 * float(np.log10(direct / max(rest, 1e-20)))


def image_angle_deg(
    ears: Complexes, frequencies_hz: Reals, head: Head, *, front_deg: float = 0.0
) -> float:
    """Returns where a sound seems to come from, degrees, positive to the left.

    The interaural delay below 1.5 kHz is compared with the head's own for every direction ahead.

    Args:
        ears: What the ears hear of one sound, (frequencies, 2).
        frequencies_hz: Evenly spaced, (frequencies,).
        head: The head that listens.
        front_deg: Where the device's axis lies from the nose; the angle counts from there.
    """
    table = np.array(
        [_delay(head.response(float(a), frequencies_hz).T, frequencies_hz) for a in _SEARCH_DEG]
    )
    order = np.argsort(table)
    azimuth = np.interp(_delay(ears, frequencies_hz), table[order], _SEARCH_DEG[order])
    return float(azimuth) - front_deg


def level_angle_deg(
    ears: Complexes, frequencies_hz: Reals, head: Head, *, front_deg: float = 0.0
) -> float:
    """Returns where a sound seems to come from by its interaural level from 1.5 to 8 kHz.

    Arguments and sign as in `image_angle_deg`. A level beyond what the head makes of any
    direction counts as its most lateral one.
    """
    table = np.array(
        [_level_db(head.response(float(a), frequencies_hz).T, frequencies_hz) for a in _SEARCH_DEG]
    )
    # Levels rise with the angle up to where waves around the head meet again.
    first, last = int(np.argmin(table)), int(np.argmax(table))
    inner = slice(min(first, last), max(first, last) + 1)
    rising = np.maximum.accumulate(table[inner])
    azimuth = np.interp(_level_db(ears, frequencies_hz), rising, _SEARCH_DEG[inner])
    return float(azimuth) - front_deg


def _delay(ears: Complexes, frequencies_hz: Reals) -> float:
    """Returns how much later the right ear hears than the left, from responses, seconds."""
    inside = (frequencies_hz >= _ITD_BAND_HZ[0]) & (frequencies_hz <= _ITD_BAND_HZ[1])
    cross = ears[inside, 0] * np.conj(ears[inside, 1])
    lags = np.linspace(-MOST_ITD_S, MOST_ITD_S, 801)
    rotations = np.exp(-2j * np.pi * np.outer(lags, frequencies_hz[inside]))
    return float(lags[int(np.argmax((rotations @ cross).real))])


def _level_db(ears: Complexes, frequencies_hz: Reals) -> float:
    """Returns the left ear's level over the right one's, mean of decibels over third octaves."""
    levels: list[float] = []
    for centre in third_octaves_hz(*_LEVEL_BAND_HZ):
        near = np.abs(np.log2(frequencies_hz / centre)) <= 1 / 6
        power = np.mean(np.abs(ears[near]) ** 2, axis=0)
        levels.append(float(10 * np.log10(power[0] / power[1])))
    return float(np.mean(levels))
