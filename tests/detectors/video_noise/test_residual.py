"""What is left of the calmest parts of a frame: noise of any grain, and nothing of slopes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from defectscope.detectors.video_noise.residual import residual_measures
from defectscope.features.lines import lines_of
from defectscope.media.frames import Plane

HEIGHT, WIDTH = 240, 320


def residual(noise: np.ndarray) -> float:
    """Returns what is left of a curved slope with this noise on it."""
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    luma = np.clip(np.rint(120 + 40 * x + 25 * y**2 + noise), 16, 235).astype(np.uint8)
    return float(residual_measures(lines_of(Plane(luma, WIDTH, HEIGHT), 8))[0])


def test_a_slope_leaves_hardly_anything() -> None:
    assert residual(np.zeros((HEIGHT, WIDTH))) < 0.4


@pytest.mark.parametrize("grain_px", [0.0, 0.6, 0.9])
def test_noise_of_any_grain_reads_about_its_sigma(grain_px: float) -> None:
    noise = np.random.default_rng(1).normal(0, 1, (HEIGHT, WIDTH))
    if grain_px:
        noise = ndimage.gaussian_filter(noise, grain_px)
    assert residual(6.0 * noise / noise.std()) == pytest.approx(4.8, abs=1.4)


def test_black_and_white_tell_nothing() -> None:
    black = np.full((HEIGHT, WIDTH), 16, np.uint8)
    assert not residual_measures(lines_of(Plane(black, WIDTH, HEIGHT), 8)).any()
