"""Colour errors: every kind found with its ends; silence on cuts and hard negatives."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from defectscope.analysis import analyze
from defectscope.detectors.color_error.events import find_steps, pair
from defectscope.detectors.color_error.explanations import Step, around
from defectscope.detectors.color_error.steps import (
    PIVOT_CODE,
    color_steps,
    luma_steps,
    shift_steps,
    tint_steps,
)
from defectscope.engine.artifacts import tuned
from defectscope.errors import InvalidParameterError
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame
from defectscope.media.writer import write_clip
from defectscope.simulate.contract import Truth
from defectscope.simulate.effects.arrays import video_stream
from defectscope.simulate.run import impair_file, job, stream_of
from defectscope.simulate.synthetic.hard_negatives import hard_negative
from defectscope.simulate.synthetic.material import Footage, Look, frame_of

WIDTH, HEIGHT = 320, 180
# A camera that hardly moves; colour that is beside its frame shows.
LOOK = Look(pan_px_per_s=(12.0, 2.0), objects=1, object_px_per_s=30.0, saturation_code=22.0)


def write(path: Path, frames: Iterable[Frame]) -> Path:
    encoding = VideoEncoding(WIDTH, HEIGHT, Fraction(25), crf=16.0, preset="veryfast")
    write_clip(path, frames=frames, video=encoding)
    return path


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("color_error") / "clean.mp4"
    return write(path, Footage(seed=12, frames=75, cuts_s=(1.6,), look=LOOK))


def impaired(clean: Path, target: Path, start_s: float = 0.6, **overrides: object) -> Truth:
    plan = job(
        "color_error",
        stream_of(clean),
        seed=9,
        start_s=start_s,
        duration_s=0.8,
        severity=3.0,
        overrides=overrides,
    )
    (truth,) = impair_file(clean, target, [plan])
    return truth


@pytest.mark.parametrize(
    "kind", ["cast", "chroma_loss", "chroma_swap", "chroma_shift", "illegal_range"]
)
def test_errors_are_found_with_their_ends_and_kind(kind: str, clean: Path, tmp_path: Path) -> None:
    # Colour this smooth must be far beside its frame to be seen to jump.
    size = {"shift_x_px": 24} if kind == "chroma_shift" else {}
    truth = impaired(clean, tmp_path / "error.mp4", kind=kind, **size)
    (found,) = analyze(tmp_path / "error.mp4", detectors=["color_error"]).findings
    assert found.start_s == pytest.approx(truth.start_s, abs=0.041)
    assert found.end_s == pytest.approx(truth.end_s, abs=0.041)
    assert found.evidence["kind"] == kind
    assert found.evidence["undone"]


def test_an_error_may_last_across_a_cut(clean: Path, tmp_path: Path) -> None:
    truth = impaired(clean, tmp_path / "error.mp4", 1.2, kind="cast", cast_u_code=20.0)
    (found,) = analyze(tmp_path / "error.mp4", detectors=["color_error"]).findings
    assert (found.start_s, found.end_s) == pytest.approx((truth.start_s, truth.end_s), abs=0.041)
    assert found.evidence["cast_u_code"] == pytest.approx(20.0, abs=1.5)


def test_a_clean_clip_with_a_cut_passes(clean: Path) -> None:
    report = analyze(clean, detectors=["color_error"])
    assert report.verdicts["color_error"]["verdict"] == "pass"


@pytest.mark.parametrize("name", ["quick_cuts", "camera_flashes", "fade_to_near_black"])
def test_hard_negatives_stay_silent(name: str, tmp_path: Path) -> None:
    path = tmp_path / "twin.mkv"
    hard_negative(name).write(path, seed=3)
    assert not analyze(path, detectors=["color_error"]).findings


def test_a_black_and_white_programme_passes(tmp_path: Path) -> None:
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128.0, np.float32)
    footage = Footage(seed=12, frames=40, cuts_s=(0.8,))
    frames = (frame_of([f.planes[0].pixels.astype(np.float32), grey, grey], f.pts) for f in footage)
    assert not analyze(write(tmp_path / "grey.mp4", frames), detectors=["color_error"]).findings


@pytest.mark.parametrize(("size_code", "severity"), [(6, "minor"), (18, "major"), (60, "critical")])
def test_severity_follows_the_size_of_the_change(
    size_code: int, severity: str, clean: Path, tmp_path: Path
) -> None:
    target = tmp_path / "error.mp4"
    impaired(clean, target, kind="cast", cast_u_code=float(size_code), cast_v_code=0.0)
    (found,) = analyze(target, detectors=["color_error"]).findings
    assert found.severity == severity


@pytest.mark.parametrize("back_on_a_cut", [False, True])
def test_a_black_interval_is_no_loss_of_colour(back_on_a_cut: bool, analyze_frames) -> None:
    colors = Look(pan_px_per_s=(12.0, 2.0), saturation_code=22.0)
    cuts = (1.4,) if back_on_a_cut else ()
    scene = list(Footage(seed=12, width=WIDTH, height=HEIGHT, frames=70, cuts_s=cuts, look=colors))
    black = frame_of(
        [np.full(p.pixels.shape, v) for p, v in zip(scene[0].planes, (16, 128, 128), strict=True)],
        0,
    )
    shown = [replace(black, pts=f.pts) if 25 <= f.pts < 35 else f for f in scene]
    stream = video_stream(WIDTH, HEIGHT, len(shown))
    assert analyze_frames("color_error", shown, stream).findings == ()


def test_colour_errors_of_grey_frames_are_refused(tmp_path: Path) -> None:
    grey = write(tmp_path / "grey.mp4", Footage(seed=12, frames=30, look=Look(saturation_code=0.0)))
    for kind in ("chroma_loss", "chroma_swap", "chroma_shift"):
        with pytest.raises(InvalidParameterError, match="needs colour"):
            impaired(grey, tmp_path / "error.mp4", start_s=0.2, kind=kind)


def test_levels_are_analyzed_by_a_limit_where_one_is_given(tmp_path: Path) -> None:
    white = np.full((HEIGHT, WIDTH), 100.0, np.float32)
    white[:20] = 254.0  # a ninth of the frame is above what EBU R 103 tolerates
    grey = np.full((HEIGHT // 2, WIDTH // 2), 128.0, np.float32)
    path = write(tmp_path / "high.mp4", (frame_of([white, grey, grey], n) for n in range(20)))
    assert not analyze(path, detectors=["color_error"]).findings
    limits = {"color_error": {"max_outside_share": 0.01}}
    (found,) = analyze(path, detectors=["color_error"], parameters=limits).findings
    assert found.evidence["outside_share"] == pytest.approx(20 / 180, abs=0.03)


def test_each_transformation_is_explained_by_its_own_hypothesis() -> None:
    rng = np.random.default_rng(4)
    u, v = rng.normal(0, 20, (2, 96))
    cast = color_steps(np.stack([u, u + 9]), np.stack([v, v - 4]))
    assert (cast["cast_u"][0], cast["cast_v"][0]) == pytest.approx((9, -4))
    assert cast["as_cast"][0] == pytest.approx(0, abs=1e-9)
    loss = color_steps(np.stack([u, u * 0.1]), np.stack([v, v * 0.1]))
    assert loss["gain"][0] == pytest.approx(0.1)
    assert loss["as_gain"][0] == pytest.approx(0, abs=1e-9)
    assert loss["gain_back"][0] == pytest.approx(10)
    swap = color_steps(np.stack([u, v]), np.stack([v, u]))
    assert swap["as_swap"][0] == 0
    assert swap["as_is"][0] > 10


def test_a_interval_about_the_middle_leaves_the_middle_alone() -> None:
    luma = np.random.default_rng(5).normal(110, 30, 96)
    steps = luma_steps(np.stack([luma, PIVOT_CODE + 1.15 * (luma - PIVOT_CODE)]))
    assert steps["slope"][0] == pytest.approx(1.15)
    assert steps["pivot_change"][0] == pytest.approx(0, abs=1e-9)
    assert steps["luma_left"][0] == pytest.approx(0, abs=1e-9)


def test_around_leaves_the_row_itself_and_two_neighbours_out() -> None:
    values = np.ones(60)
    values[[20, 22, 24, 26]] = 50.0
    median, large = around(values)
    assert (median[20], large[20], large[30], large[50]) == (1.0, 50.0, 50.0, 1.0)
    values[22] = 1.0
    assert around(values)[1][20] == 1.0


def test_steps_are_paired_with_what_undoes_them() -> None:
    on = Step(10, "cast", None, (9.0, 0.0), 5.0)
    other = Step(15, "cast", None, (0.0, 8.0), 5.0)
    off = Step(30, "cast", None, (-9.2, 0.3), 5.0)
    alone = Step(40, "illegal_range", True, (0.14,), 3.0)
    errors = pair([on, other, off, alone], 50)
    assert [(e.first, e.last, e.paired) for e in errors] == [(10, 30, True), (0, 15, False)]


def test_either_of_two_casts_may_be_the_smaller_where_codes_clip() -> None:
    small = Step(10, "cast", None, (18.0, -22.0), 5.0)
    large = Step(30, "cast", None, (-26.0, 28.0), 5.0)
    for first, last in ((small, large), (replace(large, row=10), replace(small, row=30))):
        assert [(e.first, e.last) for e in pair([first, last], 50)] == [(10, 30)]


@pytest.mark.parametrize(
    ("row", "stretch", "rows"),
    [(20, 0.138, (20, 80)), (20, 0.11, None), (90, 0.14, None)],
    ids=["undone", "less", "on the wrong side"],
)
def test_a_step_that_motion_may_pass_for_counts_as_the_other_end_alone(
    row: int, stretch: float, rows: tuple[int, int] | None
) -> None:
    off = Step(80, "illegal_range", False, (-0.14,), 3.0)
    possible = Step(row, "illegal_range", True, (stretch,), 2.0, sure=False)
    found = pair(sorted([off, possible], key=lambda step: step.row), 120)
    assert [(e.first, e.last) for e in found] == ([] if rows is None else [rows])
    assert pair([possible], 120) == []


def test_one_displacement_explains_a_shift_and_not_a_change_of_every_tile_for_itself() -> None:
    rng = np.random.default_rng(8)
    down, across = np.mgrid[:8, :12]
    u = 20 * np.sin(across / 2.0) + 8 * np.cos(down / 1.5)
    v = 15 * np.cos(across / 2.5 + down / 3.0)
    moved_u = 20 * np.sin((across - 0.1) / 2.0) + 8 * np.cos((down + 0.05) / 1.5)
    moved_v = 15 * np.cos((across - 0.1) / 2.5 + (down + 0.05) / 3.0)
    shifted = shift_steps(np.stack([u, moved_u]), np.stack([v, moved_v]))
    assert shifted["shift_x"][0] == pytest.approx(0.1, rel=0.15)
    assert shifted["shift_y"][0] == pytest.approx(-0.05, rel=0.3)
    assert shifted["shift_left"][0] < 0.1
    other = shift_steps(*(np.stack([c, c + rng.normal(0, 0.5, (8, 12))]) for c in (u, v)))
    assert other["shift_left"][0] > 0.9


def quiet_steps(rows: int) -> dict[str, np.ndarray]:
    """A programme in which nothing happens."""
    ones = ("gain", "gain_back", "slope", "shift_left", "turn_gain", "tone_gain")
    names = (
        *("cast_u", "cast_v", "as_is", "as_cast", "as_gain", "as_gain_back", "as_swap"),
        *("luma_change", "luma_left", "pivot_change", "shift_x", "shift_y"),
        *("saturation", "outside_share", "turn", "as_turn", "as_tint", "lift"),
        *("as_flat", "as_flat_back", "tone_change", "tone_lift", "tone_left"),
    )
    steps = {name: np.zeros(rows) for name in names}
    return steps | {name: np.ones(rows) for name in ones}


def test_black_that_goes_below_black_in_motion_is_a_interval() -> None:
    steps = quiet_steps(100)
    steps["luma_left"][:] = 4.0
    steps["outside_share"][30:60] = 0.2
    steps["slope"][30], steps["slope"][60] = 1.08, 0.92
    limit = tuned("color_error").thresholds
    (error,) = pair(find_steps(steps, limit), 100)
    assert (error.first, error.last, error.step.kind) == (30, 60, "illegal_range")
    # A bright object in the frame stretches nothing.
    steps["slope"][:] = 1.0
    assert not find_steps(steps, limit)


def test_colour_that_jumps_to_and_fro_is_light() -> None:
    steps = quiet_steps(100)
    steps["as_is"][50], steps["cast_u"][50] = 10.0, 20.0
    limit = tuned("color_error").thresholds
    assert [step.kind for step in find_steps(steps, limit)] == ["cast"]
    flashes = [41, 44, 47, 50, 53, 56]
    steps["as_is"][flashes] = 10.0
    steps["cast_u"][flashes] = 20.0
    assert not find_steps(steps, limit)


def test_key_frames_that_colour_every_block_anew_are_no_shift() -> None:
    steps = quiet_steps(100)
    steps["as_is"][[20, 70]] = 0.4
    steps["shift_x"][20], steps["shift_x"][70] = 0.05, -0.05
    limit = tuned("color_error").thresholds
    steps["shift_left"][[20, 70]] = 0.95
    assert not find_steps(steps, limit)
    steps["shift_left"][[20, 70]] = 0.6
    assert [step.kind for step in find_steps(steps, limit)] == ["chroma_shift"] * 2


def test_thousands_of_steps_are_paired_in_seconds() -> None:
    rng = np.random.default_rng(2)
    steps = [
        Step(int(row), "chroma_shift", None, tuple(rng.normal(0, 0.1, 2)), 2.0)
        for row in range(0, 90_000, 30)
    ]
    began = time.process_time()
    pair(steps, 90_000)
    # A second or two; all steps against all others, and those in between, would be hours.
    assert time.process_time() - began < 60.0


def changed(change, frames: int = 75) -> list[Frame]:
    """A scene in which frames [20, 50) have other planes: float luma, U and V."""
    out: list[Frame] = []
    for index, frame in enumerate(Footage(seed=12, frames=frames, look=LOOK)):
        planes = [p.pixels.astype(np.float32) for p in frame.planes]
        if 20 <= index < 50:
            planes = [np.clip(p, 0, 255) for p in change(*planes)]
        out.append(frame_of(planes, frame.pts))
    return out


def turned(degrees: float):
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))

    def change(y, u, v):
        du, dv = u - 128, v - 128
        return y, 128 + cos * du - sin * dv, 128 + sin * du + cos * dv

    return change


def gained(gain: float, pivot: float):
    def change(y, u, v):
        return pivot + (y - pivot) * gain, 128 + (u - 128) * gain, 128 + (v - 128) * gain

    return change


WHITE_BALANCE = (1.25, 1.0, 0.75)


def balanced(y, u, v):
    """Gains of red, green and blue. Source: ITU-R BT.601-7, its coefficients."""
    wide = [np.kron(p - 128, np.ones((2, 2), np.float32)) for p in (u, v)]
    luma = 1.164 * (y - 16)
    red, blue = luma + 1.596 * wide[1], luma + 2.017 * wide[0]
    green = luma - 0.392 * wide[0] - 0.813 * wide[1]
    red, green, blue = (p * g for p, g in zip((red, green, blue), WHITE_BALANCE, strict=True))
    out = 16 + 0.257 * red + 0.504 * green + 0.098 * blue
    small = [p[::2, ::2] for p in (red, green, blue)]
    return (
        out,
        128 - 0.148 * small[0] - 0.291 * small[1] + 0.439 * small[2],
        128 + 0.439 * small[0] - 0.368 * small[1] - 0.071 * small[2],
    )


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (turned(35), "chroma_turn"),
        (turned(-110), "chroma_turn"),
        (gained(1.164, 32), "level_gain"),
        (gained(0.859, 16), "level_gain"),
        (lambda y, u, v: (y + 12, u, v), "level_gain"),
        (lambda y, u, v: (y, np.full_like(u, 168), v), None),
        (balanced, "cast"),
    ],
    ids=["hue", "hue back", "stretched", "squeezed", "lifted", "lost plane", "white balance"],
)
def test_what_goes_wrong_with_levels_and_hues_is_found_with_its_ends(
    change, kind: str | None, tmp_path: Path
) -> None:
    path = write(tmp_path / "error.mp4", changed(change))
    (found,) = analyze(path, detectors=["color_error"]).findings
    assert (found.start_s, found.end_s) == pytest.approx((0.8, 2.0), abs=0.041)
    assert kind in (None, found.evidence["kind"])
    assert found.evidence["undone"]
    if kind == "chroma_turn":
        assert abs(found.evidence["turn_degrees"]) in (
            pytest.approx(35, abs=4),
            pytest.approx(110, abs=4),
        )


@pytest.mark.parametrize(
    "change",
    [
        # A lamp on the left: what it lights changes, the rest does not.
        lambda y, u, v: (np.where(np.arange(WIDTH) < WIDTH // 3, y * 1.4, y), u, v),
        # A menu over a dimmed frame.
        lambda y, u, v: (16 + (y - 16) * 0.4, 128 + (u - 128) * 0.4, 128 + (v - 128) * 0.4),
        turned(8),
    ],
    ids=["a lamp", "a menu", "too little"],
)
def test_light_and_menus_are_no_change_of_levels(change, tmp_path: Path) -> None:
    path = write(tmp_path / "light.mp4", changed(change))
    kinds = {f.evidence["kind"] for f in analyze(path, detectors=["color_error"]).findings}
    assert not kinds & {"chroma_turn", "level_gain"}


def test_a_turn_explains_turned_hues_and_a_tint_what_goes_with_luma() -> None:
    rng = np.random.default_rng(4)
    u, v = rng.normal(0, 20, (2, 96))
    z = (u + 1j * v) * 1.1 * np.exp(1j * 0.7)
    steps = color_steps(np.stack([u, z.real]), np.stack([v, z.imag]))
    assert (steps["turn"][0], steps["turn_gain"][0]) == pytest.approx((0.7, 1.1))
    assert steps["as_turn"][0] == pytest.approx(0, abs=1e-9)
    flat = color_steps(np.stack([u, u * 0 + 9]), np.stack([v, v]))
    assert flat["as_flat"][0] == pytest.approx(0, abs=1e-9)
    assert flat["as_flat_back"][0] > 1
    luma = rng.uniform(16, 235, 96)
    tinted = np.stack([u, u + 0.2 * (luma - 16)]), np.stack([v, v - 0.1 * (luma - 16)])
    assert tint_steps(np.stack([luma, luma]), *tinted)["as_tint"][0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("moving", "waits", "count"),
    [(True, True, 0), (True, False, 1), (False, True, 1)],
    ids=["a player that waits", "darker in motion", "darker, and still before and after"],
)
def test_a_player_that_dims_what_it_holds_is_no_error_of_level(
    moving: bool, waits: bool, count: int, tmp_path: Path
) -> None:
    look = Look(pan_px_per_s=(90.0, 6.0), objects=2, object_px_per_s=60.0, saturation_code=22.0)
    footage = list(Footage(seed=12, frames=75, look=look))
    frames: list[Frame] = []
    for index, frame in enumerate(footage):
        held = 0 if not moving else 19 if waits and 20 <= index < 50 else index
        planes = [p.pixels.astype(np.float32) for p in footage[held].planes]
        if 20 <= index < 50:
            planes[0] = 16 + (planes[0] - 16) * 0.75
        frames.append(frame_of(planes, frame.pts))
    found = analyze(write(tmp_path / "stall.mp4", frames), detectors=["color_error"]).findings
    assert [(f.defect, f.evidence["kind"]) for f in found] == [
        ("color_error", "level_gain")
    ] * count
