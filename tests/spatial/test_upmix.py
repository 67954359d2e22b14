"""The split into left, centre and right."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError
from defectscope.spatial import Upmixer, upmix

RATE = 48_000


def noise(seed: int, seconds: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE))


def energy(x: np.ndarray) -> float:
    return float(np.sum(x**2))


@pytest.mark.parametrize("length", [0, 1, 100, 4096, 30_001])
def test_sum_is_what_went_in(length: int) -> None:
    pair = np.stack([noise(1), noise(2)])[:, :length]
    left, centre, right = upmix(pair, RATE)
    assert left.shape == (length,)
    assert np.allclose(left + centre, pair[0], atol=1e-12)
    assert np.allclose(right + centre, pair[1], atol=1e-12)


def test_mono_is_all_centre_and_inverted_none() -> None:
    one = noise(3)
    left, centre, right = upmix(np.stack([one, one]), RATE)
    assert energy(left) < 1e-12 * energy(one)
    assert energy(right) < 1e-12 * energy(one)
    assert np.allclose(centre, one, atol=1e-6)
    assert energy(upmix(np.stack([one, -one]), RATE)[1]) == 0


def test_one_side_leaves_the_centre_empty() -> None:
    one = noise(4)
    centre = upmix(np.stack([one, np.zeros_like(one)]), RATE)[1]
    assert energy(centre) < 1e-12 * energy(one)


def test_panned_source_goes_to_the_channels_beside_it() -> None:
    one = noise(5)
    left, centre, right = upmix(np.stack([0.9 * one, 0.4 * one]), RATE)
    inner = slice(RATE // 4, -RATE // 4)
    assert np.allclose(centre[inner], 0.4 * one[inner], atol=1e-6)
    assert np.allclose(left[inner], 0.5 * one[inner], atol=1e-6)
    assert energy(right[inner]) < 1e-9


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_noises_that_share_nothing_stay_apart(rate: int) -> None:
    draw = np.random.default_rng(13)
    pair = draw.normal(0, 0.1, (2, 4 * rate))
    left, centre, right = upmix(pair, rate)
    assert abs(np.corrcoef(left, right)[0, 1]) < 0.1
    assert abs(np.corrcoef(centre, pair[0] - pair[1])[0, 1]) < 0.1
    assert energy(centre) < 0.1 * energy(pair)


def test_a_sound_that_follows_at_one_side_is_not_taken_for_the_middle() -> None:
    voice, struck = noise(14, 2.0), noise(15, 2.0)
    voice[RATE:], struck[:RATE] = 0, 0
    centre = upmix(np.stack([voice + struck, voice]), RATE)[1]
    after = slice(RATE + RATE // 5, None)
    assert energy(centre[after]) < 1e-3 * energy(struck[after])
    assert energy(centre[:RATE]) > 0.9 * energy(voice)


@pytest.mark.parametrize("seed", range(4))
def test_blocks_do_not_matter(seed: int) -> None:
    draw = np.random.default_rng(seed)
    pair = np.stack([noise(6), 0.7 * noise(6) + noise(7)])
    upmixer = Upmixer(RATE)
    parts = []
    at = 0
    while at < pair.shape[1]:
        size = int(draw.integers(1, 9000))
        parts.append(upmixer.push(pair[:, at : at + size]))
        at += size
        given = sum(part.shape[1] for part in parts)
        assert min(at, pair.shape[1]) - given <= upmixer.latency_samples
    parts.append(upmixer.flush())
    assert np.allclose(np.concatenate(parts, axis=1), upmix(pair, RATE), rtol=0, atol=1e-7)


@pytest.mark.parametrize("rate", [8_000, 44_100, 96_000, 192_000])
def test_every_rate(rate: int) -> None:
    one = noise(8, 0.2)
    assert np.allclose(upmix(np.stack([one, one]), rate)[1], one, atol=1e-6)


def test_silence_stays_silent() -> None:
    assert not upmix(np.zeros((2, 10_000)), RATE).any()


@pytest.mark.parametrize(
    "samples",
    [np.zeros(10), np.zeros((1, 10)), np.zeros((6, 10)), np.full((2, 10), np.nan)],
)
def test_bad_samples_are_refused(samples: np.ndarray) -> None:
    with pytest.raises(InvalidParameterError):
        upmix(samples, RATE)


@pytest.mark.parametrize("rate", [0, -1, 7_999, 44_100.5, 1_000_000, float("nan")])
def test_bad_rates_are_refused(rate: float) -> None:
    with pytest.raises(InvalidParameterError):
        upmix(np.zeros((2, 10)), rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("samples", ["sound", None, np.zeros((2, 9), complex), [[1.0], [1.0, 2.0]]])
def test_what_is_no_sound_is_refused(samples: object) -> None:
    with pytest.raises(InvalidParameterError):
        upmix(samples, RATE)  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [None, "48000", True])
def test_what_is_no_rate_is_refused(rate: object) -> None:
    with pytest.raises(InvalidParameterError):
        upmix(np.zeros((2, 10)), rate)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, 1, 2, 999, 4_095, 4_097])
def test_short_sounds_keep_their_length_and_add_up(length: int) -> None:
    pair = np.stack([noise(11, 0.2)[:length], noise(12, 0.2)[:length]])
    left, centre, right = upmix(pair, RATE)
    assert left.shape == (length,)
    assert np.allclose(np.stack([left + centre, right + centre]), pair, rtol=0, atol=1e-12)
