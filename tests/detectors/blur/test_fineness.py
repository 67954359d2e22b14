"""Power by octaves falls further the softer a frame is; short and flat frames are fine."""

from __future__ import annotations

import cv2
import numpy as np

from defectscope.detectors.blur.fineness import NAMES, fineness_measures
from defectscope.features.lines import lines_of
from defectscope.media.frames import Plane


def measured(luma):
    codes = np.clip(np.rint(luma), 0, 255).astype(np.uint8)
    values = fineness_measures(lines_of(Plane(codes, codes.shape[1], codes.shape[0]), 8))
    return dict(zip(NAMES, values, strict=True))


def test_a_soft_frame_has_less_power_in_fine_octaves():
    rng = np.random.default_rng(1)
    scene = 128 + 40 * rng.standard_normal((360, 640)).astype(np.float32)
    falls = [
        measured(cv2.GaussianBlur(scene, (0, 0), sigma) + 4)["octave_4"]
        for sigma in (0.8, 1.2, 1.8)
    ]
    assert falls[0] > falls[1] + 1
    assert falls[1] > falls[2]


def test_a_sine_lies_in_its_octave():
    wave = 128 + 30 * np.sin(2 * np.pi * np.arange(640) / 5.5)
    found = measured(np.repeat(wave[None], 360, axis=0))
    octaves = [found[f"octave_{k}"] for k in range(6)]
    assert np.argmax(octaves) == 3


def test_flat_and_short_frames_are_measured():
    flat = measured(np.full((200, 300), 90.0))
    assert all(np.isfinite(value) for value in flat.values())
    assert not any(measured(np.full((20, 30), 90.0)).values())
