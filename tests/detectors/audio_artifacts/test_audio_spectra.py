from __future__ import annotations

import numpy as np
import pytest
from scipy import signal

from defectscope.detectors.audio_artifacts import spectra as s
from defectscope.detectors.audio_artifacts.grid import Resampler

SPECTRA = ("mel", "lines", "fast", "levels")


def _padded(blocks: int, seed: int = 0) -> np.ndarray:
    length = s.MARGIN_BEFORE + blocks * s.BLOCK + s.MARGIN_AFTER
    return (np.random.default_rng(seed).standard_normal(length) * 0.1).astype(np.float32)


def test_a_block_alone_is_the_block_among_others() -> None:
    sound = _padded(4)
    whole = s.measure(sound, 4)
    for number in range(4):
        part = sound[number * s.BLOCK :][: s.MARGIN_BEFORE + s.BLOCK + s.MARGIN_AFTER]
        alone = s.measure(part)
        for name in SPECTRA:
            frame = getattr(alone, name)
            size = len(frame)
            expected = getattr(whole, name)[number * size : (number + 1) * size]
            assert np.allclose(frame, expected, atol=2e-6), name


def test_a_window_holds_only_frames_inside_it() -> None:
    """What follows a window must not reach into it: it may not have been decoded."""
    sound = _padded(2)
    end = s.MARGIN_BEFORE + 2 * s.BLOCK
    other = sound.copy()
    other[end + 1 :] = 0.7
    one, two = s.measure(sound, 2).window(0.0), s.measure(other, 2).window(0.0)
    assert one.mel.shape == (s.MEL_FRAMES, s.MELS, s.MEL_LAYERS)
    assert one.lines.shape == (s.LINE_FRAMES, s.LINES)
    assert one.fast.shape == (s.FAST_FRAMES, 4)
    assert one.levels.shape == (s.LEVEL_CHUNKS, s.LEVELS, s.LEVEL_LAYERS)
    assert np.array_equal(one.mel, two.mel)
    assert np.array_equal(one.levels, two.levels)
    assert np.array_equal(one.fast, two.fast)
    # The decimating filter reaches 12 ms further; its window has faded out there.
    assert np.abs(one.lines - two.lines).max() < 0.02


def test_a_tone_shows_in_its_line_and_its_band() -> None:
    at = np.arange(len(_padded(2))) / s.RATE_HZ
    frames = s.measure((0.5 * np.sin(2 * np.pi * 100.0 * at)).astype(np.float32), 2)
    spacing_hz = s.RATE_HZ / s.LINE_DECIMATION / s.LINE_FRAME
    assert np.all(np.abs(frames.lines.argmax(axis=1) * spacing_hz - 100.0) < spacing_hz)
    # A sine of half of full scale: a quarter of the power of a full one, -0.6 in log10.
    assert frames.lines.max() == pytest.approx(-0.6, abs=0.15)
    high = s.measure((0.5 * np.sin(2 * np.pi * 8000.0 * at)).astype(np.float32), 2)
    assert high.mel[:, :, 0].argmax(axis=1).min() > 44


def test_levels_count_every_sample_once_and_find_the_ceiling() -> None:
    sound = np.clip(_padded(2) * 5, -0.5, 0.5)
    levels = s.measure(sound, 2).levels[:, :, 0]
    assert (levels.sum(axis=1) == s.LEVEL_CHUNK).all()
    ceiling = int(np.flatnonzero(levels.sum(axis=0))[0])
    assert ceiling == int(-20 * np.log10(0.5) / s.LEVEL_STEP_DB)
    assert levels.sum(axis=0)[ceiling] > 5 * levels.sum(axis=0)[ceiling + 1]


def test_flatness_tells_noise_from_tones() -> None:
    noise = s.measure(_padded(2), 2).mel[:, :, 1]
    at = np.arange(len(_padded(2))) / s.RATE_HZ
    tones = sum(np.sin(2 * np.pi * hz * at) for hz in (3000, 5000, 8000))
    comb = s.measure((0.1 * tones).astype(np.float32), 2).mel[:, :, 1]
    # Mean logarithm of an exponentially spread power: -0.577 / ln 10; windows smear it a little.
    assert noise[:, 50:].mean() == pytest.approx(-0.25, abs=0.05)
    assert comb.min() < -1.5
    assert noise.max() < 1e-3


def test_a_waveform_bends_less_under_a_ceiling() -> None:
    at = np.arange(len(_padded(2))) / s.RATE_HZ
    wave = np.sin(2 * np.pi * 300 * at) + 0.3 * np.sin(2 * np.pi * 1100 * at)
    bends = []
    for sound in (wave, np.tanh(3 * wave)):
        levels = s.measure((0.5 * sound / np.abs(sound).max()).astype(np.float32), 2).levels
        counts, inward, _ = levels.sum(axis=0).T
        top = int(np.flatnonzero(counts)[0])
        upper, whole = slice(top, top + 2), slice(top, top + 20)
        bends.append(
            (inward[upper].sum() / counts[upper].sum())
            / (inward[whole].sum() / counts[whole].sum())
        )
    assert bends[1] < 0.5 * bends[0]


def test_digital_silence_is_finite() -> None:
    silence = s.measure(np.zeros(s.MARGIN_BEFORE + s.BLOCK + s.MARGIN_AFTER, np.float32))
    assert all(np.isfinite(getattr(silence, name)).all() for name in SPECTRA)


def test_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="wants"):
        s.measure(np.zeros(1000, np.float32))


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 32000, 44100, 47999, 48000, 96000])
def test_resampling_does_not_depend_on_how_sound_arrives(rate_hz: int) -> None:
    rng = np.random.default_rng(rate_hz)
    sound = rng.standard_normal(int(rate_hz * 2.3)).astype(np.float32)

    def cells(edges: list[int]) -> dict[int, np.ndarray]:
        tool = Resampler(rate_hz)
        out: dict[int, np.ndarray] = {}
        for a, b in zip([0, *edges], [*edges, len(sound)], strict=True):
            out |= dict(tool.push(a, sound[a:b]))
        return out | dict(tool.finish())

    whole = cells([])
    assert sorted(whole) == [0, 1, 2, 3, 4]
    for _ in range(2):
        edges = sorted(rng.integers(0, len(sound), 9).tolist())
        cut = cells(edges)
        assert sorted(cut) == sorted(whole)
        assert all(np.array_equal(cut[k], whole[k]) for k in whole)
    expected = signal.resample_poly(sound, s.RATE_HZ, rate_hz)
    got = np.concatenate([whole[k] for k in range(4)])[: len(expected)]
    # A rate that shares no factor gets a filter of another length: compare all but those.
    if rate_hz in (8000, 16000, 32000, 44100, 48000, 96000):
        assert np.abs(got - expected[: len(got)]).max() < 2e-4


def test_resampling_starts_anywhere_and_gives_the_same() -> None:
    sound = np.random.default_rng(1).standard_normal(48000 * 4).astype(np.float32)
    whole = dict(Resampler(48000).push(0, sound))
    start = 48000 + 777
    late = dict(Resampler(48000).push(start, sound[start:]))
    # The first cells lack what came before; from the next on nothing differs.
    assert min(late) == 2
    shared = [k for k in late if k >= 3 and k in whole]
    assert len(shared) >= 4
    assert all(np.array_equal(late[k], whole[k]) for k in shared)


def test_a_long_gap_restarts_the_grid_and_a_short_one_is_silence() -> None:
    tool = Resampler(32000)
    ones = np.ones(32000, np.float32)
    out = dict(tool.push(0, ones)) | dict(tool.push(48000, ones))
    assert not out[2].any()
    out = dict(tool.push(32000 * 100, ones)) | dict(tool.finish())
    assert min(k for k in out if k > 10) == 200
    assert out[200].all()


def test_samples_before_the_first_frame_are_left_out() -> None:
    tool = Resampler(32000)
    sound = np.arange(40000, dtype=np.float32)
    out = dict(tool.push(-8000, sound))
    assert out[0][0] == 8000
