"""Crosstalk filters, on the model they are designed on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError
from defectscope.spatial import Listener, crosstalk_filters, headphone_filters, load_device
from defectscope.spatial.cancellation import driver_gain, ideal_pair
from defectscope.spatial.head import NARROW_PAIR, crosstalk_at, sphere_pressure, woodworth_itd_s
from defectscope.spatial.level import level_for_target
from defectscope.spatial.measures import (
    band_points_hz,
    cancellation_db,
    response_at,
    third_octaves_hz,
    tone_db,
)
from defectscope.spatial.paths import ear_paths

RATE = 48_000
DEVICES = ["two_narrow", "three_front", "bar_of_five"]


def ears(device: str, taps: np.ndarray, frequencies: np.ndarray) -> np.ndarray:
    """Returns what the ears of the model get of left and right, (frequencies, 2, 2)."""
    clock = np.outer(np.arange(taps.shape[-1]), frequencies) / RATE
    response = np.moveaxis(taps @ np.exp(-2j * np.pi * clock), -1, 0)
    return ear_paths(load_device(device), frequencies) @ response


def test_ideal_pair_leaves_the_target() -> None:
    frequencies = np.geomspace(100, 10_000, 50)
    m = NARROW_PAIR.response(frequencies)
    w = ideal_pair(m, 12.0)
    near = w[0, 0] + m * w[1, 0]
    far = m * w[0, 0] + w[1, 0]
    assert np.allclose(near, 1)
    assert np.allclose(far, 10 ** (-12 / 20) * m)


@pytest.mark.parametrize("target_db", [6.0, 12.0, 20.0])
def test_pair_reaches_the_target_where_the_cap_allows(target_db: float) -> None:
    frequencies = np.geomspace(1_000, 5_000, 40)
    flat = [(100.0, target_db), (20_000.0, target_db)]
    taps = crosstalk_filters("two_narrow", RATE, flat, 30.0)
    at_ears = ears("two_narrow", taps, frequencies)
    shadow = np.abs(crosstalk_at(10.0, 1.015).response(frequencies))
    left = 20 * np.log10(np.abs(at_ears[:, 1, 0] / at_ears[:, 0, 0]) / shadow)
    assert np.mean(left) == pytest.approx(-target_db, abs=0.3)


def test_a_number_is_the_mean_of_what_is_asked_for_and_a_level_brings_it_within_the_cap() -> None:
    """Four times as far the same pair needs a lower level, and at full level the cap costs much."""
    points = band_points_hz(third_octaves_hz()).ravel()
    device, far = load_device("two_narrow"), Listener(0.3, 3.0, 5.0)
    paths = ear_paths(device, points, far)
    level_db = level_for_target(device, RATE, 12.0, listener=far)
    assert -20 <= level_db <= -12
    reached = []
    for level in (-20.0, level_db, 0.0):
        taps = crosstalk_filters(device, RATE, 12.0, level_db=level, listener=far)
        rendered = paths @ np.moveaxis(response_at(taps, RATE, points), -1, 0)
        reached.append(cancellation_db(rendered, paths, 17).mean())
    assert reached[0] == pytest.approx(12.0, abs=0.6)
    assert reached[1] > reached[0] - 0.5 - 1e-6
    assert reached[2] < 8


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("cap_db", [3.0, 7.0])
def test_cap_holds_everywhere(device: str, rate: int, cap_db: float) -> None:
    taps = crosstalk_filters(device, rate, 20.0, cap_db)
    assert 20 * np.log10(driver_gain(taps).max()) <= cap_db + 1e-6


def test_cap_costs_cancellation_not_tone() -> None:
    frequencies = np.geomspace(250, 6_000, 60)
    natural = ear_paths(load_device("two_narrow"), frequencies)
    for cap_db in (4.0, 30.0):
        taps = crosstalk_filters("two_narrow", RATE, 15.0, cap_db, level_db=-6.0)
        at_ears = ears("two_narrow", taps, frequencies)
        tone = np.linalg.norm(at_ears, axis=(1, 2)) / np.linalg.norm(natural, axis=(1, 2))
        assert np.abs(20 * np.log10(tone) + 6).max() < 0.6


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("target_db", [6.0, 15.0])
def test_tone_of_the_sides_is_equalised(device: str, target_db: float) -> None:
    """A filter of 256 taps smooths the bass; without the equaliser this is up to 0.97 dB."""
    loaded = load_device(device)
    points = band_points_hz(third_octaves_hz()).ravel()
    natural = ear_paths(loaded, points)[:, :, [loaded.left, loaded.right]]
    tone = tone_db(ears(device, crosstalk_filters(device, RATE, target_db), points), natural, 17)
    assert (tone.max() - tone.min()) / 2 < 0.5


def test_inner_drivers_leave_the_sides_to_the_pair_where_no_head_is_trusted() -> None:
    taps = crosstalk_filters("bar_of_five", RATE)
    level = np.abs(response_at(taps, RATE, np.array([500.0, 2_000.0, 9_000.0]))).max(axis=1)
    assert level[1:4, :2].max(axis=0).min() > 0.1
    assert level[1:4, 2].max() < 0.02


def test_target_may_be_a_curve() -> None:
    taps = crosstalk_filters("two_narrow", RATE, [(500, 0.0), (1_000, 15.0), (4_000, 15.0)], 30.0)
    at_ears = ears("two_narrow", taps, np.array([400.0, 2_500.0]))
    left = 20 * np.log10(np.abs(at_ears[:, 1, 0] / at_ears[:, 0, 0]))
    assert left[0] > -4
    assert left[1] < -14


def test_no_target_leaves_the_pair_alone() -> None:
    taps = crosstalk_filters("two_narrow", RATE, 0.0, level_db=0.0)
    alone = np.zeros_like(taps)
    alone[0, 0, taps.shape[-1] // 2] = alone[1, 1, taps.shape[-1] // 2] = 1
    frequencies = np.geomspace(300, 10_000, 30)
    assert np.allclose(
        np.abs(ears("two_narrow", taps, frequencies)),
        np.abs(ears("two_narrow", alone, frequencies)),
        atol=0.02,
    )


def test_virtual_pair_sounds_as_wide_as_its_angle() -> None:
    frequencies = np.geomspace(1_000, 5_000, 40)
    taps = crosstalk_filters("two_narrow", RATE, cap_db=30.0, virtual_deg=30.0)
    at_ears = ears("two_narrow", taps, frequencies)
    ratio = at_ears[:, 1, 0] / at_ears[:, 0, 0]
    assert np.abs(ratio - crosstalk_at(30.0).response(frequencies)).max() < 0.05


def test_headphones_get_the_crosstalk_of_loudspeakers() -> None:
    frequencies = np.geomspace(300, 5_000, 40)
    taps = headphone_filters(RATE, 30.0)
    clock = np.outer(np.arange(taps.shape[-1]), frequencies) / RATE
    response = taps @ np.exp(-2j * np.pi * clock)
    ratio = response[1, 0] / response[0, 0]
    assert np.abs(ratio - crosstalk_at(30.0).response(frequencies)).max() < 0.02


def test_sphere_agrees_with_woodworth_and_with_itself() -> None:
    # High frequencies creep around the sphere as geometry says; low ones half as long again.
    assert crosstalk_at(30.0, 100.0).delay_s == pytest.approx(woodworth_itd_s(30.0), rel=0.15)
    low = np.abs(sphere_pressure(np.array([20.0]), 40.0))
    assert low == pytest.approx(1.0, abs=0.02)
    facing = np.abs(sphere_pressure(np.array([15_000.0]), 0.0))
    assert facing == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize(
    "given",
    [
        {"target_db": -1.0},
        {"target_db": float("nan")},
        {"target_db": [(100, 3, 4)]},
        {"target_db": [(1000, 3), (500, 3)]},
        {"cap_db": -1.0},
        {"cap_db": float("inf")},
        {"level_db": 3.0},
        {"taps": 255},
        {"taps": 2},
        {"virtual_deg": 120.0},
        {"virtual_deg": "wide"},
        {"target_db": None},
        {"target_db": "much"},
        {"target_db": True},
        {"cap_db": None},
        {"taps": 256.5},
        {"taps": "many"},
        {"listener": 5},
    ],
)
def test_bad_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        crosstalk_filters("two_narrow", RATE, **given)
