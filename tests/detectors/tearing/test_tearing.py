"""Tearing: seams that wander and seams that stay found; things with edges silent."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from growth import is_far_from_quadratic

from defectscope.detectors import load
from defectscope.detectors.tearing import seams
from defectscope.detectors.tearing.analysis import KEPT
from defectscope.detectors.tearing.intervals import (
    heaviest,
    in_company,
    lags_one_way,
    moving_edge_share,
    tracks,
)
from defectscope.detectors.tearing.lags import LagWindow, lagging
from defectscope.detectors.tearing.signs import signs_of
from defectscope.findings import Interval
from defectscope.measurements import Measurements
from defectscope.simulate.defects.tearing import SIMULATORS
from defectscope.simulate.effects.arrays import impair_frames, video_stream
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage, Look
from defectscope.temporal.tables import TableBuilder

WIDTH, HEIGHT, FRAMES = 320, 180, 110
STREAM = video_stream(WIDTH, HEIGHT, FRAMES)
PANNING = Look(pan_px_per_s=(160.0, 6.0))


def footage(seed):
    return list(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=FRAMES, look=PANNING))


@pytest.mark.parametrize(("severity", "seed"), [(4, 1), (5, 2)])
def test_wandering_seams_are_found_with_their_rows(analyze_frames, severity, seed):
    clean = list(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=FRAMES, look=PANNING))
    assert not analyze_frames("tearing", clean, STREAM).findings
    frames, (truth,) = impair_frames(
        SIMULATORS[0],
        clean,
        STREAM,
        span=Interval(1.0, 3.2),
        seed=seed,
        severity=severity,
        overrides={"roam": 0.06},
    )
    (found,) = analyze_frames("tearing", frames, STREAM).findings
    assert found.interval.iou(Interval(truth.start_s, truth.end_s)) > 0.8
    rows = set(truth.parameters["seam_rows"])
    near = [any(abs(row - true) <= 2 for true in rows) for row in found.evidence["seam_rows_px"]]
    assert np.mean(near) > 0.8
    assert found.severity in ("major", "critical")


@pytest.mark.parametrize("name", ["pixel_art", "credits_roll", "quick_cuts", "telecine"])
def test_hard_negatives_stay_silent(analyze_frames, name):
    frames = list(hard_negative(name).frames(3))[:120]
    stream = video_stream(WIDTH, HEIGHT, len(frames))
    assert not analyze_frames("tearing", frames, stream).findings


@pytest.mark.parametrize(("every", "lag", "seed"), [(1, 3, 4), (2, 2, 7)])
def test_a_seam_that_stays_at_one_row_is_found(analyze_frames, every, lag, seed):
    clean = list(Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=FRAMES, look=PANNING))
    frames, (truth,) = impair_frames(
        SIMULATORS[0],
        clean,
        STREAM,
        span=Interval(1.0, 3.2),
        seed=seed,
        severity=4,
        overrides={"roam": 0.0, "seam": 0.4, "lag_frames": lag, "every_frames": every},
    )
    (found,) = analyze_frames("tearing", frames, STREAM).findings
    assert found.interval.iou(Interval(truth.start_s, truth.end_s)) > 0.8
    assert abs(found.evidence["seam_row_px"] - truth.parameters["seam_rows"][0]) <= 2


def test_a_seam_that_nobody_can_see_is_no_truth():
    still = next(iter(Footage(seed=1, width=WIDTH, height=HEIGHT, frames=1)))
    frames, truth = impair_frames(
        SIMULATORS[0],
        [replace(still, pts=pts) for pts in range(50)],
        video_stream(WIDTH, HEIGHT, 50),
        span=Interval(0.4, 1.6),
        seed=1,
        severity=5,
    )
    assert len(frames) == 50
    assert truth == []


def test_a_passing_step_is_in_one_frame_only():
    steps = np.full((3, 180), 12, np.uint16)
    steps[1, 90] = 6 * seams.STEPS_PER_CODE
    alone = seams.passing_steps(steps)
    assert alone.row[0] == 90
    assert alone.step[0] == pytest.approx(5.8, abs=0.1)
    assert alone.clear[0] > 50
    # The frame before has the same step two rows on: an edge of a thing that climbs.
    steps[0, 92] = 6 * seams.STEPS_PER_CODE
    assert seams.passing_steps(steps).step[0] == 0.0


@pytest.mark.parametrize(
    ("rows", "share"),
    [
        ([210, 208, 205, 203], 1.0),
        ([107, 112, 111, 120, 116, 176], 5 / 6),
        # A seam that stays; seams anywhere; nothing at all.
        ([120, 121, 120, 120, 30], 0.0),
        ([40, 180, 92, 130, 61], 0.0),
        ([], 0.0),
    ],
)
def test_steps_near_each_other_are_an_edge_that_leaps(rows, share):
    assert moving_edge_share(np.array(rows, float), 224, 1) == pytest.approx(share)


def kept_at(rows, *, bottom, step):
    """Table of frames of 240 rows that have one clear step each, by `step` codes."""
    count = len(rows)
    kept = {name: np.zeros(count, kind) for name, (_, kind) in KEPT.items()}
    kept["step_row"][:], kept["bottom_row"][:] = rows, bottom
    kept["step"][:], kept["clear"][:] = step * KEPT["step"][0], 12 * KEPT["clear"][0]
    kept["contrast"][:] = KEPT["contrast"][0]
    builder = TableBuilder(
        Fraction(25), pts=np.int64, apart=np.uint8, **{n: k for n, (_, k) in KEPT.items()}
    )
    builder.add(pts=np.arange(count), apart=np.full(count, 16), **kept)
    return builder.table()


@pytest.mark.parametrize(
    ("bottom", "counted"),
    [(240, True), (210, False)],
    ids=["nothing stands below", "a margin stands below, and its edge is coded in blocks"],
)
def test_the_edge_of_a_margin_lies_within_a_block_of_it(bottom, counted):
    table = kept_at([196] * 8, bottom=bottom, step=4)
    signs = signs_of(table, load("tearing").tuned.thresholds, 240)
    assert bool(signs["step"].any()) == counted


@pytest.mark.parametrize(("step", "torn"), [(1.0, False), (4.0, True)])
def test_steps_that_nobody_sees_are_no_seams(step, torn):
    table = kept_at([40, 180, 92, 130, 61, 150, 77, 110], bottom=240, step=step)
    measured = Measurements("tearing", {"frames": table})
    found = load("tearing").decide(measured, video_stream(426, 240, 8)).findings
    assert bool(found) == torn


def test_rows_that_lag_either_way_lag_by_chance():
    shown = np.ones(20, bool)
    assert lags_one_way(np.full(20, 3.0), shown) == 1.0
    assert lags_one_way(np.full(20, -2.0), np.arange(20) < 5) == pytest.approx(0.25)
    assert lags_one_way(np.where(np.arange(20) < 15, 3.0, -3.0), shown) == 0.0
    assert lags_one_way(np.empty(0), np.empty(0, bool)) == 0.0


def test_a_part_that_falls_back_is_nearer_to_an_earlier_frame():
    rng = np.random.default_rng(1)
    texture = np.cumsum(rng.normal(0, 3, 400)).astype(np.float32)
    luma = np.stack([texture[4 * k : 4 * k + 180] for k in range(8)])
    torn = luma.copy()
    torn[7, 108:] = luma[4, 108:]
    back, above, below = seams.parted(seams.returns(seams.differences(torn, 6)))
    at = int(np.argmax(np.abs(back[-1])))
    assert abs(at - 108) <= 6
    assert back[-1, at] > 1.5
    assert above[-1, at] < 0.1 < 1.0 < below[-1, at]
    whole = seams.parted(seams.returns(seams.differences(luma, 6)))[0]
    assert np.abs(whole[-1]).max() < 0.6


def test_a_lasting_step_begins_and_goes_at_its_row():
    steps = np.full((40, 100), 10, np.uint16)
    steps[12:28, 50] = 3 * seams.STEPS_PER_CODE
    begun = seams.onsets(seams.lasting(steps), 5)
    assert begun.shape == (30, 100)
    assert np.unravel_index(np.argmax(begun), begun.shape) == (7, 50)
    assert np.unravel_index(np.argmin(begun), begun.shape) == (23, 50)
    assert begun.max() == pytest.approx(2.84, abs=0.05)


def test_the_heaviest_intervals_leave_nothing_to_gain():
    weights = np.array([-1, 2, 3, -1, 4, -20, 1, 1, -3, 0.5, -9.0])
    assert heaviest(weights) == [(1, 5), (6, 8), (9, 10)]
    assert heaviest(np.zeros(5)) == []
    rng = np.random.default_rng(2)
    for _ in range(50):
        weights = rng.normal(-0.2, 1, 30)
        best = max(weights[a:b].sum() for a in range(30) for b in range(a + 1, 31))
        assert max(weights[a:b].sum() for a, b in heaviest(weights)) == pytest.approx(best)


def test_rows_are_gathered_to_means():
    rows = np.arange(14, dtype=np.uint32).reshape(2, 7) * 10
    assert seams.coarse(rows, 3, 10.0) == pytest.approx(np.array([[1.0, 4.0], [8.0, 11.0]]))


def test_steps_are_widened_by_exactly_the_reach():
    steps = np.zeros((1, 40), np.uint16)
    steps[0, 20] = 1
    for reach in (1, 2, 5, 9):
        assert np.flatnonzero(seams.widened(steps, reach)[0]).tolist() == list(
            range(20 - reach, 21 + reach)
        )


def test_returns_count_as_far_as_steps_bear_them_out():
    returns, steps = np.zeros(60), np.zeros(60)
    returns[[10, 12, 40]] = 3.0
    steps[11] = 2.0
    borne = in_company(returns, steps, 5)
    assert borne[[10, 12]] == pytest.approx([1.0, 1.0])
    assert borne[40] == pytest.approx(0.0, abs=1e-9)


def test_a_cut_within_a_torn_interval_ends_what_can_be_told(analyze_frames):
    clean = footage(2)
    stream = video_stream(WIDTH, HEIGHT, 2 * FRAMES)
    other = [replace(frame, pts=FRAMES + k) for k, frame in enumerate(footage(9))]
    assert not analyze_frames("tearing", clean + other, stream).findings
    cuts = [replace((clean, other)[k // 9 % 2][k], pts=k) for k in range(FRAMES)]
    assert not analyze_frames("tearing", cuts, STREAM).findings


def test_an_hour_of_steps_is_not_compared_with_itself():
    def decided(count):
        rng = np.random.default_rng(3)
        signs = {name: np.zeros(count, kind) for name, (_, kind) in KEPT.items()}
        signs |= {name: rng.integers(0, 60, count).astype(KEPT[name][1]) for name in ("on", "off")}
        signs["on_row"] = signs["off_row"] = np.full(count, 50, np.uint16)
        signs["on_back"] = np.full(count, 40, np.uint8)
        signs["step"] = rng.integers(0, 60, count).astype(np.uint16)
        signs["clear"] = signs["contrast"] = np.full(count, 60, np.uint8)
        builder = TableBuilder(
            Fraction(25), pts=np.int64, apart=np.uint8, **{n: k for n, (_, k) in KEPT.items()}
        )
        builder.add(pts=np.arange(count), apart=np.zeros(count), **signs)
        measured = Measurements("tearing", {"frames": builder.table()})
        return lambda: load("tearing").decide(measured, STREAM)

    assert is_far_from_quadratic(decided, 60_000)


def test_a_held_frame_takes_no_seam_along():
    count = 40
    kept = {name: np.zeros(count, kind) for name, (_, kind) in KEPT.items()}
    kept["on"][[12, 30]] = kept["off"][[12, 30]] = 200
    kept["on_row"][:], kept["off_row"][:], kept["bottom_row"][:] = 90, 90, 180
    apart = np.full(count, 16)
    apart[11:13] = 0
    builder = TableBuilder(
        Fraction(25), pts=np.int64, apart=np.uint8, **{n: k for n, (_, k) in KEPT.items()}
    )
    builder.add(pts=np.arange(count), apart=apart, **kept)
    signs = signs_of(builder.table(), load("tearing").tuned.thresholds, 180)
    for name in ("on", "off"):
        assert np.flatnonzero(signs[name]).tolist() == [30]


@pytest.mark.parametrize(("row", "told"), [(90, True), (150, False), (170, False), (5, False)])
def test_the_edge_of_what_moves_is_no_seam(row: int, told: bool) -> None:
    kept = {name: np.zeros(20, kind) for name, (_, kind) in KEPT.items()}
    kept["step"][10], kept["step_row"][10] = 200, row
    kept["top_row"][:], kept["bottom_row"][:] = 2, 152
    builder = TableBuilder(
        Fraction(25), pts=np.int64, apart=np.uint8, **{n: k for n, (_, k) in KEPT.items()}
    )
    builder.add(pts=np.arange(20), apart=np.full(20, 16), **kept)
    signs = signs_of(builder.table(), load("tearing").tuned.thresholds, 180)
    assert bool(signs["step"].any()) is told


def test_rows_that_stand_are_a_margin() -> None:
    changed = np.zeros((3, 90), np.float32)
    changed[0, 10:70] = changed[1] = 4.0
    top, bottom = seams.moving_rows(changed)
    assert abs(top[0] - 10) <= 2
    assert abs(bottom[0] - 70) <= 2
    assert (top[1], bottom[1]) == (0, 90)
    assert (top[2], bottom[2]) == (0, 0)


def rows_that_vary(frames=60, rows=60, lag=0, seam=30):
    """Means of rows: what varies does so together in neighbouring rows, below the seam later."""
    rng = np.random.default_rng(12)
    longer = frames + lag
    waves = np.cumsum(rng.normal(size=(longer, 4)), axis=0)
    hills = np.exp(-(((np.arange(rows) - np.array([[5], [25], [38], [55]])) / 12) ** 2))
    varied = 100 + waves @ hills
    luma = varied[lag:]
    luma[:, seam:] = varied[:frames, seam:]
    return (luma + rng.normal(0, 0.01, luma.shape)).astype(np.float32)


@pytest.mark.parametrize("lag", [2, 3, 5])
def test_a_row_below_which_all_is_late_shows_while_it_lasts(lag):
    window = LagWindow.at(25.0)
    found = lagging(rows_that_vary(lag=lag), window)
    assert len(found.row) == 60 - window.before - window.after
    assert np.mean(np.abs(found.row - 30) <= 1) > 0.9
    assert np.mean(found.lag[found.clear > 1] == lag) > 0.9
    assert np.median(found.clear) > 2.0


def test_rows_that_vary_together_lag_nowhere():
    assert lagging(rows_that_vary(), LagWindow.at(25.0)).clear.max() < 1.0


def test_lags_need_few_frames_where_there_are_few():
    for rate in (1.0, 5.0, 10.0, 12.5, 60.0):
        window = LagWindow.at(rate)
        assert window.after <= max(6, 1.3 * rate)
    low = lagging(np.zeros((40, 6), np.float32), LagWindow.at(25.0))
    assert not low.clear.any()


def test_lags_do_not_depend_on_what_else_is_measured():
    window = LagWindow.at(25.0)
    luma = rows_that_vary(lag=3)
    whole = lagging(luma, window)
    for at in (0, 7, 30):
        one = lagging(luma[at : at + window.before + 1 + window.after], window)
        assert (one.row[0], one.lag[0], one.clear[0]) == (
            whole.row[at],
            whole.lag[at],
            whole.clear[at],
        )


def test_tracks_stay_at_a_row_and_end_after_a_while():
    starts_s = np.arange(60) / 25
    weight = np.zeros(60)
    rows = np.full(60, 100.0)
    weight[[5, 6, 9, 40, 41]] = 1.0
    weight[7] = 1.0
    rows[7] = 140.0
    rows[6] = 102.0
    assert tracks(weight, rows, np.ones(60, bool), starts_s, 2) == [[5, 6, 9], [7], [40, 41]]
    late = np.ones(60, bool)
    late[9] = False
    assert [5, 6] in tracks(weight, rows, late, starts_s, 2)
