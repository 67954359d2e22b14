"""What clean and impaired clips go through: it changes neither their length nor their truth."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.training.audio_artifacts import chains, coding
from defectscope.training.audio_artifacts.noise_negatives import NOISE_NEGATIVES, noise_negative

RATE_HZ = 32000
SOUND = np.sin(2 * np.pi * 440 * np.arange(2 * RATE_HZ) / RATE_HZ).astype(np.float32) * 0.2


@pytest.mark.parametrize("name", NOISE_NEGATIVES)
def test_a_noise_that_is_no_defect_sounds_and_ends_in_time(name: str) -> None:
    for seed in range(4):
        sound = NOISE_NEGATIVES[name](3 * RATE_HZ, RATE_HZ, np.random.default_rng(seed))
        assert sound.shape == (3 * RATE_HZ,)
        assert np.isfinite(sound).all()
        assert sound.any()


@pytest.mark.parametrize("name", ["blast", "surf", "wings"])
def test_it_moves_faster_than_a_fault(name: str) -> None:
    for seed in range(4):
        sound = NOISE_NEGATIVES[name](3 * RATE_HZ, RATE_HZ, np.random.default_rng(seed))
        size = np.sqrt(np.mean(sound.reshape(-1, RATE_HZ // 100) ** 2, axis=1))
        assert 20 * np.log10(size.max() / max(size.min(), 1e-9)) > 15


def test_a_negative_has_a_name_and_a_level_of_one() -> None:
    name, sound = noise_negative(RATE_HZ, RATE_HZ, np.random.default_rng(1))
    assert name in NOISE_NEGATIVES
    assert float(np.mean(sound**2)) == pytest.approx(1.0)


def test_programmes_keep_their_length_before_a_defect() -> None:
    codecs = (("aac", 64000), ("libmp3lame", 80000))
    for seed in range(12):
        out = chains.before(SOUND, RATE_HZ, codecs, np.random.default_rng(seed))
        assert out.shape == SOUND.shape
        assert np.isfinite(out).all()


def test_what_a_defect_added_stays_part_of_the_clip() -> None:
    added = np.random.default_rng(1).standard_normal(len(SOUND)) * 0.01
    layers = np.stack([SOUND + added, added]).astype(np.float64)
    changed = 0
    for seed in range(40):
        out = chains.after(layers, RATE_HZ, np.random.default_rng(seed))
        assert out.shape == layers.shape
        changed += not np.array_equal(out, layers)
        # The programme is a tone: the rest of the clip has none of the noise.
        rest = np.abs(np.fft.rfft((out[0] - out[1]) * np.hanning(len(SOUND))))
        assert rest[20000:].max() < 0.02 * rest.max()
    assert 5 < changed < 25


def test_a_codec_at_another_rate_gives_the_sound_back_in_step() -> None:
    out = coding.through_codec(SOUND, RATE_HZ, "libmp3lame", 32000, 24000)
    assert out.shape == SOUND.shape
    inside = slice(RATE_HZ // 4, -RATE_HZ // 4)
    assert np.corrcoef(out[inside], SOUND[inside])[0, 1] > 0.99
