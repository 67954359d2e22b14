"""Buffers heard again: what shows them, and what equals its own past without being one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze
from defectscope.detectors.audio_artifacts import impulse, moments, repeats
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import Run
from defectscope.detectors.audio_artifacts.spectra import BLOCK, MARGIN_AFTER, RATE_HZ
from defectscope.simulate.synthetic.soundscape import speech_like
from defectscope.training.audio_artifacts.coding import resample

LENGTH = repeats.LEAD + BLOCK + MARGIN_AFTER
AT = repeats.LEAD + BLOCK // 4


def _voice(count: int, seed: int = 3) -> np.ndarray:
    """Returns pulses of a wandering pitch through two formants, a little breath on them, (n,)."""
    rng = np.random.default_rng(seed)
    at = np.arange(count) / RATE_HZ
    pitch = (
        120
        + 15 * np.sin(2 * np.pi * 3 * at)
        + np.interp(at, at[::800], 4 * rng.standard_normal(len(at[::800])))
    )
    pulses = np.diff(np.floor(np.cumsum(pitch) / RATE_HZ), prepend=0.0)
    ring = np.arange(400) / RATE_HZ
    body = sum(np.exp(-ring * 300) * np.sin(2 * np.pi * hz * ring) for hz in (600, 1400))
    breath = np.convolve(rng.standard_normal(count + 7), np.hanning(8), "valid")
    return 0.2 * np.convolve(pulses, body)[:count] + 0.004 * breath


def _best(sound: np.ndarray) -> np.ndarray:
    padded = sound.astype(np.float32)
    over_db, at = moments.stand_out(padded[repeats.LEAD - moments.LEAD :])
    return repeats.repeated(padded, over_db, at)


def _again(sound: np.ndarray, ms: float, back: int) -> np.ndarray:
    """Returns a sound with one buffer that holds what sounded so many buffers before."""
    out, length = sound.copy(), round(ms * RATE_HZ / 1000)
    out[AT : AT + length] = sound[AT - back * length : AT - (back - 1) * length]
    return out


@pytest.mark.parametrize(("ms", "back"), [(10, 1), (21.3, 1), (32, 1), (42, 3), (10, 3)])
def test_a_buffer_heard_again_is_proved_in_its_quarter(ms: float, back: int) -> None:
    both = [_best(_again(_voice(LENGTH, seed), ms, back)) for seed in range(4)]
    # Where a voice's own pulses hide both its ends, a buffer is missed.
    assert sum(first > impulse.AGAIN_DB for first, _ in both) >= 2
    assert all(second < impulse.AGAIN_DB for _, second in both)


def test_at_a_rate_of_the_device_the_buffer_is_no_whole_number_of_samples() -> None:
    sound = _voice(LENGTH)
    length, at = 1024 * RATE_HZ / 48000, np.arange(LENGTH, dtype=float)
    inside = (at >= AT) & (at < AT + length)
    # Noise alone would differ between samples: what a converter passes is limited in band.
    smooth = np.convolve(sound, np.hanning(9) / np.hanning(9).sum(), "same")
    out = np.where(inside, np.interp(at - length, at, smooth), smooth)
    assert _best(out)[0] > impulse.AGAIN_DB - 10


@pytest.mark.parametrize("seed", range(6))
def test_a_voice_is_no_buffer(seed: int) -> None:
    assert (_best(_voice(LENGTH, seed)) < impulse.AGAIN_DB).all()


@pytest.mark.parametrize(("seed", "seconds"), [(5, 2.2), (109, 6.0)])
def test_a_voice_whose_period_drifts_is_no_buffer(seed: int, seconds: float) -> None:
    # One side of a pulse equals its past at the very lag, the other at one that is a little longer.
    voice = resample(speech_like(seed, seconds, 48000)[:, 0], 48000, RATE_HZ)
    padded = np.concatenate([np.zeros(repeats.LEAD), voice, np.zeros(LENGTH)])
    best = [_best(padded[first : first + LENGTH]).max() for first in range(0, len(voice), BLOCK)]
    assert max(best) < impulse.AGAIN_DB


def test_a_held_note_equals_its_past_on_both_sides() -> None:
    at = np.arange(LENGTH) / RATE_HZ
    note = sum(np.sin(2 * np.pi * k * 250 * at + k) / k for k in range(1, 12))
    assert (_best(0.2 * note) < impulse.AGAIN_DB).all()
    note[AT] += 0.5
    assert (_best(0.2 * note) < impulse.AGAIN_DB).all()


@pytest.mark.parametrize("louder", [1.0, 2.0, 6.0])
def test_a_note_that_sets_in_over_a_held_one_is_no_buffer(louder: float) -> None:
    at = np.arange(LENGTH) / RATE_HZ
    held, new = (
        sum(np.sin(2 * np.pi * k * hz * at + k) / k for k in range(1, 12)) for hz in (250, 331.7)
    )
    sound = 0.1 * held
    sound[AT:] += louder * 0.1 * new[AT:] * np.exp(-(at[AT:] - at[AT]) / 0.3)
    assert (_best(sound) < impulse.AGAIN_DB).all()


@pytest.mark.parametrize("hz", [180, 250, 331.7])
def test_a_tone_that_ends_amid_other_sound_is_no_buffer(hz: float) -> None:
    at = np.arange(LENGTH) / RATE_HZ
    tone = sum(np.sin(2 * np.pi * k * hz * at + k) / k for k in range(1, 12))
    tone[AT:] = 0.0
    noise = np.convolve(np.random.default_rng(3).standard_normal(LENGTH + 7), np.hanning(8))
    # After it the noise alone, before it the tone alone: a break at which nothing is heard again.
    sound = 0.1 * tone
    sound[AT:] += 0.01 * noise[AT:LENGTH]
    assert (_best(sound) < impulse.AGAIN_DB).all()


def test_a_buffer_as_long_as_the_lead_allows_is_proved_at_the_very_first_break() -> None:
    sound, length = _voice(LENGTH), repeats.LEAD // 2 - 50
    begin = repeats.LEAD + 40 - length
    sound[begin : begin + length] = sound[begin - length : begin]
    sound[begin + length] += 0.5
    assert _best(sound)[0] > impulse.AGAIN_DB


def test_a_drum_machine_plays_its_sample_after_silence() -> None:
    ring = np.arange(RATE_HZ // 20) / RATE_HZ
    hit = np.random.default_rng(8).uniform(-1, 1, len(ring)) * np.exp(-ring / 0.005)
    sound = np.zeros(LENGTH)
    for start in range(0, LENGTH - len(hit), RATE_HZ // 10):
        sound[start : start + len(hit)] += 0.5 * hit
    assert (_best(sound) < impulse.AGAIN_DB).all()


def test_silence_has_none_and_a_wrong_length_is_refused() -> None:
    assert _best(np.zeros(LENGTH)).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="samples"):
        repeats.repeated(np.zeros(LENGTH - 1, np.float32), np.zeros(2), np.zeros(2, np.int64))


def test_a_buffer_heard_again_needs_no_moment() -> None:
    sure = round(impulse.AGAIN_DB * DECIBEL_SCALE)
    columns = {"isolated": np.zeros(4, np.int16), "repeated": np.array([0, sure - 1, sure, 0])}
    runs = [Run(0, 2, 9.0), Run(1, 3, 9.0)]
    assert impulse.confirmed(runs, columns, np.full(4, -9.0)) == runs[1:]
    assert impulse.raised(np.full(4, -9.0), columns).tolist() == [-9, -9, impulse.LOG_ODDS, -9]


def test_it_is_found_where_it_is(tmp_path: Path) -> None:
    sound = _voice(6 * RATE_HZ)
    start, length = round(3.1 * RATE_HZ), round(0.03 * RATE_HZ)
    sound[start : start + length] = sound[start - length : start]
    soundfile.write(tmp_path / "again.wav", sound.astype(np.float32), RATE_HZ, subtype="FLOAT")
    report = analyze(tmp_path / "again.wav", detectors=["audio_artifacts"])
    spans = [(f.start_s, f.end_s) for f in report.findings if f.defect == "audio_clicks"]
    assert any(a - 0.05 <= 3.1 <= b + 0.05 and b - a < 1.0 for a, b in spans)
