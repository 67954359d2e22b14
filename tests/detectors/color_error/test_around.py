"""What is usual and large around each frame, in memory that does not grow with the programme."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.color_error.explanations import around


def test_a_frame_does_not_count_as_its_own_surroundings() -> None:
    values = np.ones(60)
    values[30] = 9.0
    baseline, largest = around(values)
    assert baseline.tolist() == [1.0] * 60
    assert largest.tolist() == [1.0] * 60


def test_how_many_frames_are_held_at_a_time_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(4).random(100)
    whole = around(values)
    monkeypatch.setattr("defectscope.detectors.color_error.explanations._BLOCK_ROWS", 9)
    for blocks, at_once in zip(around(values), whole, strict=True):
        assert np.array_equal(blocks, at_once)
