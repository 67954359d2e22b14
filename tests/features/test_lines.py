"""Lines are those of the plane, in pairs, 8-bit-equivalent, whatever the size."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.features.lines import PAIR_PX, lines_of
from defectscope.media.frames import Plane


def test_lines_are_rows_and_columns_of_the_plane() -> None:
    y, x = np.mgrid[:100, :160]
    luma = Plane((y // 2 + x).astype(np.uint8), 160, 100)
    lines = lines_of(luma, 8)
    halves, columns = lines.across[:, 0], lines.down[:, 0]
    assert np.array_equal(lines.across, halves[:, None] + np.arange(160))
    assert np.array_equal(lines.down, columns[:, None] + np.arange(100) // 2)
    assert set(columns[1::2] - columns[::2]) == {PAIR_PX}


def test_padding_is_left_out_and_deep_samples_are_shifted() -> None:
    data = np.full((90, 128), 400, np.uint16)
    data[:, 100:] = 1023
    lines = lines_of(Plane(data, 100, 90), 10)
    assert lines.across.shape[1] == 100
    assert lines.across.max() == lines.down.max() == 100


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 3), (3, 1), (8192, 4)])
def test_odd_sizes_have_lines(width: int, height: int) -> None:
    lines = lines_of(Plane(np.zeros((height, width), np.uint8), width, height), 8)
    assert lines.across.shape[1] == width
    assert lines.down.shape[1] == height
