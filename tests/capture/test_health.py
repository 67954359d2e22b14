"""A capture's own faults are told from its times alone."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.capture.health import drift_of, health_of


def test_an_even_capture_is_good() -> None:
    found = health_of(np.arange(300) / 30, 30)
    assert found.verdict == "good"
    assert (found.missed, found.hurried, found.bad) == (0, 0, ())
    assert found.intervals_ms[1] == pytest.approx(1000 / 30)


def test_missing_captures_are_counted_and_placed() -> None:
    times = np.delete(np.arange(300) / 30, [100, 101, 102, 200])
    found = health_of(times, 30)
    assert found.missed == 4
    assert [round(b.start_s, 3) for b in found.bad] == [3.3, 6.633]
    assert found.bad[0].end_s == pytest.approx(103 / 30)
    assert found.is_bad(3.35, 3.36)
    assert not found.is_bad(4.0, 6.0)


def test_a_late_capture_and_the_hurried_one_after_it_are_one_place() -> None:
    times = np.arange(300) / 30
    times[150] += 0.02
    found = health_of(times, 30)
    assert (found.missed, found.hurried, len(found.bad)) == (1, 1, 1)


def test_a_grabber_that_jitters_throughout_is_bad() -> None:
    rng = np.random.default_rng(3)
    times = np.sort(np.arange(300) / 30 + rng.uniform(-0.02, 0.02, 300))
    assert health_of(times, 30).verdict == "bad"


def test_what_could_not_be_kept_spoils_a_good_capture() -> None:
    assert health_of(np.arange(300) / 30, 30, lost=1).verdict == "fair"


@pytest.mark.parametrize("ppm", [-120.0, 0.0, 80.0])
def test_drift_is_measured_through_queues(ppm: float) -> None:
    rng = np.random.default_rng(5)
    here = np.arange(18_000) / 30
    own = here * (1 + ppm / 1e6)
    arrived = here + 0.01 + rng.exponential(0.02, len(here))
    assert drift_of(own, arrived) == pytest.approx(ppm, abs=2.0)


def test_drift_of_a_short_capture_is_not_told() -> None:
    assert drift_of([0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.1]) is None


def test_a_single_capture_has_no_health_to_speak_of() -> None:
    assert health_of([0.0], 30).verdict == "bad"
