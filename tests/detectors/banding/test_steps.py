"""Steps are told from ramps: coarse ones too, and whatever raster they come from."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.banding.steps import LOOK_NAMES, look_measures
from defectscope.features.lines import lines_of
from defectscope.media.frames import Plane


def measured(luma: np.ndarray) -> dict[str, float]:
    codes = np.clip(np.rint(luma), 16, 235).astype(np.uint8)
    lines = lines_of(Plane(codes, codes.shape[1], codes.shape[0]), 8)
    return dict(zip(LOOK_NAMES, look_measures(lines).tolist(), strict=True))


def sky(height: int = 360, width: int = 640) -> np.ndarray:
    y, x = np.mgrid[:height, :width] * (360 / height)
    return 60 + 0.2 * x + 0.15 * y + 4 * np.sin(x / 60)


@pytest.mark.parametrize("step", [3, 7, 14])
def test_coarse_steps_are_counted_where_a_gradient_has_none(step: int) -> None:
    clean, banded = measured(sky()), measured(np.floor(sky() / step) * step)
    assert clean["middle"] == 0
    assert banded["middle"] > 0.02
    assert banded["size_mean"] == pytest.approx(step, abs=0.6)
    assert banded["middle_over_ramp"] > 0.4
    assert banded["coherent_share"] > 0.5
    assert banded["empty"] > clean["empty"]


def test_a_larger_raster_has_the_same_bands() -> None:
    large = measured(np.floor(sky(1080, 1920) / 7) * 7)
    assert large["middle_over_ramp"] > 0.15
    assert measured(sky(1080, 1920))["middle"] == 0


def test_noise_has_ramps_or_nothing() -> None:
    noise = np.random.default_rng(3).normal(0, 3, (360, 640))
    assert measured(sky() + noise)["middle"] < 0.003


def test_tiny_frames_tell_nothing() -> None:
    assert not any(measured(np.full((8, 8), 90.0)).values())
