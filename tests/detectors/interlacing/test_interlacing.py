"""Interlacing: found where fields are woven, silent on texture, pulldown and rolling letters."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from defectscope.detectors import load
from defectscope.detectors.interlacing import cadence, fields
from defectscope.findings import Interval
from defectscope.simulate.defects.interlacing import SIMULATORS
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage

WIDTH, HEIGHT, FRAMES = 320, 180, 100
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)


@pytest.mark.parametrize(("severity", "seed"), [(3, 1), (4, 2), (5, 3)])
def test_woven_intervals_are_found_with_their_ends(analyze_frames, severity, seed):
    clean = list(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=FRAMES))
    assert not analyze_frames("interlacing", clean, STREAM).findings
    frames, (truth,) = impair_frames(
        SIMULATORS[0], clean, STREAM, span=Interval(1.0, 3.0), seed=seed, severity=severity
    )
    (found,) = analyze_frames("interlacing", frames, STREAM).findings
    assert found.start_s == pytest.approx(truth.start_s, abs=0.081)
    assert found.end_s == pytest.approx(truth.end_s, abs=0.121)
    late = truth.parameters["late_field"]
    assert found.evidence["field_order"] == ("bottom_first" if late == "bottom" else "top_first")
    assert found.evidence["pattern"] == "interlaced"
    assert found.severity == "major"


@pytest.mark.parametrize("name", ["film_grain", "pixel_art", "film_24_in_60", "credits_roll"])
def test_hard_negatives_stay_silent(analyze_frames, name):
    frames = list(hard_negative(name).frames(3))[:100]
    result = analyze_frames("interlacing", frames, video_stream(WIDTH, HEIGHT, len(frames)))
    assert result.verdict == "pass"
    assert not result.findings


def test_telecine_is_told_apart_and_reported_on_request(analyze_frames):
    frames = list(hard_negative("telecine").frames(4))[:90]
    stream = video_stream(WIDTH, HEIGHT, len(frames), Fraction(30000, 1001))
    assert not analyze_frames("interlacing", frames, stream).findings
    # The same frames with two in five left out have no cadence: that is interlacing.
    broken = [f for k, f in enumerate(frames) if k % 7 not in (0, 3)]
    renumbered = [replace(f, pts=k) for k, f in enumerate(broken)]
    found = analyze_frames("interlacing", renumbered, stream).findings
    assert found
    assert found[0].evidence["pattern"] == "interlaced"


def test_frames_declared_interlaced_are_reported_as_such(analyze_frames):
    frames = [
        replace(f, flagged_interlaced=20 <= f.pts < 60)
        for f in Footage(seed=5, width=WIDTH, height=HEIGHT, frames=FRAMES)
    ]
    (found,) = analyze_frames("interlacing", frames, STREAM).findings
    assert (found.start_s, found.end_s) == (0.8, 2.4)
    assert found.evidence["pattern"] == "flag_only"
    assert found.severity == "minor"


def test_a_standing_comb_is_texture(analyze_frames):
    stripes = [
        replace(f, planes=(replace(f.planes[0], data=_striped(f)), *f.planes[1:]))
        for f in Footage(seed=6, width=WIDTH, height=HEIGHT, frames=50)
    ]
    assert not analyze_frames("interlacing", stripes, video_stream(WIDTH, HEIGHT, 50)).findings


def _striped(frame):
    luma = np.array(frame.planes[0].pixels)
    luma[40:120:2, 60:260], luma[41:120:2, 60:260] = 60, 180
    return luma


def test_both_orders_fitting_alike_is_progressive():
    rng = np.random.default_rng(1)
    thresholds = load("interlacing").tuned.thresholds
    level = rng.uniform(0.05, 0.2, 60)
    equal = fields.Fields(level / 4, level, level, level + rng.normal(0, 0.001, 60))
    assert not fields.evaluate_fields(equal, thresholds).woven.any()
    apart = fields.Fields(level, level, level / 2, level * 1.5)
    assert fields.evaluate_fields(apart, thresholds).woven.all()
    # One order, then the other, in turn: no interlaced stream does that.
    turning = np.where(np.arange(60) // 2 % 2, 0.05, -0.05)
    rolling = fields.Fields(level, level, level + turning, level - turning)
    assert not fields.evaluate_fields(rolling, thresholds).woven.any()


def test_pulldown_is_two_neighbours_of_five():
    base = np.tile([0.01, 0.01, 0.10, 0.11, 0.01], 6)
    assert cadence.telecined(base).all()
    assert not cadence.telecined(np.tile([0.01, 0.10, 0.01, 0.11, 0.01], 6)).any()
    assert not cadence.telecined(np.random.default_rng(2).uniform(0, 0.1, 200)).any()
    assert not cadence.telecined(base[:19]).any()
    broken = np.concatenate([base, np.full(40, 0.1)])
    assert cadence.telecined(broken)[:30].all()
    assert not cadence.telecined(broken)[35:].any()


@pytest.mark.parametrize("frames", [0, 1, 3])
def test_clips_of_hardly_any_frames_pass(analyze_frames, frames):
    clip = list(Footage(seed=8, width=64, height=48, frames=max(frames, 1)))[:frames]
    if clip:
        result = analyze_frames("interlacing", clip, video_stream(64, 48, max(frames, 1)))
        assert result.verdict == "pass"
    assert len(fields.evaluate_fields(fields.Fields(*[np.empty(0)] * 4), _LIMITS).woven) == 0


_LIMITS = {"order_share": 0.001, "order_ratio": 0.05, "order_agreement": 0.6}
