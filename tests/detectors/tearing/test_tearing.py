"""Tearing: wandering seams under a moving camera found; things with edges silent."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.tearing import seams
from defectscope.findings import Interval
from defectscope.simulate.arrays import impair_frames, video_stream
from defectscope.simulate.material import Footage, Look
from defectscope.simulate.tearing import SIMULATORS
from defectscope.simulate.twins import twin

WIDTH, HEIGHT, FRAMES = 320, 180, 110
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)
PANNING = Look(pan_px_per_s=(160.0, 6.0))


@pytest.mark.parametrize(("severity", "seed"), [(4, 1), (5, 2)])
def test_wandering_seams_are_found_with_their_rows(judge_frames, severity, seed):
    clean = list(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=FRAMES, look=PANNING))
    assert not judge_frames("tearing", clean, STREAM).findings
    frames, (truth,) = impair_frames(
        SIMULATORS[0],
        clean,
        STREAM,
        span=Interval(1.0, 3.2),
        seed=seed,
        severity=severity,
        overrides={"roam": 0.06},
    )
    (found,) = judge_frames("tearing", frames, STREAM).findings
    assert found.interval.iou(Interval(truth.start_s, truth.end_s)) > 0.8
    rows = set(truth.parameters["seam_rows"])
    near = [any(abs(row - true) <= 2 for true in rows) for row in found.evidence["seam_rows_px"]]
    assert np.mean(near) > 0.8
    assert found.severity in ("major", "critical")


@pytest.mark.parametrize("name", ["pixel_art", "credits_roll", "quick_cuts", "telecine"])
def test_look_alikes_stay_silent(judge_frames, name):
    frames = list(twin(name).frames(3))[:120]
    stream = video_stream(WIDTH, HEIGHT, len(frames))
    assert not judge_frames("tearing", frames, stream).findings


def test_a_passing_seam_needs_a_step_and_a_change_of_motion():
    steps = np.full((3, 180), 0.2)
    changes = np.zeros((4, 180))
    steps[1, 90] = 6.0
    alone = seams.passing_seams(steps, changes)
    assert alone.joint[0] == 0.0
    changes[2, 90:] = 1.0
    torn = seams.passing_seams(steps, changes)
    assert torn.row[0] == 90
    assert torn.joint[0] == pytest.approx(5.8, abs=0.1)
    assert torn.contrast[0] == pytest.approx(1.0)
    # The picture before has the same step: an edge of a thing.
    steps[0, 90] = 6.0
    assert seams.passing_seams(steps, changes).joint[0] < 0.1


def test_steps_are_widened_by_exactly_the_reach():
    steps = np.zeros((1, 40))
    steps[0, 20] = 1.0
    for reach in (1, 2, 5, 9):
        assert np.flatnonzero(seams.widened(steps, reach)[0]).tolist() == list(
            range(20 - reach, 21 + reach)
        )
