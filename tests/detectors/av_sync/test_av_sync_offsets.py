"""Offsets have one sign, and a verdict is only given where several windows agree."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.av_sync import baseline
from defectscope.detectors.av_sync.canonical import fit
from defectscope.detectors.av_sync.clips import SOUND_HZ, mono_weights, placed
from defectscope.detectors.av_sync.crops import Mouth
from defectscope.detectors.av_sync.decision import decide_sync, perceptibility
from defectscope.detectors.av_sync.fragments import (
    FRAGMENT_FRAMES,
    MARGIN_FRAMES,
    Cell,
    compare_fragment,
    shot_by_shot,
    sound_window,
)
from defectscope.detectors.av_sync.offsets import OFFSETS, Likeness, cells, peak
from defectscope.detectors.av_sync.windows import Rules
from defectscope.temporal.filters import resampled

RULES = Rules(
    slope=1.5,
    offset=-1.0,
    network_share=0.0,
    conclusive=0.8,
    early_ms=-90,
    late_ms=185,
    margin_ms=10,
    min_votes=3,
    min_pairs=40,
)
RATE_HZ = 16_000


def speech(seed: int, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Bursts of noise at the pace of syllables, and how loud they are 25 times a second."""
    rng = np.random.default_rng(seed)
    frames = round(seconds * 25)
    level = np.convolve(rng.random(frames + 6) < 0.25, np.hanning(7)[1:-1], "same")[3:-3]
    level = np.clip(level, 0, 1)
    fine = np.interp(np.arange(frames * 640) / 640, np.arange(frames), level)
    sound = (
        fine * rng.standard_normal(frames * 640) * 0.1 + rng.standard_normal(frames * 640) * 1e-4
    )
    return sound.astype(np.float32), level


def mouth(seed: int, level: np.ndarray, first_frame: int = 0) -> Mouth:
    """A drawn mouth that opens with the level."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 20, endpoint=False)
    ring = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    opening = 0.02 + 0.25 * level + 0.005 * rng.standard_normal(len(level))
    shapes = np.zeros((len(level), 40, 2))
    shapes[:, :20] = ring * [0.5, 0.15] * (1 + 0.3 * level[:, None, None])
    shapes[:, 20:, 0] = 0.4 * ring[:, 0]
    shapes[:, 20:, 1] = opening[:, None] * ring[:, 1]
    shapes += 0.004 * rng.standard_normal(shapes.shape)
    y, x = np.mgrid[-24:24, -32:32]
    crops = np.full((len(level), 48, 64), 140.0)
    for row, wide in enumerate(opening):
        crops[row][(x / 22) ** 2 + (y / (2 + 50 * wide)) ** 2 < 1] = 50
    crops += 3 * rng.standard_normal(crops.shape)
    boxes = np.tile([0.3, 0.2, 0.6, 0.8], (len(level), 1))
    return Mouth(first_frame, np.clip(crops, 0, 255).astype(np.uint8), shapes, boxes)


def delayed(sound: np.ndarray, delay_ms: float) -> np.ndarray:
    return np.roll(sound, round(delay_ms * RATE_HZ / 1000))


@pytest.fixture(scope="module")
def model():
    pairs = []
    for seed in range(4):
        sound, level = speech(seed, 4)
        pairs.append((mouth(seed, level), sound_window(0, sound), MARGIN_FRAMES))
    return fit(pairs)


def measured(model, delay_ms: float, seed: int = 77, seconds: int = 12, cuts_s=()):
    sound, level = speech(seed, seconds)
    sound = delayed(sound, delay_ms)
    out = []
    for number in range(seconds // 4):
        own = level[number * FRAGMENT_FRAMES : (number + 1) * FRAGMENT_FRAMES]
        mouths = [mouth(seed + number, own, number * FRAGMENT_FRAMES)]
        sound_embeddings = sound_window(number, sound)
        out += compare_fragment(
            number, mouths, sound_embeddings, (0.0, float(seconds)), list(cuts_s), model
        )
    return out


@pytest.mark.parametrize("delay_ms", [-480, -240, -120, 0, 120, 240, 480])
def test_sound_delayed_on_purpose_reads_positive(model, delay_ms):
    decision = decide_sync(measured(model, delay_ms), RULES, 8.0)
    # BT.1359-1 accepts sound that is 120 ms late, and not sound that is 120 ms early.
    assert decision.verdict == ("pass" if delay_ms in (0, 120) else "fail")
    offsets = [w.peak.ms for w in decision.windows]
    assert np.median(offsets) == pytest.approx(delay_ms, abs=25)


def test_the_baseline_has_the_same_sign():
    sound, level = speech(5, 4)
    sound_embeddings = baseline.envelope(sound_window(0, delayed(sound, 200)))
    found = cells(
        baseline.opening(mouth(5, level)),
        sound_embeddings,
        np.ones(1),
        first=MARGIN_FRAMES,
        frame=0,
        shot=(25, 125),
    )
    total = sum(likeness.total for _, likeness in found)
    pairs = sum(likeness.pairs for _, likeness in found)
    assert peak(total / pairs).frames == pytest.approx(5, abs=0.7)


def test_a_stranger_is_inconclusive(model):
    sound, _ = speech(99, 12)
    out = []
    for number in range(3):
        _, level = speech(200 + number, 4)
        mouths = [mouth(number, level, number * FRAGMENT_FRAMES)]
        out += compare_fragment(number, mouths, sound_window(number, sound), (0.0, 12.0), [], model)
    assert decide_sync(out, RULES, 8.0).verdict == "inconclusive"


def test_silence_and_no_faces_are_inconclusive(model):
    _, level = speech(1, 4)
    silence = np.zeros(6 * RATE_HZ, np.float32)
    assert compare_fragment(0, [mouth(1, level)], silence, (0, 4), [], model) == []
    assert compare_fragment(0, [], sound_window(0, speech(1, 4)[0]), (0, 4), [], model) == []
    assert decide_sync([], RULES, 8.0).verdict == "inconclusive"


def test_nothing_is_compared_across_a_cut(model):
    """Sound of the next shot must not count: pairs end where the shot does."""
    found = measured(model, 0, seconds=4, cuts_s=(2.0,))
    before = [c for c in found if c.frame < 50]
    after = [c for c in found if c.frame >= 50]
    assert before
    assert after
    late, early = np.flatnonzero(OFFSETS == 15)[0], np.flatnonzero(OFFSETS == -15)[0]
    # The last cell before the cut has no pairs with later sound, the first after it none before.
    assert before[-1].canonical.pairs[late] == 0
    assert after[0].canonical.pairs[early] == 0
    assert before[-1].canonical.pairs[15] == after[0].canonical.pairs[15] == 10


def test_mouths_are_split_at_cuts_and_scraps_left_out():
    _, level = speech(1, 4)
    pieces = shot_by_shot([mouth(1, level)], [0.4, 2.0])
    assert [(p.first_frame, len(p)) for p in pieces] == [(10, 40), (50, 50)]


def cell(frame: int, offset_frames: float, height: float, track: int = 0) -> Cell:
    curve = height * np.exp(-((OFFSETS - offset_frames) ** 2) / 4)
    likeness = Likeness(curve * 10, np.full(31, 10.0))
    return Cell(frame, track, 10, np.array([0.1, 0.1, 0.2, 0.3]), likeness)


def test_a_interval_out_of_step_ends_where_it_ends():
    found = [cell(f, 8 if 500 <= f < 1500 else 0, 0.8) for f in range(0, 2000, 10)]
    decision = decide_sync(found, RULES, 8.0)
    assert decision.verdict == "fail"
    (interval,) = decision.intervals
    assert interval.start_s == pytest.approx(20, abs=1.7)
    assert interval.end_s == pytest.approx(60, abs=1.7)
    assert interval.best.peak.ms == pytest.approx(320, abs=20)


def test_one_odd_window_is_not_believed():
    found = [cell(f, 8 if 500 <= f < 620 else 0, 0.8) for f in range(0, 2000, 10)]
    decision = decide_sync(found, RULES, 8.0)
    assert decision.verdict != "fail" or len(decision.intervals[0].windows) >= 3


def test_the_speaking_face_decides_and_not_the_silent_one():
    found = []
    for frame in range(0, 600, 10):
        found += [cell(frame, -9, 0.05, track=0), cell(frame, 8, 0.8, track=1)]
    decision = decide_sync(found, RULES, 8.0)
    assert decision.verdict == "fail"
    assert decision.intervals[0].best.peak.frames == pytest.approx(8, abs=0.3)
    assert {c.track for w in decision.windows for c in w.cells} == {1}


def test_a_peak_at_the_end_of_the_range_says_nothing():
    found = [cell(f, 17, 0.8) for f in range(0, 600, 10)]
    assert decide_sync(found, RULES, 8.0).verdict == "inconclusive"


@pytest.mark.parametrize(
    ("offset_ms", "tolerance", "verdict"),
    [
        (120, "bt1359", "pass"),
        (185, "bt1359", "inconclusive"),
        (210, "bt1359", "fail"),
        (-70, "bt1359", "pass"),
        (-90, "bt1359", "inconclusive"),
        (-115, "bt1359", "fail"),
        (40, "r37", "pass"),
        (60, "r37", "inconclusive"),
        (120, "r37", "fail"),
        (-70, "r37", "fail"),
    ],
)
def test_a_standard_says_what_is_in_step(offset_ms, tolerance, verdict):
    thresholds = {
        "probability_slope": 1.5,
        "probability_offset": -1.0,
        "network_share": 0.0,
        "conclusive": 0.8,
        "margin_ms": 10.0,
        "min_votes": 3,
        "min_pairs": 40,
    }
    rules = Rules.of(thresholds, tolerance)
    found = [cell(f, offset_ms / 40, 0.8) for f in range(0, 600, 10)]
    assert decide_sync(found, rules, 8.0).verdict == verdict
    assert (rules.excess(offset_ms) > 1) == (rules.state(offset_ms) == "out_of_step") or (
        verdict == "inconclusive"
    )


@pytest.mark.parametrize(
    ("offset_ms", "level"), [(125, 1), (185, 2), (-45, 1), (-90, 2), (0, 0), (-135, 3)]
)
def test_perceptibility_follows_what_viewers_notice_and_refuse(offset_ms, level):
    assert perceptibility(offset_ms) == pytest.approx(level)


def test_of_surround_sound_the_centre_is_heard():
    weights = mono_weights(("FL", "FR", "FC", "LFE", "BL", "BR"))
    np.testing.assert_array_equal(weights, [0, 0, 1, 0, 0, 0])
    np.testing.assert_allclose(mono_weights(("FL", "FR")), [0.5, 0.5])
    np.testing.assert_allclose(mono_weights(("FC",)), [1])


def test_sound_of_any_rate_keeps_its_place():
    tick = np.zeros(44_100 * 2, np.float32)
    tick[44_100] = 1
    out = resampled(tick, 44_100, SOUND_HZ)
    assert len(out) == 32_000
    assert int(np.argmax(out)) == 16_000
    runs = [(100, np.ones(50, np.float32)), (150, np.full(50, 2, np.float32))]
    np.testing.assert_array_equal(placed(runs, 140, 160), [1] * 10 + [2] * 10)
