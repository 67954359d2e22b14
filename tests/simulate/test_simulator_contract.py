"""What every simulator promises, whichever it is."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, fields, is_dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError, UnknownDetectorError
from defectscope.findings import Interval
from defectscope.media.frames import Samples
from defectscope.parameters import described
from defectscope.simulate.contract import AudioSimulator, VideoSimulator
from defectscope.simulate.effects.arrays import (
    audio_stream,
    impair_frames,
    impair_samples,
    video_stream,
)
from defectscope.simulate.parameters import ladder
from defectscope.simulate.registry import simulator, simulators
from defectscope.simulate.synthetic.material import Footage, Look
from defectscope.simulate.synthetic.soundscape import music_like

ALL = simulators()
VIDEO = [n for n, s in ALL.items() if isinstance(s, VideoSimulator)]
AUDIO = [n for n, s in ALL.items() if isinstance(s, AudioSimulator)]
# Simulators whose effect reaches beyond the span by their nature.
MOVES_TIME = {"stutter"}
# Simulators in which nothing but the severity decides.
ONE_STRENGTH = {"caption_missing", "caption_overlap", "caption_speed", "caption_length"}
ONE_STRENGTH |= {"mono_collapse", "freeze"}
RATE_HZ = 16000
SPAN = Interval(0.4, 1.0)


@pytest.fixture(scope="module")
def frames():
    return list(Footage(seed=5, width=160, height=96, frames=30, look=Look(sky=0.4)))


@pytest.fixture(scope="module")
def stream():
    return video_stream(160, 96, 30)


@pytest.fixture(scope="module")
def sound():
    return music_like(5, 1.6, RATE_HZ)


def luma(frame):
    return frame.planes[0].pixels


@pytest.mark.parametrize("name", list(ALL))
def test_parameters_are_frozen_and_explained(name):
    made = ALL[name]
    assert made.name == name
    assert made.defects
    assert made.summary
    assert not made.summary.endswith(".")
    assert is_dataclass(made.params)
    params = made.params()
    field_names = [f.name for f in fields(params)]
    with pytest.raises(FrozenInstanceError):
        setattr(params, field_names[0], getattr(params, field_names[0]))
    for parameter in described(made.params):
        assert parameter.meaning, f"{name}.{parameter.name} is not explained"


@pytest.mark.parametrize("name", list(ALL))
def test_drawing_is_seeded_valid_and_json_ready(name):
    made = ALL[name]
    media = video_stream(320, 176, 100)
    both = audio_stream(4 * RATE_HZ, 2, RATE_HZ)
    media = type(media)(
        media.uri, media.container, 4.0, media.video, both.audio, video_duration_s=4.0
    )
    for severity in (1.0, 2.5, 5.0):
        for seed in range(6):
            plan = made.plan(media, Interval(1.0, 3.0), seed=seed, severity=severity)
            assert plan == made.plan(media, Interval(1.0, 3.0), seed=seed, severity=severity)
            entry = plan.truth(made.defects[0], 1.0, 3.0)
            json.dumps(entry.to_dict(), allow_nan=False)
    drawn = {made.plan(media, Interval(1.0, 3.0), seed=s).params for s in range(12)}
    assert len(drawn) > 1 or name in ONE_STRENGTH


@pytest.mark.parametrize("severity", [0.0, 0.99, 5.01, float("nan")])
def test_severity_has_bounds(severity, stream):
    with pytest.raises(InvalidParameterError, match="severity"):
        simulator("freeze").plan(stream, SPAN, seed=1, severity=severity)


def test_overrides_are_read_as_the_type_of_the_field(stream):
    made = simulator("letterbox")
    plan = made.plan(
        stream, SPAN, seed=1, overrides={"share": "0.2", "scaled": "false", "kind": "pillar"}
    )
    assert plan.params.share == 0.2
    assert plan.params.scaled is False
    assert plan.params.kind == "pillar"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shares": "0.2"}, "unknown parameter 'shares'"),
        ({"share": "wide"}, "share is 0.01 to 0.4, not 'wide'"),
        ({"share": "nan"}, "share is 0.01 to 0.4, not nan"),
        ({"share": "0.9"}, "share is 0.01 to 0.4"),
        ({"scaled": "perhaps"}, "scaled is true or false"),
        ({"kind": "round"}, "kind is letter, pillar or window"),
    ],
)
def test_bad_overrides_are_refused(values, message, stream):
    with pytest.raises(InvalidParameterError, match=message):
        simulator("letterbox").plan(stream, SPAN, seed=1, overrides=values)


def test_unknown_names_are_refused():
    with pytest.raises(UnknownDetectorError, match="no simulator is called 'blackness'"):
        simulator("blackness")


def test_overriding_changes_no_other_draw(stream):
    made = simulator("letterbox")
    drawn = made.plan(stream, SPAN, seed=9).params
    changed = made.plan(stream, SPAN, seed=9, overrides={"lift_code": "3"}).params
    assert changed.share == drawn.share
    assert changed.kind == drawn.kind


def test_the_severity_ladder_is_straight_between_its_steps():
    assert ladder(1, (1, 2, 4, 8, 16)) == 1
    assert ladder(3.5, (1, 2, 4, 8, 16)) == 6
    assert ladder(5, (1, 2, 4, 8, 16)) == 16


@pytest.mark.parametrize("name", VIDEO)
def test_frames_change_inside_the_span_only(name, frames, stream):
    out, truth = impair_frames(ALL[name], frames, stream, span=SPAN, seed=3, severity=4)
    assert truth
    for entry in truth:
        assert entry.defect in ALL[name].defects
        assert entry.start_s >= SPAN.start_s - 1e-9
        assert entry.end_s <= SPAN.end_s + 1e-9
        # Ends lie on frames.
        assert (entry.start_s * 25) == pytest.approx(round(entry.start_s * 25), abs=1e-6)
        assert (entry.end_s * 25) == pytest.approx(round(entry.end_s * 25), abs=1e-6)
    changed = [
        index
        for index, (a, b) in enumerate(zip(frames, out, strict=False))
        if any(
            not np.array_equal(p.pixels, q.pixels) for p, q in zip(a.planes, b.planes, strict=True)
        )
    ]
    assert changed
    assert min(changed) >= 10
    if name not in MOVES_TIME:
        assert len(out) == len(frames)
        assert max(changed) < 25
    for frame in out:
        assert [p.pixels.shape for p in frame.planes] == [(96, 160), (48, 80), (48, 80)]
        assert frame.planes[0].data.dtype == np.uint8
    assert [f.pts for f in out] == list(range(len(out)))


@pytest.mark.parametrize("name", VIDEO)
def test_frames_repeat_with_the_seed(name, frames, stream):
    first, truth = impair_frames(ALL[name], frames, stream, span=SPAN, seed=4)
    again, truth_again = impair_frames(ALL[name], frames, stream, span=SPAN, seed=4)
    assert truth == truth_again
    for a, b in zip(first, again, strict=True):
        for p, q in zip(a.planes, b.planes, strict=True):
            np.testing.assert_array_equal(p.pixels, q.pixels)


@pytest.mark.parametrize("name", VIDEO)
def test_ten_bit_frames_are_impaired_in_ten_bits(name):
    # Large enough, and with enough of a sky, for steps in gradients to show.
    look = Look(sky=0.6)
    deep = list(Footage(seed=6, width=384, height=216, frames=16, bit_depth=10, look=look))
    facts = video_stream(384, 216, 16, bit_depth=10)
    out, truth = impair_frames(ALL[name], deep, facts, span=Interval(0.2, 0.5), seed=2, severity=5)
    assert truth
    assert all(frame.planes[0].data.dtype == np.uint16 for frame in out)
    assert max(int(luma(frame).max()) for frame in out) < 1024
    # A change that was scaled as if for 8 bits would sit near the bottom of the range.
    if name not in {"black_frames"}:
        assert np.mean([luma(frame).mean() for frame in out]) > 150


@pytest.mark.parametrize("name", VIDEO)
def test_the_material_handed_in_is_not_touched(name, frames, stream):
    before = [luma(frame).copy() for frame in frames]
    impair_frames(ALL[name], frames, stream, span=SPAN, seed=3, severity=5)
    for frame, kept in zip(frames, before, strict=True):
        np.testing.assert_array_equal(luma(frame), kept)


@pytest.mark.parametrize("name", AUDIO)
def test_sound_changes_inside_the_span_only(name, sound):
    kept = sound.copy()
    out, truth = impair_samples(ALL[name], sound, RATE_HZ, span=SPAN, seed=3, severity=4)
    np.testing.assert_array_equal(sound, kept)
    first, last = round(SPAN.start_s * RATE_HZ), round(SPAN.end_s * RATE_HZ)
    assert out.shape == sound.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    np.testing.assert_array_equal(out[:first], sound[:first])
    np.testing.assert_array_equal(out[last:], sound[last:])
    assert not np.array_equal(out[first:last], sound[first:last])
    assert truth
    for entry in truth:
        assert entry.defect in ALL[name].defects
        assert SPAN.start_s - 1e-6 <= entry.start_s < entry.end_s <= SPAN.end_s + 1e-6


@pytest.mark.parametrize("name", AUDIO)
def test_how_sound_is_cut_into_runs_changes_nothing(name, sound):
    made = ALL[name]
    facts = audio_stream(len(sound), 2, RATE_HZ)
    plan = made.plan(facts, SPAN, seed=8, severity=3)
    whole_truth: list = []
    [whole] = list(made.apply([Samples(0, sound)], plan, whole_truth))
    cuts = np.sort(np.random.default_rng(1).choice(len(sound), 9, replace=False))
    edges = [0, *cuts.tolist(), len(sound)]
    runs = [Samples(a, sound[a:b]) for a, b in pairwise(edges) if b > a]
    truth: list = []
    parts = list(made.apply(runs, plan, truth))
    assert truth == whole_truth
    joined = np.concatenate([run.data for run in parts])
    np.testing.assert_allclose(joined, whole.data, atol=2e-6)


def test_a_clip_without_the_medium_is_refused(stream):
    made = simulator("audio_dropout")
    plan = made.plan(stream, SPAN, seed=1)
    with pytest.raises(InvalidParameterError, match="needs sound"):
        list(made.apply([], plan, []))


def test_variable_frame_rates_keep_their_truth():
    facts = video_stream(96, 64, 20)
    facts = type(facts)(
        facts.uri,
        facts.container,
        2.0,
        type(facts.video)(
            **{
                **{f.name: getattr(facts.video, f.name) for f in fields(facts.video)},
                "time_base": Fraction(1, 1000),
            }
        ),
        None,
    )
    clip = list(Footage(seed=2, width=96, height=64, frames=12))
    stamps = [0, 40, 90, 200, 240, 400, 470, 480, 600, 640, 700, 900]
    lengths = [*np.diff(stamps).tolist(), 40]
    clip = [
        type(f)(pts=s, duration=d, planes=f.planes, bit_depth=8)
        for f, s, d in zip(clip, stamps, lengths, strict=True)
    ]
    span = Interval(0.1, 0.61)
    out, truth = impair_frames(
        simulator("black_frames"), clip, facts, span=span, seed=1, severity=5
    )
    assert [f.pts for f in out] == stamps
    assert (truth[0].start_s, truth[0].end_s) == (0.2, 0.64)
