"""The filters of a whole rendering: sides by cancellation, centre by the beam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from defectscope.errors import InvalidParameterError
from defectscope.spatial.arrays import SPEED_OF_SOUND_M_S, Reals, checked_range
from defectscope.spatial.beam import BEAM_CAP_DB, beam_filters
from defectscope.spatial.cancellation import (
    CAP_DB,
    LEVEL_DB,
    STEREO_HALF_SPAN_DEG,
    TARGET_DB,
    crosstalk_filters,
    headphone_filters,
)
from defectscope.spatial.device import Device, azimuth_and_distance, load_device
from defectscope.spatial.fir import design_grid, to_response, to_taps
from defectscope.spatial.hrtf import Head, load_head
from defectscope.spatial.level import level_for_target

Output = Literal["drivers", "binaural", "headphones"]
OUTPUTS: tuple[Output, ...] = ("drivers", "binaural", "headphones")
# The beam's centre is made flat at the listener by no more than this, decibels.
_MOST_EQ_DB = 9.0


@dataclass(frozen=True, slots=True)
class RenderSettings:
    """What a rendering shall be.

    Attributes:
        device: Name or file of the device, or what such a file holds.
        output: `drivers`, one channel each; `binaural`, what a measured head hears of them;
            `headphones`, left and right with the crosstalk of loudspeakers added.
        processed: False leaves out all processing: the plain pair, to compare with.
        target_db: Reduction of natural crosstalk, decibels.
        cap_db: Largest gain to the drivers, decibels.
        level_db: Loudness against the plain pair, decibels; None finds the highest at which the
            cap leaves the target in reach.
        virtual_deg: Half the angle of a virtual pair that takes the place of `target_db`.
        half_span_deg: Half the angle of the pair that headphones imitate.
        null_db: Depth of the beam's nulls at ±90 degrees, decibels.
        gain_db: Gain of everything, decibels.
        head: SOFA file of the head for `binaural`; MIT's KEMAR by default.
    """

    device: str | Mapping[str, Any] = "two_narrow"
    output: Output = "drivers"
    processed: bool = True
    target_db: float = TARGET_DB
    cap_db: float = CAP_DB
    level_db: float | None = LEVEL_DB
    virtual_deg: float | None = None
    half_span_deg: float = STEREO_HALF_SPAN_DEG
    null_db: float = -30.0
    gain_db: float = 0.0
    head: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Filters from left, centre and right to outputs.

    Attributes:
        taps: (outputs, 3, taps), inputs in the order of `upmix`.
        delay: How late the outputs are, samples.
        names: What the outputs are called.
    """

    taps: Reals
    delay: int
    names: tuple[str, ...]


def build_chain(settings: RenderSettings, rate_hz: int) -> Chain:
    """Returns the filters of a rendering.

    Raises:
        InvalidParameterError: A setting is out of range, or the device makes no sense.
        MediaNotFoundError: There is no such device, or no such head.
        UnreadableMediaError: The head's file is no head.
    """
    if settings.output not in OUTPUTS:
        raise InvalidParameterError(f"output must be one of {', '.join(OUTPUTS)}")
    gain = 10 ** (checked_range("gain_db", settings.gain_db, -60.0, 20.0) / 20)
    if settings.output == "headphones":
        return _headphones(settings, rate_hz, gain)
    device = load_device(settings.device)
    settings = with_level(settings, device, rate_hz)
    sides = _sides(device, settings, rate_hz)
    centre = centre_filters(device, rate_hz, settings)
    length = max(sides.shape[-1], centre.shape[-1])
    taps = np.zeros((len(device.drivers), 3, length))
    # Both paths are delayed by half of their taps: the shorter one waits for the longer.
    for path, column in ((sides[:, :1], 0), (centre[:, None], 1), (sides[:, 1:], 2)):
        start = (length - path.shape[-1]) // 2
        taps[:, column : column + 1, start : start + path.shape[-1]] = path
    delay = length // 2
    names = tuple(driver.name for driver in device.drivers)
    if settings.output == "binaural":
        head = load_head(settings.head) if settings.head else load_head()
        taps, extra = through_head(taps, device, head, rate_hz)
        return Chain(gain * taps, delay + extra, ("left_ear", "right_ear"))
    return Chain(gain * taps, delay, names)


def with_level(settings: RenderSettings, device: Device, rate_hz: int) -> RenderSettings:
    """Returns the settings with a level in them, found where none was given."""
    if settings.level_db is not None:
        return settings
    level_db = level_for_target(device, rate_hz, settings.target_db, settings.cap_db)
    return replace(settings, level_db=level_db)


def centre_filters(device: Device, rate_hz: int, settings: RenderSettings) -> Reals:
    """Returns the filters of the centre, (drivers, taps): the plain pair, or a beam ahead.

    Two drivers can make no beam that is flat ahead and silent at the sides, so a device of two
    plays the centre as any stereo does. A beam is equalised to be flat where the listener sits,
    and arrives together with the sides.
    """
    level = 10 ** ((settings.level_db or 0.0) / 20)
    if not settings.processed or len(device.drivers) < 3:
        pair = np.zeros((len(device.drivers), 16))
        pair[[device.left, device.right], 8] = level
        if not settings.processed:
            pair[[device.left, device.right], 8] = 1.0
        return pair
    cap_db = BEAM_CAP_DB
    beam = beam_filters(device, rate_hz, null_db=settings.null_db, cap_db=cap_db)
    length = beam.shape[-1]
    grid = design_grid(length, rate_hz)
    response = to_response(beam) * np.exp(2j * np.pi * grid * (length // 2) / rate_hz)
    place = device.listener
    pair_m = azimuth_and_distance(device.drivers[device.left], place)[1]
    at_ears = np.zeros(len(grid), np.complex128)
    for driver, weight in zip(device.drivers, response, strict=True):
        distance = azimuth_and_distance(driver, place)[1]
        late_s = (distance - pair_m) / SPEED_OF_SOUND_M_S
        path = pair_m / distance * np.exp(-2j * np.pi * grid * late_s)
        at_ears += path * driver.band_gain(grid) * weight
    band = device.drivers[device.left].band_gain(grid)
    wanted = 2 * level * band
    limit = 10 ** (_MOST_EQ_DB / 20)
    ratio = wanted / np.maximum(np.abs(at_ears), 1e-9)
    equal = np.clip(ratio, 0.0, limit) * np.exp(-1j * np.angle(at_ears))
    return to_taps(response * equal, length)


def through_head(taps: Reals, device: Device, head: Head, rate_hz: int) -> tuple[Reals, int]:
    """Returns filters followed by a head, (2 ears, inputs, taps), and their further delay."""
    lasting = int(np.ceil(head.impulses.shape[-1] * rate_hz / head.rate_hz))
    extra = rate_hz // 500
    length = taps.shape[-1] + lasting + 2 * extra
    size = 1 << int(np.ceil(np.log2(2 * length)))
    frequencies = np.fft.rfftfreq(size, 1 / rate_hz)
    paths = head.ear_paths(device, frequencies)
    spectra = np.fft.rfft(taps, size)
    at_ears = np.einsum("fed,dif->eif", paths, spectra)
    # The bulk of the head's own delay goes; a little stays, for what rings before it.
    onset = int(np.argmax(np.abs(np.fft.irfft(paths[:, 0, device.left], size))))
    at_ears = at_ears * np.exp(2j * np.pi * frequencies * (onset - extra) / rate_hz)
    return np.fft.irfft(at_ears, size)[..., :length], extra


def _sides(device: Device, settings: RenderSettings, rate_hz: int) -> Reals:
    if not settings.processed:
        plain = np.zeros((len(device.drivers), 2, 16))
        plain[device.left, 0, 8] = plain[device.right, 1, 8] = 1.0
        return plain
    return crosstalk_filters(
        device,
        rate_hz,
        settings.target_db,
        settings.cap_db,
        level_db=settings.level_db or 0.0,
        virtual_deg=settings.virtual_deg,
    )


def _headphones(settings: RenderSettings, rate_hz: int, gain: float) -> Chain:
    if settings.processed:
        both = headphone_filters(rate_hz, settings.half_span_deg)
    else:
        both = np.zeros((2, 2, 16))
        both[0, 0, 8] = both[1, 1, 8] = 1.0
    taps = np.stack([both[:, 0], both.sum(axis=1), both[:, 1]], axis=1)
    return Chain(gain * taps, both.shape[-1] // 2, ("left_ear", "right_ear"))


def settings_from(given: Mapping[str, Any]) -> RenderSettings:
    """Returns settings from JSON or the command line.

    Raises:
        InvalidParameterError: A key is unknown, or a value of the wrong type.
    """
    texts = {"output", "head"}
    for key, value in given.items():
        if key not in RenderSettings.__dataclass_fields__:
            names = ", ".join(RenderSettings.__dataclass_fields__)
            raise InvalidParameterError(f"a rendering has no setting {key}; it has {names}")
        if key == "device":
            fits = isinstance(value, (str, Mapping))
        elif key in texts:
            fits = isinstance(value, str) or (key == "head" and value is None)
        elif key == "processed":
            fits = isinstance(value, bool)
        else:
            fits = isinstance(value, (int, float)) and not isinstance(value, bool)
            fits = fits or (key in ("virtual_deg", "level_db") and value is None)
        if not fits:
            raise InvalidParameterError(f"{key} has a value of the wrong type: {value!r}")
    settings = RenderSettings(**given)
    if settings.output not in OUTPUTS:
        raise InvalidParameterError(f"output must be one of {', '.join(OUTPUTS)}")
    return settings
