"""The tones of flat places say how coarse a gradient is, and what merely stands apart does not."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

from defectscope.detectors.banding.tones import told, tone_measures
from defectscope.features.lines import lines_of
from defectscope.measurements import Table
from defectscope.media.frames import Plane


def gap(luma: np.ndarray, bit_depth: int = 8) -> float:
    scale = 1 << (bit_depth - 8)
    codes = np.clip(np.rint(luma * scale), 16 * scale, 235 * scale)
    codes = codes.astype(np.uint8 if bit_depth == 8 else np.uint16)
    lines = lines_of(Plane(codes, codes.shape[1], codes.shape[0]), bit_depth)
    return tone_measures(lines)[0]


def slope() -> np.ndarray:
    y, x = np.mgrid[:360, :640]
    return 60 + 0.2 * x + 0.1 * y


@pytest.mark.parametrize("bit_depth", [8, 10])
@pytest.mark.parametrize("step", [6, 14, 30])
def test_tones_of_a_banded_slope_are_a_step_apart(step: int, bit_depth: int) -> None:
    assert gap(np.floor(slope() / step) * step, bit_depth) == pytest.approx(step, rel=0.15)


def test_tones_of_a_slope_are_neighbours() -> None:
    assert gap(slope() + np.random.default_rng(7).normal(0, 0.3, (360, 640))) < 3


def test_two_surfaces_far_apart_have_neighbouring_tones_each() -> None:
    lit = np.linspace(0, 12, 640)[None] + np.zeros((360, 1))
    lit[:180] += 40
    lit[180:] += 200
    assert gap(lit) < 3


@pytest.mark.parametrize("luma", [np.full((360, 640), 16.0), np.full((360, 640), 90.0)])
def test_a_frame_of_one_tone_tells_nothing(luma: np.ndarray) -> None:
    assert gap(luma) == 0.0


def test_rough_and_small_frames_tell_nothing() -> None:
    rough = np.random.default_rng(7).uniform(30, 200, (360, 640))
    assert gap(rough) == 0.0
    assert gap(np.full((6, 4), 90.0)) == 0.0


def looks(*gaps: float) -> Table:
    return Table((1, 1), {"pts": array("q", range(len(gaps))), "tone_gap": array("d", gaps)})


def test_a_grade_that_counts_goes_on_counting() -> None:
    assert told(looks(14, 14, 14), np.full(3, 2.0), 1.6).tolist() == [3.5] * 3
    assert told(looks(2, 2, 2), np.full(3, 2.0), 1.6).tolist() == [1.6] * 3


def test_lower_grades_and_unknown_tones_change_nothing() -> None:
    assert told(looks(14, 14, 14), np.full(3, 1.5), 1.6).tolist() == [1.5] * 3
    assert told(looks(0, 0, 0), np.full(3, 4.0), 1.6).tolist() == [4.0] * 3
    assert not len(told(looks(), np.zeros(0), 1.6))
