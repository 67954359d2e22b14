"""Frames that the decoder flags are findings where the map confirms them."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.block_corruption.events import Event, Known
from defectscope.detectors.block_corruption.flagged import confirmed, joined

STARTS = np.arange(50) / 25
ENDS = STARTS + 1 / 25


def areas(looked):
    """Shares by row of the frames that were looked at."""
    rows = np.array(sorted(looked))
    return Known(rows, np.array([looked[k] for k in rows.tolist()]), np.zeros(50))


def found(flagged, looked):
    corrupt = np.isin(np.arange(50), flagged)
    return confirmed(corrupt, areas(looked), STARTS, ENDS, 0.01, 0.95)


def test_flags_alone_and_maps_alone_are_nothing():
    assert found([10, 11, 12], {11: 0.0}) == []
    assert found([], {11: 0.5}) == []
    assert found([10, 11, 12], {30: 0.5}) == []


def test_both_together_span_the_flagged_frames():
    assert found([10, 11, 12], {11: 0.02, 30: 0.5}) == [Event(0.4, pytest.approx(0.52), 0.95)]
    # The frame after the last flagged one confirms as well.
    assert found([10], {11: 0.02}) == [Event(0.4, pytest.approx(0.44), 0.95)]


def test_flagged_frames_near_each_other_belong_together():
    assert len(found([10, 14, 18], {14: 0.02})) == 1
    assert len(found([10, 30], {10: 0.02, 30: 0.02})) == 2


def test_findings_of_both_kinds_are_joined():
    one, two, far = Event(0.0, 1.0, 0.6), Event(0.8, 1.5, 0.95), Event(4.0, 5.0, 0.7)
    assert joined([one, far], [two], 0.4) == [Event(0.0, 1.5, 0.95), far]
