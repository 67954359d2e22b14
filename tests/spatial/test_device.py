"""Device files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from defectscope.errors import DefectscopeError, InvalidParameterError, MediaNotFoundError
from defectscope.spatial import Device, Driver, Listener, device_names, load_device
from defectscope.spatial.device import azimuth_and_distance

GOOD: dict[str, Any] = {
    "name": "mine",
    "listener_m": 0.5,
    "drivers": [{"name": "a", "x_m": -0.1}, {"name": "b", "x_m": 0.1}],
}


def changed(**changes: object) -> dict[str, Any]:
    return {**GOOD, **changes}


def test_devices_that_ship() -> None:
    assert device_names() == ["bar_of_five", "three_front", "two_narrow"]
    assert [len(load_device(name).drivers) for name in device_names()] == [5, 3, 2]
    pair = load_device("two_narrow")
    azimuth, _ = azimuth_and_distance(pair.drivers[pair.left], pair.listener)
    assert azimuth == pytest.approx(10.0, abs=0.01)


def test_the_listener_may_sit_aside_and_turn() -> None:
    device = load_device(changed(listener_m=1.0, listener_x_m=0.1, listener_turn_deg=5))
    azimuth, distance = azimuth_and_distance(device.drivers[device.right], device.listener)
    assert (azimuth, distance) == pytest.approx((-5.0, 1.0))


def test_file_and_mapping(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(GOOD))
    assert load_device(path) == load_device(GOOD) == load_device(load_device(GOOD))


def test_directions() -> None:
    driver = Driver("a", -1.0, 0.0)
    assert azimuth_and_distance(driver, Listener(0, 1))[0] == pytest.approx(45)
    assert azimuth_and_distance(driver, Listener(0, 1, turn_deg=45))[0] == pytest.approx(0)
    assert azimuth_and_distance(driver, Listener(-2, 1))[0] == pytest.approx(-45)


def test_band() -> None:
    gain = Driver("a", 0, 0, 100, 10_000).band_gain(np.array([0.0, 100, 1000, 10_000]))
    assert gain == pytest.approx([0, 0.7071, 1, 0.7071], abs=1e-3)


@pytest.mark.parametrize(
    "content",
    [
        {},
        changed(drivers=[]),
        changed(drivers=GOOD["drivers"][:1]),
        changed(drivers=[1, 2]),
        changed(drivers=[{"x_m": 0.1}, {"x_m": 0.1}]),
        changed(drivers=[{"x_m": float("nan")}, {"x_m": 0.1}]),
        changed(drivers=[{"x_m": 0.1, "name": "a"}, {"x_m": 0.2, "name": "a"}]),
        changed(drivers=[{"x_m": 0.1, "colour": 1}, {"x_m": 0.2}]),
        changed(drivers=[{"x_m": 0.1, "low_hz": 900, "high_hz": 800}, {"x_m": 0.2}]),
        changed(drivers=[{"x_m": 0.1, "name": "../a"}, {"x_m": 0.2}]),
        changed(listener_m=0),
        changed(listener_m="far"),
        changed(listener_turn_deg=90),
        changed(listener_m=True),
        changed(left="b", right="a"),
        changed(left="nobody"),
        changed(speed=3),
    ],
)
def test_bad_devices_are_refused(content: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        load_device(content)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match="two_narrow"):
        load_device("no_such_device")
    for text in ("{", "[]", "3"):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(DefectscopeError):
            load_device(tmp_path / "x.json")


def test_device_is_what_it_says() -> None:
    device = load_device(GOOD)
    assert isinstance(device, Device)
    assert (device.left, device.right) == (0, 1)
