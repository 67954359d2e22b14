"""Cuts, dissolves and fades are told from light that flickers and cameras that pan."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.av_sync.shots import Shots
from defectscope.features import PlaneGeometry, open_extractor
from defectscope.features.extractor import Batch
from defectscope.simulate.effects.arrays import video_stream
from defectscope.simulate.synthetic.material import Footage, Look

NAMES = frozenset({"tile_luma", "luma_histogram"})
WIDTH, HEIGHT = 160, 96


def footage(seed: int, frames: int, sky: float = 0.4) -> list[np.ndarray]:
    made = Footage(seed=seed, width=WIDTH, height=HEIGHT, frames=frames, look=Look(sky=sky))
    return [np.array(f.planes[0].pixels) for f in made]


def shots_of(frames: list[np.ndarray]) -> list[float]:
    from defectscope.media.frames import Plane

    stream = video_stream(WIDTH, HEIGHT, len(frames))
    assert stream.video is not None
    geometry = PlaneGeometry(WIDTH, HEIGHT, 0, 0, 8)
    batch = Batch(open_extractor(geometry, NAMES), len(frames))
    for frame in frames:
        batch.add((Plane(np.ascontiguousarray(frame), WIDTH, HEIGHT),))
    features = batch.features()
    shots = Shots(stream.video)
    times = np.arange(len(frames)) / 25
    half = len(frames) // 2
    for part in (slice(0, half), slice(half, None)):
        shots.push(times[part], features["tile_luma"][part], features["luma_histogram"][part])
    return shots.between(0.0, len(frames) / 25)


def test_a_cut_is_found_on_its_frame():
    assert shots_of(footage(1, 40) + footage(2, 40, 0.8)) == [pytest.approx(1.6)]


def test_one_shot_is_one_shot():
    assert shots_of(footage(3, 80)) == []


def test_a_flash_is_no_cut():
    frames = footage(4, 60)
    frames[30] = np.full_like(frames[30], 235)
    assert shots_of(frames) == []


def test_a_dissolve_is_found_about_its_middle():
    one, other = footage(1, 70, 0.1), footage(2, 70, 0.95)
    other = [(p * 0.5 + 100).astype(np.uint8) for p in other]
    mixed = [
        (a * (1 - s) + b * s).astype(np.uint8)
        for a, b, s in zip(one, other, np.clip((np.arange(70) - 26) / 18, 0, 1), strict=True)
    ]
    found = shots_of(mixed)
    assert len(found) == 1
    assert found[0] == pytest.approx(35 / 25, abs=0.3)


def test_a_fade_through_black_is_a_border():
    frames = footage(5, 80)
    gain = np.clip(np.abs(np.arange(80) - 40) / 12 - 0.3, 0, 1)
    faded = [(16 + (p - 16.0) * g).astype(np.uint8) for p, g in zip(frames, gain, strict=True)]
    found = shots_of(faded)
    assert any(1.4 < t < 2.0 for t in found)
