"""Each simulator of frames makes the defect it says, as strong as it says."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError
from defectscope.findings import Interval
from defectscope.simulate.defects.banding import contours
from defectscope.simulate.effects.arrays import frames_from, impair_frames, video_stream
from defectscope.simulate.registry import simulator
from defectscope.simulate.synthetic.material import Footage, Look

W, H, N = 192, 112, 40
STREAM = video_stream(W, H, N)
SPAN = Interval(0.4, 1.2)
INSIDE = range(10, 30)


@pytest.fixture(scope="module")
def clip():
    return list(Footage(seed=11, width=W, height=H, frames=N, look=Look(sky=0.4)))


def luma(frame):
    return frame.planes[0].pixels.astype(np.float64)


def impair(name, clip, severity=3.0, seed=1, span=SPAN, stream=STREAM, **settings):
    return impair_frames(
        simulator(name), clip, stream, span=span, seed=seed, severity=severity, overrides=settings
    )


def test_black_is_black_and_mild_black_is_dirty(clip):
    out, _ = impair("black_frames", clip, severity=5)
    assert all((luma(out[i]) == 16).all() for i in INSIDE)
    assert all((out[i].planes[1].pixels == 128).all() for i in INSIDE)
    dirty, _ = impair("black_frames", clip, severity=1)
    means = [luma(dirty[i]).mean() for i in INSIDE]
    assert 17 < np.mean(means) < 22
    assert luma(dirty[12]).std() > 0.5


def test_black_of_full_range_is_zero(clip):
    stream = video_stream(W, H, N, full_range=True)
    out, _ = impair("black_frames", clip, severity=5, stream=stream)
    assert luma(out[15]).max() == 0


def test_freeze_holds_the_first_frame_of_the_span(clip):
    out, [entry] = impair("freeze", clip, severity=5)
    assert (entry.start_s, entry.end_s) == (0.4, 1.2)
    for index in INSIDE:
        np.testing.assert_array_equal(luma(out[index]), luma(clip[10]))
    assert not np.array_equal(luma(out[30]), luma(clip[10]))
    noisy, _ = impair("freeze", clip, noise_code=2.0)
    assert 1.5 < (luma(noisy[12]) - luma(noisy[10])).std() < 2.5


def test_freeze_waits_until_something_moves(clip):
    still = [replace(clip[0], pts=pts) for pts in range(15)]
    moving = [replace(frame, pts=pts) for pts, frame in enumerate(clip[:25], 15)]
    out, [entry] = impair("freeze", still + moving, severity=5)
    assert (entry.start_s, entry.end_s) == (16 / 25, 36 / 25)
    for index in range(16, 36):
        np.testing.assert_array_equal(luma(out[index]), luma(clip[1]))
    assert not np.array_equal(luma(out[36]), luma(clip[1]))
    nothing, truths = impair("freeze", [replace(clip[0], pts=pts) for pts in range(40)])
    assert truths == []
    assert all(np.array_equal(luma(frame), luma(clip[0])) for frame in nothing)


def test_repeated_frames_repeat_and_jump(clip):
    out, truths = impair(
        "stutter", clip, kind="repeat", length_frames=2, every_frames=8, irregular="false"
    )
    same = [i for i in range(1, N) if np.array_equal(luma(out[i]), luma(out[i - 1]))]
    assert same == [10, 11, 18, 19, 26, 27]
    assert truths[0].start_s == pytest.approx(0.4)
    assert truths[0].end_s == pytest.approx(28 / 25)
    assert truths[0].parameters["events_s"] == [0.4, 0.72, 1.04]
    # The frame after a repeat is the one that was due, not the one that was missed.
    np.testing.assert_array_equal(luma(out[12]), luma(clip[12]))


def test_events_far_apart_are_truths_of_their_own():
    clip = list(Footage(seed=3, width=64, height=48, frames=120))
    span, stream = Interval(0.4, 4.4), video_stream(64, 48, 120)
    _, truths = impair(
        "stutter", clip, span=span, stream=stream, kind="repeat", length_frames=1, every_frames=40
    )
    assert len(truths) >= 2
    assert all(entry.end_s - entry.start_s == pytest.approx(0.04) for entry in truths)


def test_dropped_frames_are_gone_and_time_stamps_stay_even(clip):
    out, [entry] = impair(
        "stutter", clip, kind="drop", length_frames=3, every_frames=20, irregular="false"
    )
    assert [frame.pts for frame in out] == list(range(N - 3))
    np.testing.assert_array_equal(luma(out[9]), luma(clip[9]))
    np.testing.assert_array_equal(luma(out[10]), luma(clip[13]))
    assert entry.start_s == pytest.approx(0.4)
    assert entry.end_s == pytest.approx(0.44)


def test_cadence_is_regular_outside_the_span_and_broken_inside():
    rate = Fraction(60)
    clip = list(Footage(seed=3, width=64, height=48, frames=120, rate=rate))
    stream, span = video_stream(64, 48, 120, rate), Interval(0.8, 1.4)
    out, truths = impair(
        "stutter", clip, span=span, stream=stream, kind="cadence_32", every_frames=12
    )
    new = [0] + [i for i in range(1, 120) if not np.array_equal(luma(out[i]), luma(out[i - 1]))]
    runs = np.diff(new)
    before = runs[: int(0.75 * 24)]
    assert set(before[:-1]) == {2, 3}
    assert all(a != b for a, b in itertools.pairwise(before))
    inside = [r for at, r in zip(new, runs, strict=False) if 48 <= at < 84]
    assert any(r not in (2, 3) or a == r for a, r in itertools.pairwise(inside))
    assert truths
    assert span.start_s - 0.05 <= truths[0].start_s


def test_a_torn_frame_is_two_instants(clip):
    out, [entry] = impair("tearing", clip, seam=0.5, roam=0, lag_frames=2, every_frames=1)
    row = entry.parameters["seam_rows"][0]
    assert row == 56
    for index in INSIDE:
        np.testing.assert_array_equal(luma(out[index])[:row], luma(clip[index])[:row])
        np.testing.assert_array_equal(luma(out[index])[row:], luma(clip[index - 2])[row:])
        chroma = out[index].planes[1].pixels
        np.testing.assert_array_equal(chroma[row // 2 :], clip[index - 2].planes[1].pixels[28:])


def test_woven_rows_come_from_the_frame_before(clip):
    out, _ = impair("interlacing", clip, late_field="top", strength=1)
    np.testing.assert_array_equal(luma(out[15])[0::2], luma(clip[14])[0::2])
    np.testing.assert_array_equal(luma(out[15])[1::2], luma(clip[15])[1::2])
    half, _ = impair("interlacing", clip, late_field="bottom", strength=0.5, chroma="false")
    middle = (luma(clip[14])[1::2] + luma(clip[15])[1::2]) / 2
    assert np.abs(luma(half[15])[1::2] - middle).max() <= 0.5
    np.testing.assert_array_equal(half[15].planes[1].pixels, clip[15].planes[1].pixels)


def test_luma_flicker_has_its_frequency_and_depth():
    grey = [np.full((48, 64), 116, np.uint8), *[np.full((24, 32), 128, np.uint8)] * 2]
    clip = frames_from([grey] * 100)
    out, _ = impair(
        "flicker",
        clip,
        span=Interval(0, 4),
        stream=video_stream(64, 48, 100),
        kind="luma",
        hz=5,
        depth=0.2,
    )
    means = np.array([luma(frame).mean() for frame in out])
    spectrum = np.abs(np.fft.rfft(means - means.mean()))
    assert np.argmax(spectrum) == 20  # 5 Hz in 4 s
    assert means.max() - means.min() == pytest.approx(2 * 0.2 * 100, rel=0.1)


@pytest.mark.parametrize("kind", ["general_flash", "red_flash"])
def test_flashes_cover_their_area(kind, clip):
    out, _ = impair("flicker", clip, kind=kind, hz=5, depth=0.8, area=0.5)
    changed = luma(out[10]) != luma(clip[10])
    assert changed.mean() == pytest.approx(0.5, abs=0.05)
    if kind == "red_flash":
        v = out[10].planes[2].pixels
        assert v[v.shape[0] // 2, v.shape[1] // 2] > 200


@pytest.mark.parametrize("scaled", ["true", "false"])
@pytest.mark.parametrize("kind", ["letter", "pillar", "window"])
def test_bars_are_where_the_truth_says(kind, scaled, clip):
    out, [entry] = impair(
        "letterbox", clip, kind=kind, share=0.1, scaled=scaled, lift_code=0, noise_code=0
    )
    left, top, width, height = entry.parameters["active_px"]
    clip_frame = luma(out[15])
    outside = np.ones_like(clip_frame, bool)
    outside[top : top + height, left : left + width] = False
    assert (clip_frame[outside] == 16).all()
    assert (clip_frame[~outside] > 20).mean() > 0.95
    assert (left > 0, top > 0) == (kind != "letter", kind != "pillar")
    inner = clip_frame[top : top + height, left : left + width]
    whole = luma(clip[15])
    if scaled == "false":
        np.testing.assert_array_equal(inner, whole[top : top + height, left : left + width])
    else:
        assert inner.mean() == pytest.approx(whole.mean(), abs=2)


def test_smpte_bars_have_the_standard_colours():
    clip = list(Footage(seed=1, width=704, height=480, frames=2))
    out, _ = impair(
        "test_pattern",
        clip,
        severity=5,
        span=Interval(0, 0.08),
        stream=video_stream(704, 480, 2),
        kind="smpte_bars",
        amplitude=0.75,
    )
    # Source: 75 % bars in ITU-R BT.601 codes.
    expected = [
        (180, 128, 128),
        (162, 44, 142),
        (131, 156, 44),
        (112, 72, 58),
        (84, 184, 198),
        (65, 100, 212),
        (35, 212, 114),
    ]
    y, u, v = (plane.pixels for plane in out[0].planes)
    for index, codes in enumerate(expected):
        column = int((index + 0.5) * 704 / 7)
        found = (y[100, column], u[50, column // 2], v[50, column // 2])
        assert np.abs(np.array(found, int) - codes).max() <= 1
    assert y[-5, 30] == 16  # -I is at black level
    assert y[-5, 200] == 235
    assert sorted({int(c) for c in y[-5, 510:600]}) == [7, 16, 25]


@pytest.mark.parametrize("kind", ["smpte_bars", "ebu_bars", "solid", "slate"])
def test_patterns_stand_still_and_fill_the_frame(kind, clip):
    out, _ = impair("test_pattern", clip, severity=5, kind=kind)
    np.testing.assert_array_equal(luma(out[12]), luma(out[25]))
    levels = len(np.unique(luma(out[12])))
    assert levels == 1 if kind == "solid" else 3 <= levels <= 20


def edge_profile(frame):
    return np.abs(np.diff(luma(frame), axis=1)).sum(axis=0)


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg4", "libx264"])
def test_compression_leaves_a_grid(codec, clip):
    out, _ = impair("compression_blockiness", clip, severity=5, codec=codec, scale=1,
                    offset_x_px=0, offset_y_px=0)  # fmt: skip
    grid = 16 if codec == "libx264" else 8
    profile = np.mean([edge_profile(out[i]) for i in INSIDE], axis=0)
    phases = [profile[p::grid].mean() for p in range(grid)]
    assert int(np.argmax(phases)) == grid - 1
    assert max(phases) > 1.5 * np.median(phases)


def test_the_grid_moves_with_its_offset(clip):
    out, _ = impair("compression_blockiness", clip, severity=5, codec="mpeg2video", scale=1,
                    quantizer=31, offset_x_px=3, offset_y_px=0)  # fmt: skip
    profile = np.mean([edge_profile(out[i]) for i in INSIDE], axis=0)
    phases = [profile[p::8].mean() for p in range(8)]
    assert int(np.argmax(phases)) == (7 - 3) % 8


def test_compression_needs_even_colour_prows():
    grey = frames_from([[np.full((48, 64), 99, np.uint8)]] * 4)
    stream = video_stream(64, 48, 4)
    video = type(stream.video)(64, 48, 0, 0, 8, "gray", Fraction(25), Fraction(1, 25), "ffv1")
    bare = type(stream)("grey", "memory", 0.16, video, None)
    with pytest.raises(InvalidParameterError, match="4:2:0"):
        impair("compression_blockiness", grey, span=Interval(0, 0.16), stream=bare)


def detail(frame):
    clip_frame = luma(frame)[H // 2 :]
    return float(np.square(np.diff(clip_frame, axis=1)).mean())


@pytest.mark.parametrize("kind", ["gaussian", "defocus", "upscaled"])
def test_blur_takes_detail_and_keeps_brightness(kind, clip):
    energies = []
    for radius in (1.5, 3.0, 6.0):
        out, _ = impair("blur", clip, kind=kind, radius_px=radius)
        energies.append(detail(out[15]))
        assert luma(out[15]).mean() == pytest.approx(luma(clip[15]).mean(), abs=1.0)
    assert detail(clip[15]) > energies[0] > energies[1] > energies[2]


def test_noise_has_its_deviation_and_changes_with_every_frame(clip):
    out, _ = impair("video_noise", clip, kind="gaussian", sigma_code=6, chroma=0.5)
    noise = [luma(out[i]) - luma(clip[i]) for i in (12, 13)]
    assert noise[0].std() == pytest.approx(6, rel=0.1)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
    chroma = out[12].planes[1].pixels.astype(float) - clip[12].planes[1].pixels
    assert chroma.std() == pytest.approx(3, rel=0.15)


def test_film_grain_is_coarser_than_sensor_noise(clip):
    def neighbours(kind):
        out, _ = impair("video_noise", clip, kind=kind, sigma_code=8, dots=0)
        noise = luma(out[12]) - luma(clip[12])
        return float(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1])

    assert abs(neighbours("gaussian")) < 0.1
    assert neighbours("film") > 0.3


def test_salt_hits_its_share(clip):
    out, _ = impair("video_noise", clip, kind="salt", dots=0.05, chroma=0)
    changed = luma(out[12]) != luma(clip[12])
    assert changed.mean() == pytest.approx(0.05, rel=0.25)


def test_banding_leaves_few_levels_in_the_sky_and_keeps_texture(clip):
    out, _ = impair("banding", clip, step_code=8, smooth_code=5, dark_only="false")
    sky = np.s_[4:30, 20:100]
    before = len(np.unique(np.rint(luma(clip[12])[sky])))
    after = np.unique(luma(out[12])[sky], return_counts=True)[1]
    assert before > 15
    # Most of the sky lies on a few levels.
    assert np.sort(after)[::-1][:6].sum() > 0.7 * after.sum()
    texture = np.s_[70:, :]
    assert np.abs(luma(out[12])[texture] - luma(clip[12])[texture]).mean() < 1.0


def test_banding_is_told_where_steps_show_and_nowhere_else(clip):
    rows = np.arange(216, dtype=np.float32)[:, None]
    slope = 60 + rows / 4 + np.zeros((1, 384), np.float32)
    steps = np.floor(slope / 8) * 8 + 4
    # Seven steps across the whole width, in sides of a square of the same size.
    assert contours(slope, steps) == pytest.approx(7 * 384 / np.sqrt(slope.size), rel=0.15)
    assert contours(slope, slope) == 0
    # What was there before, and what is hidden by grain, are no new steps.
    assert contours(steps, steps) == 0
    grain = np.random.default_rng(1).normal(0, 6, slope.shape)
    assert contours(slope, steps + grain) < 0.5
    # In a small frame without a smooth expanse nothing shows, and truth is silent.
    _, truth = impair("banding", clip, severity=1, dark_only="false", smooth_code="5")
    assert not truth


def test_colours_go_wrong_as_asked(clip):
    y, u, v = (plane.pixels.astype(int) for plane in clip[12].planes)
    swapped, _ = impair("color_error", clip, kind="chroma_swap")
    np.testing.assert_array_equal(swapped[12].planes[1].pixels, v)
    lost, _ = impair("color_error", clip, kind="chroma_loss", amount=1)
    assert (lost[12].planes[1].pixels == 128).all()
    cast, _ = impair("color_error", clip, kind="cast", cast_u_code=12, cast_v_code=-7)
    assert np.median(cast[12].planes[1].pixels.astype(int) - u) == 12
    assert np.median(cast[12].planes[2].pixels.astype(int) - v) == -7
    moved, _ = impair("color_error", clip, kind="chroma_shift", shift_x_px=8, shift_y_px=-4)
    np.testing.assert_array_equal(moved[12].planes[1].pixels[:-2, 4:], u[2:, :-4])
    np.testing.assert_array_equal(moved[12].planes[0].pixels, y)
    illegal, _ = impair("color_error", clip, kind="illegal_range", amount=1)
    assert luma(illegal[12]).min() < 16 or luma(illegal[12]).max() > 235


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("blur", {"kind": "gaussian"}),
        ("video_noise", {"kind": "gaussian"}),
        ("letterbox", {"kind": "window", "scaled": "false"}),
        ("interlacing", {"chroma": "true"}),
        ("flicker", {"kind": "luma", "hz": "5"}),
        ("banding", {"dark_only": "false", "smooth_code": "5"}),
        ("tearing", {"roam": "0", "seam": "0.4"}),
        ("compression_blockiness", {"codec": "mpeg2video", "scale": "1"}),
    ],
)
def test_higher_severity_does_more_damage(name, settings, clip):
    damage = []
    for severity in (1, 3, 5):
        per_seed = []
        for seed in (1, 2, 3):
            out, _ = impair(name, clip, severity=severity, seed=seed, **settings)
            per_seed += [
                np.square(luma(a) - luma(b)).mean() for a, b in zip(clip, out, strict=True)
            ]
        damage.append(np.mean(per_seed))
    assert damage[0] > 0
    assert damage[0] < damage[1] < damage[2]
