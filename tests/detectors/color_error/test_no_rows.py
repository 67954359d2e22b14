"""A programme of which no video could be measured."""

from __future__ import annotations

import numpy as np

from defectscope.detectors.color_error.events import around


def test_no_frame_has_nothing_around_it() -> None:
    baseline, largest = around(np.empty(0))
    assert len(baseline) == len(largest) == 0
