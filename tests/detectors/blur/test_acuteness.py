"""Edges lose their acuteness with blur, and where there are none nothing is soft."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from defectscope.detectors.blur.acuteness import NAMES, acuteness_measures
from defectscope.features.lines import lines_of
from defectscope.media.frames import Plane


def measured(luma: np.ndarray) -> dict[str, float]:
    codes = np.clip(np.rint(luma), 16, 235).astype(np.uint8)
    lines = lines_of(Plane(codes, codes.shape[1], codes.shape[0]), 8)
    return dict(zip(NAMES, acuteness_measures(lines).tolist(), strict=True))


def shapes() -> np.ndarray:
    level = np.random.default_rng(4).uniform(30, 220, (12, 20))
    return np.kron(level, np.ones((30, 32)))


def test_acuteness_falls_with_blur() -> None:
    sharp = [
        measured(ndimage.gaussian_filter(shapes(), sigma))["acute30_95"] for sigma in (0, 1, 2, 4)
    ]
    assert sharp == sorted(sharp, reverse=True)
    assert sharp[0] > 0.9
    assert sharp[3] < 0.3


def test_one_sharp_part_speaks_for_the_frame() -> None:
    soft = ndimage.gaussian_filter(shapes(), 4)
    soft[:, :200] = shapes()[:, :200]
    assert measured(soft)["acute30_99"] > 0.9


def test_frames_without_edges_are_not_soft() -> None:
    assert measured(np.full((360, 640), 20.0))["acute30_99"] == 1.0
    assert measured(np.full((9, 9), 20.0))["acute30_99"] == 0.0
