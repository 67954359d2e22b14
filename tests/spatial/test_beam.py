"""The beam ahead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError
from defectscope.spatial import beam_filters, directivity_db
from defectscope.spatial.beam import beam_gain

RATE = 48_000
BAND = np.geomspace(200, 2_000, 120)


def test_three_drivers_make_nulls_and_a_window() -> None:
    taps = beam_filters("three_front", RATE)
    level = directivity_db("three_front", taps, RATE, BAND, np.array([-90.0, 90.0, -45.0, 45.0]))
    assert level[:, :2].max() <= -25
    assert level[:, 2:].min() >= -5
    assert 20 * np.log10(beam_gain(taps).max()) <= 12.02


def test_null_goes_where_and_as_deep_as_asked() -> None:
    shallow = beam_filters("three_front", RATE, null_db=-15.0)
    level = directivity_db("three_front", shallow, RATE, BAND[20:], np.array([90.0]))
    assert level.max() == pytest.approx(-15, abs=1.5)
    deep = beam_filters("three_front", RATE, null_db=-30.0)
    assert np.sum(shallow**2) < np.sum(deep**2)
    wide = beam_filters("bar_of_five", RATE, nulls_deg=(60.0,))
    level = directivity_db("bar_of_five", wide, RATE, np.array([800.0]), np.array([60.0]))
    assert level[0, 0] < -25


def test_flat_null_is_wider() -> None:
    around = np.array([75.0, 105.0])
    point = beam_filters("bar_of_five", RATE)
    flat = beam_filters("bar_of_five", RATE, null_width_deg=30.0)
    band = np.array([700.0, 1_000.0])
    before = directivity_db("bar_of_five", point, RATE, band, around).max()
    after = directivity_db("bar_of_five", flat, RATE, band, around).max()
    assert after < min(before, -25)


@pytest.mark.parametrize("device", ["three_front", "bar_of_five"])
@pytest.mark.parametrize("cap_db", [3.0, 9.0])
def test_cap_holds(device: str, cap_db: float) -> None:
    taps = beam_filters(device, RATE, cap_db=cap_db)
    assert 20 * np.log10(beam_gain(taps).max()) <= cap_db + 0.02


@pytest.mark.parametrize(
    "given", [{"null_db": 3.0}, {"cap_db": -3.0}, {"nulls_deg": ()}, {"nulls_deg": (5.0,)}]
)
def test_bad_parameters_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidParameterError):
        beam_filters("three_front", RATE, **given)
