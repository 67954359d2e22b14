"""A sound whose balance keeps stepping must not be compared with itself, pair by pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from growth import is_far_from_quadratic

from defectscope.detectors.stereo_image import imbalance
from defectscope.detectors.stereo_image.image import Bands, Pair, smoothed
from defectscope.detectors.stereo_image.imbalance import imbalanced
from defectscope.detectors.stereo_image.meter import BLOCKS_HZ, HOPS_PER_BLOCK
from defectscope.engine.artifacts import tuned


def test_steps_are_not_compared_with_all_others() -> None:
    def decided(seconds: int) -> Callable[[], object]:
        rng = np.random.default_rng(7)
        blocks, bands = seconds * BLOCKS_HZ, 12
        # A new balance every two seconds, some 5 dB from the last.
        balance = rng.choice([-5.0, 0.0, 5.0], blocks // (2 * BLOCKS_HZ)).repeat(2 * BLOCKS_HZ)
        right = np.full((blocks, bands), -30.0) + rng.normal(0, 0.2, (blocks, bands))
        left = right + balance[:, None]
        hops = np.repeat(balance, HOPS_PER_BLOCK)
        flat = np.full(len(hops), -30.0)
        zero = np.zeros(len(hops))
        at_s = np.arange(len(hops)) / (BLOCKS_HZ * HOPS_PER_BLOCK)
        pair = Pair(("L", "R"), at_s, (flat + hops, flat), zero + 0.5, flat)
        image = Bands(np.arange(blocks) / BLOCKS_HZ, left, right, np.full((blocks, bands), 0.5))
        return lambda: imbalanced(pair, image, tuned("stereo_image").thresholds, 0.5)

    assert is_far_from_quadratic(decided, 1200)


def test_groups_of_blocks_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(5)
    values = np.where(random.random((300, 6)) < 0.2, np.nan, random.normal(0, 4, (300, 6)))
    whole = imbalance.BandSteps(values)
    monkeypatch.setattr(imbalance, "_GROUP_BLOCKS", 37)
    grouped = imbalance.BandSteps(values)
    assert np.array_equal(whole.size, grouped.size)
    assert np.array_equal(whole.apart, grouped.apart)
    assert np.any(whole.size != 0)


def test_the_running_median_is_that_of_its_definition() -> None:
    random = np.random.default_rng(6)
    for count in (1, 2, 7, 15, 16, 400):
        values = random.integers(-127, 128, count) / 127
        padded = np.pad(values, 7, mode="edge")
        wanted = [np.median(padded[k : k + 15]) for k in range(count)]
        assert np.array_equal(smoothed(values, 15), wanted)
