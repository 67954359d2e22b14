"""A programme of which no picture could be measured."""

from __future__ import annotations

import numpy as np

from defectscope.detectors.color_error.events import around


def test_no_picture_has_nothing_around_it() -> None:
    usual, largest = around(np.empty(0))
    assert len(usual) == len(largest) == 0
