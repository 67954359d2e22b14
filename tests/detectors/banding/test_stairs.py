"""Stairs are seen under grain, and told from stripes, slopes and blocks."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from defectscope.detectors.banding.stairs import NAMES, stair_grades, stair_measures
from defectscope.features.lines import lines_of
from defectscope.measurements import Table
from defectscope.media.frames import Plane

BOUNDS = {
    "least_stair_share": 0.005,
    "least_flight_share": 0.001,
    "stair_grid_clarity": 1.45,
    "stair_grid_share": 0.85,
}


def measured(luma: np.ndarray, bit_depth: int = 8) -> dict[str, float]:
    scale = 1 << (bit_depth - 8)
    codes = np.clip(np.rint(luma * scale), 16 * scale, 235 * scale)
    codes = codes.astype(np.uint8 if bit_depth == 8 else np.uint16)
    lines = lines_of(Plane(codes, codes.shape[1], codes.shape[0]), bit_depth)
    return dict(zip(NAMES, stair_measures(lines).tolist(), strict=True))


def grain(sigma: float) -> np.ndarray:
    return np.random.default_rng(7).normal(0, sigma, (360, 640))


def rings(step: float) -> np.ndarray:
    y, x = np.mgrid[:360, :640]
    away = np.hypot(x - 320, y - 180)
    return 140 - np.floor(away / 45) * step


@pytest.mark.parametrize("step", [4, 8, 14])
def test_rings_are_seen_under_grain_and_as_tall_as_they_are(step: int) -> None:
    found = measured(rings(step) + grain(1.5))
    assert found["stair_share"] > 0.01
    assert found["flight_share"] > 0.001
    assert found["stair_code"] == pytest.approx(step, rel=0.15)


def test_a_slope_under_grain_has_hardly_any_stairs() -> None:
    y, x = np.mgrid[:360, :640]
    assert measured(60 + 0.2 * x + 0.1 * y + grain(1.5))["stair_share"] < 0.002


def test_stripes_go_up_and_down_again() -> None:
    _, x = np.mgrid[:360, :640]
    assert measured(100 + 8.0 * (x // 40 % 2))["stair_share"] == 0


def test_boxes_within_boxes_are_no_flight() -> None:
    page = np.full((360, 640), 24.0)
    page[40:320, 60:580] = 34
    page[80:280, 100:540] = 46
    assert measured(page)["flight_share"] == 0


def test_stairs_without_a_flight_count_for_nothing() -> None:
    looks = table([0.05, 0.05, 0.05], [6.0] * 3, [0.8] * 3)
    few = Table(looks.ticks_hz, {**looks.columns, "flight_share": array("d", [0.0, 0.0009, 0.002])})
    assert stair_grades(few, BOUNDS).tolist() == [0.0, 0.0, 3.0]


def test_more_bits_have_the_same_stairs() -> None:
    assert measured(rings(8), 10) == pytest.approx(measured(rings(8)), rel=1e-6)


def test_tiny_frames_have_none() -> None:
    assert not any(measured(np.full((8, 8), 90.0)).values())


def table(share: list[float], code: list[float], clarity: list[float]) -> Table:
    columns = {"stair_share": share, "stair_code": code, "grid_clarity": clarity}
    columns |= {"grid_share": [0.3] * len(share), "flight_share": [0.01] * len(share)}
    rows = {name: array("d", values) for name, values in columns.items()}
    return Table((25, 1), {"pts": array("q", range(len(share))), **rows})


def test_the_grade_is_the_height_of_the_steps() -> None:
    looks = table([0.05, 0.006, 0.004], [6.0, 14.0, 9.0], [0.8, 0.8, 0.8])
    assert stair_grades(looks, BOUNDS).tolist() == [3.0, 5.0, 0.0]


def test_a_grid_in_a_look_silences_those_around_it() -> None:
    looks = table([0.05] * 4, [6.0] * 4, [2.0, 0.8, 0.8, 0.8])
    assert stair_grades(looks, BOUNDS).tolist() == [0.0, 0.0, 3.0, 3.0]


def test_no_looks_have_no_grades() -> None:
    assert not len(stair_grades(table([], [], []), BOUNDS))
