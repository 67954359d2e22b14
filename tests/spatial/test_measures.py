"""Measures of space, on signals whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.spatial.interaural import interaural_coherence, interaural_delay_s
from defectscope.spatial.measures import (
    cancellation_db,
    direct_to_reverberant_db,
    third_octaves_hz,
    tone_db,
)
from defectscope.spatial.stage import (
    direct_to_ambient_db,
    image_deg,
    panorama,
    split,
    stage_angle_deg,
)

RATE = 48_000


def test_bands() -> None:
    centres = third_octaves_hz()
    assert len(centres) == 17
    assert centres[[0, 7, -1]] == pytest.approx([198.4, 1000, 8063], rel=0.02)


def test_delay_and_coherence() -> None:
    one = np.random.default_rng(1).normal(size=20_000)
    other = np.random.default_rng(2).normal(size=20_000)
    late = np.roll(one, 24)
    assert interaural_delay_s(one, late, RATE) == pytest.approx(24 / RATE)
    assert interaural_coherence(one, late, RATE) > 0.99
    assert interaural_coherence(one, other, RATE) < 0.05
    assert interaural_coherence(one, one + other, RATE) == pytest.approx(0.707, abs=0.02)
    assert interaural_coherence(one, np.zeros(20_000), RATE) == 0


def test_direct_to_reverberant() -> None:
    impulse = np.zeros(RATE)
    impulse[100] = 1.0
    impulse[100 + RATE // 10] = 0.5
    assert direct_to_reverberant_db(impulse, RATE) == pytest.approx(6.02, abs=0.01)
    assert direct_to_reverberant_db(np.zeros(10), RATE) == 0


def test_panorama_follows_the_law_of_tangents() -> None:
    for gains, angle in (((1, 1), 0), ((1, 0), 30), ((0, 1), -30), ((0.8, 0.4), 10.9)):
        left, right = (np.array([float(g)]) for g in gains)
        position, centre = panorama(left**2, right**2, left * right)
        assert stage_angle_deg(position)[0] == pytest.approx(angle, abs=0.1)
        assert centre[0] == pytest.approx(2 * gains[0] * gains[1] / np.sum(np.square(gains)))
    position, centre = panorama(np.zeros(1), np.zeros(1), np.zeros(1))
    assert position[0] == centre[0] == 0


def test_cancellation_and_tone() -> None:
    natural = np.tile(np.array([[1.0, 0.5], [0.5, 1.0]], complex), (6, 1, 1))
    better = np.tile(np.array([[1.0, 0.05], [0.05, 1.0]], complex), (6, 1, 1))
    assert cancellation_db(better, natural, 3) == pytest.approx([20, 20, 20])
    assert tone_db(2 * natural, natural, 3) == pytest.approx([6.02] * 3, abs=0.01)


def test_an_image_is_as_wide_as_what_was_panned() -> None:
    """One source has no width, two at the loudspeakers have all of it, and ambience has as much."""

    def image(*sources: tuple[float, float]) -> tuple[float, float, float]:
        gains = np.array(sources, float).T
        parts = split(gains[0] ** 2, gains[1] ** 2, gains[0] * gains[1])
        middle, width = image_deg(parts)
        return float(middle), float(width), float(direct_to_ambient_db(parts))

    assert image((1, 1)) == pytest.approx((0, 0, 30), abs=1e-6)
    middle, width, _ = image((0.8, 0.4))
    assert (middle, width) == pytest.approx((10.9, 0), abs=0.1)
    # Two bands hard left and right: the even spread with their deviation is wider than the pair.
    assert image((1, 0), (0, 1))[:2] == pytest.approx((0, 60 * np.sqrt(3)), abs=0.1)
    ambience = split(np.ones(3), np.ones(3), np.zeros(3))
    assert image_deg(ambience)[1] == pytest.approx(60)
    opposed = split(np.ones(3), np.ones(3), -np.ones(3))
    assert direct_to_ambient_db(opposed) == pytest.approx(-30)
    silence = split(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)))
    assert not np.any(image_deg(silence))
    assert not np.any(direct_to_ambient_db(silence))
