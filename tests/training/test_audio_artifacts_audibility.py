"""What a listener can hear beside the programme, on synthesised sound."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.training.audio_artifacts.audibility import AUDIBLE_DB, LEAST_DB, clicks, lasting

RATE_HZ = 32_000
AT = np.arange(2 * RATE_HZ) / RATE_HZ
NOISE = np.random.default_rng(1).standard_normal(len(AT))


def _hum(level: float, hz: float = 50.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * AT)


def _margin_db(defect: str, masker: np.ndarray, residual: np.ndarray) -> float:
    return float(np.median(lasting(defect, masker, residual, RATE_HZ))) - AUDIBLE_DB[defect]


def test_hum_is_hidden_by_bass_and_not_by_treble() -> None:
    assert _margin_db("audio_hum", _hum(0.3, 60.0), _hum(0.02)) < 0
    assert _margin_db("audio_hum", _hum(0.3, 6000.0), _hum(0.02)) > 20
    assert _margin_db("audio_hum", np.zeros(len(AT)), _hum(0.02)) > 20


def test_hiss_is_hidden_by_noise_and_heard_in_its_pauses() -> None:
    hiss = 0.01 * np.random.default_rng(2).standard_normal(len(AT))
    rain = 0.01 * NOISE
    assert _margin_db("audio_hiss", rain, hiss) < 0
    assert _margin_db("audio_hiss", rain, 4 * hiss) > 3
    beats = 0.3 * NOISE * (AT % 0.5 < 0.25)
    assert _margin_db("audio_hiss", beats, hiss) > 10


def test_distortion_is_weighed_against_the_moment() -> None:
    voice = _hum(0.3, 200.0)
    assert _margin_db("audio_distortion", voice, 0.001 * NOISE) > 10
    assert _margin_db("audio_distortion", voice + 0.1 * NOISE, 0.001 * NOISE[::-1]) < -10
    silence = lasting("audio_distortion", np.zeros(len(AT)), np.zeros(len(AT)), RATE_HZ)
    assert np.all(silence <= LEAST_DB + 20)


@pytest.mark.parametrize(("size", "told"), [(0.5, True), (0.01, False)])
def test_a_click_must_top_the_drums(size: float, told: bool) -> None:
    drums = 0.2 * NOISE * np.exp(-((AT % 0.25) / 0.02))
    place = round(0.3 * RATE_HZ)
    dirty = drums.copy()
    dirty[place : place + 40] += size * NOISE[:40]
    (level,) = clicks(drums, dirty, [(place, place + 40)], "impulse", RATE_HZ)
    assert (level >= AUDIBLE_DB["audio_clicks"]) == told


def test_a_gap_in_noise_is_heard_when_long() -> None:
    for length, told in ((0.003, False), (0.02, True)):
        dirty = NOISE.copy()
        end = 5000 + round(length * RATE_HZ)
        dirty[5000:end] = 0
        (level,) = clicks(NOISE, dirty, [(5000, end)], "gap", RATE_HZ)
        assert (level >= AUDIBLE_DB["audio_clicks"]) == told
    assert len(clicks(NOISE, NOISE, [], "gap", RATE_HZ)) == 0
