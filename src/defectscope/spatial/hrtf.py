"""Measured heads, read from SOFA files (AES69), between whose directions one may listen."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.errors import InvalidParameterError, MediaNotFoundError, UnreadableMediaError
from defectscope.spatial.arrays import (
    HIGHEST_RATE_HZ,
    LOWEST_RATE_HZ,
    SPEED_OF_SOUND_M_S,
    Complexes,
    Reals,
)
from defectscope.spatial.device import Device, Listener, azimuth_and_distance

# Where Debian's libmysofa1 puts MIT's KEMAR (Gardner and Martin 1994).
KEMAR_PATH = Path("/usr/share/libmysofa/MIT_KEMAR_normal_pinna.sofa")
_HORIZON_DEG = 2.0
_LEAST_DIRECTIONS = 12
_GRID_POINTS = 4096
_NEEDED = ("SourcePosition", "Data.IR", "Data.SamplingRate", "Data.Delay")
# 12,000 directions of 4,096 samples at both ears: more than any published head.
_MOST_SAMPLES = 100_000_000
# A loudspeaker 15 m away.
_MOST_DELAY_S = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Impulse responses of one head from directions in its horizontal plane.

    Attributes:
        azimuths_deg: Rising from 0 below 360, positive to the left, (directions,).
        impulses: (directions, 2 ears left and right, taps).
        rate_hz: Sampling rate, hertz.
        distance_m: Of the loudspeaker during the measurement, metres.
    """

    azimuths_deg: Reals
    impulses: Reals
    rate_hz: float
    distance_m: float

    def response(self, azimuth_deg: float, frequencies_hz: Reals) -> Complexes:
        """Returns both ears' responses from a direction, (2, frequencies).

        Between two measured directions magnitudes in decibels and unwrapped phases are
        interpolated. Above half the measurement's rate the response is zero.
        """
        log_magnitude, phase, grid_hz = _polar(self)
        azimuth = azimuth_deg % 360.0
        after = int(np.searchsorted(self.azimuths_deg, azimuth, side="right"))
        before = (after - 1) % len(self.azimuths_deg)
        after %= len(self.azimuths_deg)
        step = (self.azimuths_deg[after] - self.azimuths_deg[before]) % 360.0 or 360.0
        share = ((azimuth - self.azimuths_deg[before]) % 360.0) / step
        magnitude = (1 - share) * log_magnitude[before] + share * log_magnitude[after]
        angle = (1 - share) * phase[before] + share * phase[after]
        out = np.empty((2, len(frequencies_hz)), np.complex128)
        for ear in range(2):
            level = np.exp(np.interp(frequencies_hz, grid_hz, magnitude[ear]))
            turn = np.interp(frequencies_hz, grid_hz, angle[ear])
            out[ear] = np.where(frequencies_hz < self.rate_hz / 2, level, 0.0) * np.exp(1j * turn)
        return out

    def ear_paths(
        self, device: Device, frequencies_hz: Reals, listener: Listener | None = None
    ) -> Complexes:
        """Returns the responses from drivers to ears, (frequencies, 2 ears, drivers).

        Distances count as delay and as loss against the device's own listener; the head itself
        is as at the distance of its measurement.
        """
        place = listener or device.listener
        reference_m = azimuth_and_distance(device.drivers[device.left], device.listener)[1]
        out = np.empty((len(frequencies_hz), 2, len(device.drivers)), np.complex128)
        for number, driver in enumerate(device.drivers):
            azimuth, distance = azimuth_and_distance(driver, place)
            late_s = (distance - reference_m) / SPEED_OF_SOUND_M_S
            path = reference_m / distance * np.exp(-2j * np.pi * frequencies_hz * late_s)
            path = path * driver.band_gain(frequencies_hz)
            out[:, :, number] = (self.response(azimuth, frequencies_hz) * path).T
        return out


@lru_cache(maxsize=8)
def _polar(head: Head) -> tuple[Reals, Reals, Reals]:
    """Returns logarithmic magnitudes and unwrapped phases, and their frequencies."""
    spectra = np.fft.rfft(head.impulses, _GRID_POINTS)
    grid_hz = np.fft.rfftfreq(_GRID_POINTS, 1 / head.rate_hz)
    # Both ends of a step of directions must unwrap along the same way, so the bulk of the delay
    # goes first, direction by direction, and comes back after.
    peaks = np.argmax(np.abs(head.impulses), axis=-1)
    bulk = -2 * np.pi * grid_hz / head.rate_hz * peaks[..., None]
    rest = np.unwrap(np.angle(spectra * np.exp(-1j * bulk)))
    return np.log(np.maximum(np.abs(spectra), 1e-9)), rest + bulk, grid_hz


def load_head(path: str | Path = KEMAR_PATH) -> Head:
    """Returns the horizontal plane of a head from a SOFA file of free-field impulse responses.

    Raises:
        InvalidParameterError: The package h5py is not installed.
        MediaNotFoundError: There is no such file.
        UnreadableMediaError: The file is no SOFA file of a head, or has too few directions.
    """
    where = Path(path)
    try:
        h5py: Any = importlib.import_module("h5py")
    except ImportError as error:
        raise InvalidParameterError(
            "measured heads need h5py: pip install defectscope[spatial]"
        ) from error
    if not where.is_file():
        hint = " (Debian: apt-get install libmysofa1)" if where == KEMAR_PATH else ""
        raise MediaNotFoundError(f"no SOFA file {where}{hint}")
    try:
        with h5py.File(where, "r") as file:
            convention = _text(file.attrs.get("SOFAConventions", b"no known convention"))
            missing = [name for name in _NEEDED if name not in file]
            if missing:
                raise UnreadableMediaError(
                    f"{where.name} is SOFA of {convention} and has no {', '.join(missing)}: "
                    "a head's free-field impulse responses (SimpleFreeFieldHRIR) are needed"
                )
            if file["Data.IR"].size > _MOST_SAMPLES:
                raise UnreadableMediaError(f"{where.name} is longer than a head's responses are")
            positions = np.asarray(file["SourcePosition"], np.float64)
            kind = _text(file["SourcePosition"].attrs.get("Type", b"spherical"))
            impulses = np.asarray(file["Data.IR"], np.float64)
            rate_hz = float(np.asarray(file["Data.SamplingRate"], np.float64).ravel()[0])
            delays = np.asarray(file["Data.Delay"], np.float64)
    except (OSError, KeyError, ValueError, TypeError, IndexError, RuntimeError) as error:
        raise UnreadableMediaError(f"{where.name} is no SOFA file of impulse responses") from error
    if (
        impulses.ndim != 3
        or impulses.shape[1] != 2
        or impulses.shape[2] < 1
        or positions.shape != (len(impulses), 3)
    ):
        raise UnreadableMediaError(
            f"{where.name} ({convention}) does not hold two ears for every direction"
        )
    if not all(np.isfinite(values).all() for values in (positions, impulses, delays, rate_hz)):
        raise UnreadableMediaError(f"{where.name} holds values that are no finite numbers")
    if not LOWEST_RATE_HZ <= rate_hz <= HIGHEST_RATE_HZ:
        raise UnreadableMediaError(f"{where.name} has a sampling rate of {rate_hz:g} Hz")
    if not impulses.any(axis=(1, 2)).all():
        raise UnreadableMediaError(f"{where.name} holds directions without any sound")
    if delays.min(initial=0.0) < 0 or delays.max(initial=0.0) > _MOST_DELAY_S * rate_hz:
        raise UnreadableMediaError(f"{where.name} delays its responses by more than a head does")
    if kind == "cartesian":
        positions = _spherical(positions)
    try:
        impulses = _delayed(impulses, np.broadcast_to(delays, impulses.shape[:2]))
    except ValueError as error:
        raise UnreadableMediaError(f"{where.name} has delays of another shape") from error
    level = np.flatnonzero(np.abs(positions[:, 1]) <= _HORIZON_DEG)
    azimuths, first = np.unique(np.round(positions[level, 0] % 360.0, 3), return_index=True)
    if len(azimuths) < _LEAST_DIRECTIONS:
        raise UnreadableMediaError(f"{where.name} has too few directions in the horizontal plane")
    chosen = level[first]
    return Head(azimuths, impulses[chosen], rate_hz, float(np.median(positions[chosen, 2])))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _spherical(positions: Reals) -> Reals:
    """Returns azimuth and elevation in degrees and distance from x, y, z."""
    x, y, z = positions.T
    flat = np.hypot(x, y)
    angles = np.degrees(np.stack([np.arctan2(y, x), np.arctan2(z, flat)]))
    return np.stack([angles[0], angles[1], np.hypot(flat, z)], axis=1)


def _delayed(impulses: Reals, delays: Reals) -> Reals:
    """Returns impulse responses with the file's separate delays put into them."""
    most = int(np.ceil(delays.max()))
    if most <= 0:
        return impulses
    length = impulses.shape[-1] + most
    spectra = np.fft.rfft(impulses, 2 * length)
    rotations = np.exp(-2j * np.pi * np.fft.rfftfreq(2 * length) * delays[..., None])
    return np.fft.irfft(spectra * rotations, 2 * length)[..., :length]
