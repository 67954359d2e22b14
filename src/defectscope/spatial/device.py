"""Where the drivers of a device are and what they can play, read from JSON.

Coordinates in metres, seen from above: x to the right, y towards the listener, the device's middle
at the origin. Angles in degrees around the listener's head, positive to the left as in SOFA files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, cast

import numpy as np

from defectscope.errors import InvalidParameterError, MediaNotFoundError
from defectscope.spatial.arrays import Reals

_FARTHEST_M = 20.0
_MOST_TURN_DEG = 60.0
_KEYS = frozenset(
    {"name", "title", "drivers", "listener_m", "listener_x_m", "listener_turn_deg", "left", "right"}
)
_NEAREST_M = 0.1
_MOST_DRIVERS = 32
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Driver:
    """One driver of a device, taken as a point that radiates alike in all directions.

    Attributes:
        name: What its channel is called.
        x_m: To the right, metres.
        y_m: Towards the listener, metres.
        low_hz: Lower end of its band, hertz (half power).
        high_hz: Upper end of its band, hertz (half power).
    """

    name: str
    x_m: float
    y_m: float
    low_hz: float = 20.0
    high_hz: float = 20_000.0

    def band_gain(self, frequencies_hz: Reals) -> Reals:
        """Returns how much of each frequency the driver plays, 0 to 1, (frequencies,)."""
        ratio_low = self.low_hz / np.maximum(frequencies_hz, 1e-3)
        ratio_high = frequencies_hz / self.high_hz
        return 1 / np.sqrt((1 + ratio_low**8) * (1 + ratio_high**8))


@dataclass(frozen=True, slots=True)
class Listener:
    """Where a head is and where it looks.

    Attributes:
        x_m: To the right of the device's axis, metres.
        y_m: Distance from the device's plane, metres.
        turn_deg: How far the head is turned from looking along the axis, positive to its left.
    """

    x_m: float
    y_m: float
    turn_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class Device:
    """Drivers, and the place they are made for.

    Attributes:
        name: Identifier.
        title: One line for people.
        drivers: In the order of the channels that come out.
        listener_m: Distance of the listener from the device's plane, metres.
        left: Index of the driver that plays the left channel where nothing is processed.
        right: Likewise the right one.
        listener_x_m: How far the listener sits to the right of the axis, metres.
        listener_turn_deg: How far the head is turned from looking along the axis, left positive.
    """

    name: str
    title: str
    drivers: tuple[Driver, ...]
    listener_m: float
    left: int
    right: int
    listener_x_m: float = 0.0
    listener_turn_deg: float = 0.0

    @property
    def listener(self) -> Listener:
        """The listener the device is made for."""
        return Listener(self.listener_x_m, self.listener_m, self.listener_turn_deg)


def azimuth_and_distance(driver: Driver, listener: Listener) -> tuple[float, float]:
    """Returns a driver's direction from the nose (degrees, left positive) and distance (m)."""
    right_m = driver.x_m - listener.x_m
    ahead_m = listener.y_m - driver.y_m
    azimuth = math.degrees(math.atan2(-right_m, ahead_m)) - listener.turn_deg
    return (azimuth + 180.0) % 360.0 - 180.0, math.hypot(right_m, ahead_m)


def device_names() -> list[str]:
    """Returns the names of the devices that ship with the package."""
    folder = resources.files("defectscope.spatial") / "devices"
    return sorted(
        item.name.removesuffix(".json") for item in folder.iterdir() if item.name.endswith(".json")
    )


def load_device(device: Device | Mapping[str, Any] | str | Path) -> Device:
    """Returns a device from its name, its file or its content.

    Args:
        device: A name of `device_names()`, a path to a JSON file, or what such a file holds.

    Raises:
        InvalidParameterError: The description makes no sense.
        MediaNotFoundError: There is neither a device nor a file of that name.
    """
    if isinstance(device, Device):
        return device
    if isinstance(device, Mapping):
        return _parsed(device)
    if not isinstance(cast("object", device), (str, Path)):
        raise InvalidParameterError("a device is a name, a JSON file, or what such a file holds")
    if str(device) in device_names():
        text = (resources.files("defectscope.spatial") / "devices" / f"{device}.json").read_text()
    else:
        path = Path(device)
        if not path.is_file():
            raise MediaNotFoundError(
                f"no device {device}: give a JSON file or one of {', '.join(device_names())}"
            )
        text = _text_of(path)
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidParameterError(f"device {device} is not JSON: {error}") from error
    if not isinstance(content, Mapping):
        raise InvalidParameterError(f"device {device} must be a JSON object")
    return _parsed(cast("Mapping[str, Any]", content))


def _text_of(path: Path) -> str:
    if path.stat().st_size > _MOST_BYTES:
        raise InvalidParameterError(f"device {path} is longer than {_MOST_BYTES} bytes")
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameterError(f"device {path} is no text file") from error


def _parsed(content: Mapping[str, Any]) -> Device:
    unknown = set(content) - _KEYS
    if unknown:
        raise InvalidParameterError(f"a device has no {', '.join(sorted(unknown))}")
    rows = content.get("drivers")
    if not isinstance(rows, list) or not 2 <= len(cast("list[Any]", rows)) <= _MOST_DRIVERS:
        raise InvalidParameterError(f"a device has from 2 to {_MOST_DRIVERS} drivers")
    drivers = tuple(_driver(row, n) for n, row in enumerate(cast("list[Any]", rows)))
    names = [driver.name for driver in drivers]
    if len(set(names)) < len(names):
        raise InvalidParameterError("two drivers of a device have the same name")
    places = {(driver.x_m, driver.y_m) for driver in drivers}
    if len(places) < len(drivers):
        raise InvalidParameterError("two drivers of a device are at the same place")
    listener_m = _number(content, "listener_m", 1.0, _NEAREST_M, _FARTHEST_M)
    if listener_m - max(driver.y_m for driver in drivers) < _NEAREST_M:
        raise InvalidParameterError("the listener must be in front of all drivers")
    listener_x_m = _number(content, "listener_x_m", 0.0, -_FARTHEST_M, _FARTHEST_M)
    turn_deg = _number(content, "listener_turn_deg", 0.0, -_MOST_TURN_DEG, _MOST_TURN_DEG)
    left = _end(content, "left", names, min(drivers, key=lambda d: d.x_m).name)
    right = _end(content, "right", names, max(drivers, key=lambda d: d.x_m).name)
    if drivers[left].x_m >= drivers[right].x_m:
        raise InvalidParameterError("the left driver must be to the left of the right one")
    name = str(content.get("name", "device"))
    title = str(content.get("title", name))
    return Device(name, title, drivers, listener_m, left, right, listener_x_m, turn_deg)


def _driver(row: Any, number: int) -> Driver:
    if not isinstance(row, Mapping):
        raise InvalidParameterError("a driver must be a JSON object")
    given = cast("Mapping[str, Any]", row)
    unknown = set(given) - {"name", "x_m", "y_m", "low_hz", "high_hz"}
    if unknown:
        raise InvalidParameterError(f"a driver has no {', '.join(sorted(unknown))}")
    driver = Driver(
        name=str(given.get("name", f"driver{number}")),
        x_m=_number(given, "x_m", None, -5.0, 5.0),
        y_m=_number(given, "y_m", 0.0, -5.0, 5.0),
        low_hz=_number(given, "low_hz", 20.0, 1.0, 20_000.0),
        high_hz=_number(given, "high_hz", 20_000.0, 100.0, 200_000.0),
    )
    if driver.low_hz >= driver.high_hz:
        raise InvalidParameterError(f"driver {driver.name}: low_hz must lie below high_hz")
    if not driver.name.replace("_", "").replace("-", "").isalnum():
        raise InvalidParameterError("a driver's name consists of letters, digits, - and _")
    return driver


def _number(
    content: Mapping[str, Any], key: str, default: float | None, low: float, high: float
) -> float:
    value = content.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise InvalidParameterError(f"{key} must be a number from {low:g} to {high:g}")
    return float(value)


def _end(content: Mapping[str, Any], key: str, names: list[str], default: str) -> int:
    name = content.get(key, default)
    if name not in names:
        raise InvalidParameterError(f"{key} must name a driver, not {name!r}")
    return names.index(name)
