"""Cells of a coder are flat within and step at their edges; drawn lines and texture are not so."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from defectscope.detectors.compression_blockiness.cells import NAMES, cell_measures
from defectscope.features.lines import lines_of
from defectscope.media.frames import Plane


def measured(luma: np.ndarray) -> dict[str, float]:
    codes = np.clip(np.rint(luma), 16, 235).astype(np.uint8)
    lines = lines_of(Plane(codes, codes.shape[1], codes.shape[0]), 8)
    return dict(zip(NAMES, cell_measures(lines).tolist(), strict=True))


def scene() -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 1, (360, 640))
    return 120 + 260 * ndimage.gaussian_filter(noise, 6) + 1.5 * noise


def coded(share: float) -> np.ndarray:
    """The scene with a share of each block of eight replaced by its mean."""
    luma = scene()
    means = luma.reshape(45, 8, 80, 8).mean(axis=(1, 3)).repeat(8, 0).repeat(8, 1)
    return means * share + luma * (1 - share)


def test_the_coarser_blocks_are_the_more_every_measure_of_cells_says_so() -> None:
    weak, plain, gross = (measured(coded(share)) for share in (0.4, 0.75, 1.0))
    for name in ("edge_rise", "edge_lead", "outdone"):
        key = f"cell_min_{name}"
        assert weak[key] < plain[key] < gross[key], name
    assert gross["cell_min_flat"] == pytest.approx(1.0)
    assert weak["cell_min_flat"] < 0.2


@pytest.mark.parametrize("thick_px", [2, 3])
@pytest.mark.parametrize("period_px", [24, 30, 32])
def test_drawn_lines_have_no_cells_that_differ(period_px: int, thick_px: int) -> None:
    luma = scene()
    for first in range(thick_px):
        luma[first::period_px] = 220
        luma[:, first::period_px] = 220
    seen = measured(luma)
    assert seen["cell_min_edge_rise"] < 0.1
    assert seen["cell_min_outdone"] < 0.2


def test_frames_without_a_grid_and_tiny_ones_tell_nothing() -> None:
    assert not any(measured(np.full((360, 640), 90.0)).values())
    assert not any(measured(np.full((20, 20), 90.0)).values())
