"""A grid is told whatever its period and phase; texture and drawings are not one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from defectscope.detectors.compression_blockiness.comb import NAMES, comb_measures
from defectscope.features.lines import lines_of
from defectscope.media.frames import Plane


def measured(luma: np.ndarray) -> dict[str, float]:
    codes = np.clip(np.rint(luma), 16, 235).astype(np.uint8)
    lines = lines_of(Plane(codes, codes.shape[1], codes.shape[0]), 8)
    return dict(zip(NAMES, comb_measures(lines).tolist(), strict=True))


def scene(seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (360, 640))
    return 120 + 260 * ndimage.gaussian_filter(noise, 6) + 1.5 * noise


def blocks(period: float, phase: float) -> np.ndarray:
    y, x = (np.floor((np.arange(n) + phase) / period).astype(int) for n in (360, 640))
    level = np.random.default_rng(2).normal(0, 6, (y[-1] + 1, x[-1] + 1))
    return level[np.ix_(y, x)]


@pytest.mark.parametrize("period", [8.0, 16.0, 10.67, 13.3])
@pytest.mark.parametrize("phase", [0.0, 3.0])
def test_a_grid_of_any_period_is_found(period: float, phase: float) -> None:
    seen = measured(scene() + blocks(period, phase))
    assert seen["step_clarity_min"] > 1.5
    # A part of the period fits as well.
    ratio = period / seen["block_px"]
    assert round(ratio) in (1, 2)
    assert ratio == pytest.approx(round(ratio), rel=0.03)
    assert seen["edges_on_grid"] < 0.9


def test_texture_has_no_grid() -> None:
    seen = measured(scene())
    assert seen["step_clarity_min"] < 1.2
    assert seen["step_share"] < 0.6


def test_what_is_drawn_in_blocks_has_its_edges_on_the_grid() -> None:
    assert measured(120 + 8 * blocks(8.0, 0.0))["edges_on_grid"] > 0.9


def test_tiny_and_flat_frames_tell_nothing() -> None:
    assert not any(measured(np.full((16, 16), 90.0)).values())
    assert not any(measured(np.full((360, 640), 90.0)).values())
