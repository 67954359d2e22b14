"""Training pairs: measured once, then varied as the pictures themselves would have been."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from defectscope.detectors.block_corruption.network import measures, scaled
from defectscope.simulate._damage_mask import CLEAN, DAMAGED, UNSURE
from defectscope.training.recipes.block_pairs import draw, halved_labels, still, varied


class Fixed:
    """Chance that is decided: `random` and `uniform` give what they are told to, in turn."""

    def __init__(self, *values):
        self.values = list(values)

    def random(self):
        return self.values.pop(0)

    def uniform(self, _low, _high):
        return self.values.pop(0)

    def integers(self, _low, high, size):
        return np.array([high - 1] * size)


@pytest.fixture
def pictures():
    rng = np.random.default_rng(5)
    return torch.from_numpy(rng.integers(60, 180, (2, 3, 64, 64)).astype(np.float32))


def measured(now, before):
    return measures(now[None], before[None])[0].numpy()


def test_turning_time_back_swaps_the_pictures(pictures):
    mask = np.zeros((2, 8, 8), np.uint8)
    mask[0] = DAMAGED
    out, labels = draw((measured(*pictures), mask), 8, Fixed(0.9, 0.1))
    np.testing.assert_allclose(out, measured(pictures[1], pictures[0]), rtol=1e-5)
    assert (labels[0] == CLEAN).all()
    assert (labels[1] == DAMAGED).all()


def test_a_mirrored_pair_has_its_labels_mirrored(pictures):
    mask = np.zeros((2, 8, 8), np.uint8)
    mask[:, :, 0] = DAMAGED
    out, labels = draw((measured(*pictures), mask), 8, Fixed(0.1, 0.9))
    assert (labels[:, :, -1] == DAMAGED).all()
    mirrored = measured(pictures[0].flip(2), pictures[1].flip(2))
    np.testing.assert_allclose(out[:3], mirrored[:3], rtol=1e-5)


def test_crops_of_measures_are_measures_of_crops(pictures):
    mask = np.arange(128).reshape(2, 8, 8).astype(np.uint8)
    out, labels = draw((measured(*pictures), mask), 4, Fixed(0.9, 0.9))
    crop = measured(*(p[:, 32:, 32:] for p in pictures))
    # The first row and column know their neighbours outside of the crop.
    np.testing.assert_allclose(out[:, 1:, 1:-1], crop[:, 1:, 1:-1], rtol=1e-5)
    assert labels[0, 0, 0] == mask[0, 4, 4]


def test_a_picture_that_nothing_came_before(pictures):
    now = pictures[0]
    np.testing.assert_allclose(still(measured(*pictures)), measured(now, now), rtol=1e-5)


def test_contrast_and_brightness_are_those_of_the_pictures(pictures):
    gain, lift = 0.9, 5.0
    out = varied(measured(*pictures), Fixed(gain, lift, 0.5, 1.0))
    expected = measured(*(pictures * gain + lift))
    np.testing.assert_allclose(out, expected, rtol=1e-3, atol=0.02)


def test_without_colour_all_channels_are_luma(pictures):
    out = varied(measured(*pictures), Fixed(1.0, 0.0, 0.01))
    np.testing.assert_allclose(out[0], out[2], rtol=1e-5)
    # What was measured on luma is left alone.
    np.testing.assert_allclose(out[6:], measured(*pictures)[6:], rtol=1e-5)


def test_labels_of_half_the_size():
    mask = np.full((2, 2, 2), CLEAN, np.uint8)
    mask[0, 0] = DAMAGED
    mask[1, 0, 0] = DAMAGED
    assert halved_labels(mask).ravel().tolist() == [DAMAGED, UNSURE]


def test_the_input_is_about_one_wide(pictures):
    x = scaled(measures(pictures[:1], pictures[1:]))
    assert 0.05 < float(x.std()) < 5
