"""Moments that stand out: what they are, what is none, what they say of clicks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze
from defectscope.detectors.audio_artifacts import impulse
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import STEP_S, Run
from defectscope.detectors.audio_artifacts.moments import AT_AN_END_DB, LEAD, of_quarters, stand_out
from defectscope.detectors.audio_artifacts.spectra import BLOCK, MARGIN_AFTER, RATE_HZ

LENGTH = LEAD + BLOCK + MARGIN_AFTER
AT = LEAD + BLOCK // 4


def _programme(seconds: float, noise: float = 0.003) -> np.ndarray:
    """Returns a chord that breathes over a little soft noise, (n,)."""
    rng = np.random.default_rng(5)
    count = round(seconds * RATE_HZ)
    at = np.arange(count) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * at + hz) / hz**0.5 for hz in (220, 277.2, 329.6, 660))
    hiss = np.convolve(rng.standard_normal(count + 7), np.hanning(8), "valid")
    return 0.6 * chord * (1 + 0.3 * np.sin(2 * np.pi * 2 * at)) + noise * hiss


def isolated(padded: np.ndarray) -> np.ndarray:
    """Returns how far the most isolated moment of both quarters stands out, dB, (2,)."""
    return of_quarters(stand_out(padded)[0])


def _hit(decay_s: float) -> np.ndarray:
    """Returns a drum: noise that begins at once and rings on."""
    at = np.arange(RATE_HZ // 4) / RATE_HZ
    return np.random.default_rng(8).uniform(-1, 1, len(at)) * np.exp(-at / decay_s)


@pytest.mark.parametrize("width", [1, 3, 32])
def test_a_click_stands_out_alone_in_its_quarter(width: int) -> None:
    sound = _programme(LENGTH / RATE_HZ)
    sound[AT : AT + width] += 0.3 * np.sin(np.pi * np.arange(1, width + 1) / (width + 1))
    first, second = isolated(sound.astype(np.float32))
    assert first > impulse.LEAST_DB
    assert second < impulse.LEAST_DB


def test_one_sample_is_sure() -> None:
    sound = _programme(LENGTH / RATE_HZ, noise=0.0005)
    sound[AT] += 0.4
    assert isolated(sound.astype(np.float32))[0] > impulse.SURE_DB


@pytest.mark.parametrize("decay_s", [0.015, 0.03, 0.1])
def test_a_drum_rings_on_and_stands_out_of_nothing(decay_s: float) -> None:
    sound = _programme(LENGTH / RATE_HZ)
    sound[AT : AT + RATE_HZ // 4] += 0.4 * _hit(decay_s)
    assert isolated(sound.astype(np.float32)).max() < impulse.LEAST_DB


def test_silence_has_no_moments_and_a_wrong_length_is_refused() -> None:
    assert isolated(np.zeros(LENGTH, np.float32)).tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="samples"):
        isolated(np.zeros(LENGTH - 1, np.float32))


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_cut_to_silence_is_never_sure(side: str) -> None:
    sound = _programme(LENGTH / RATE_HZ, noise=0.0005) + 0.3
    sound[:AT] = 0.0 if side == "before" else sound[:AT]
    sound[AT:] = 0.0 if side == "after" else sound[AT:]
    assert isolated(sound.astype(np.float32))[0] <= AT_AN_END_DB < impulse.SURE_DB


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_low_tone_that_is_cut_off_is_never_sure(side: str) -> None:
    # Prediction leaves less than one step of it, as of silence.
    at = np.arange(LENGTH) / RATE_HZ
    sound = np.round(2000 * np.sin(2 * np.pi * 55 * at + 1)) / 32768
    cut = slice(0, AT) if side == "before" else slice(AT, None)
    sound[cut] = 0.0
    assert 0 < isolated(sound.astype(np.float32))[0] <= AT_AN_END_DB


def test_a_click_amid_silence_is_sure() -> None:
    sound = np.zeros(LENGTH, np.float32)
    sound[AT] = 0.1
    assert isolated(sound)[0] > impulse.SURE_DB


def test_a_click_amid_silence_is_sure_where_a_soft_low_tone_sets_in_with_it() -> None:
    at = np.arange(LENGTH)
    sound = np.round(40 * np.sin(at * 0.01)) / 32768
    sound[:AT] = 0.0
    sound[AT] = 0.4
    # What sounds later in the block makes the tone foretold.
    sound[AT + BLOCK // 4 :] = 0.3 * np.sin(at[AT + BLOCK // 4 :] * 0.01)
    assert isolated(sound.astype(np.float32))[0] > impulse.SURE_DB


def test_runs_without_a_moment_are_dropped_and_sure_ones_raised() -> None:
    least, sure = (round(db * DECIBEL_SCALE) for db in (impulse.LEAST_DB, impulse.SURE_DB))
    columns = {"isolated": np.array([0, least - 1, least, 0, sure], np.int16)}
    columns["repeated"] = np.zeros(5, np.int16)
    runs = [Run(0, 2, 9.0), Run(1, 3, 9.0), Run(3, 4, 14.9), Run(3, 4, impulse.ENOUGH)]
    assert impulse.confirmed(runs, columns, np.ones(5)) == [runs[1], runs[3]]
    odds = impulse.raised(np.array([-9.0, -9.0, -9.0, 7.0, -9.0]), columns)
    assert odds.tolist() == [-9.0, -9.0, -9.0, 7.0, impulse.LOG_ODDS]


def test_a_run_in_which_clicks_are_nowhere_likely_is_dropped() -> None:
    columns = {"isolated": np.full(4, 300, np.int16), "repeated": np.zeros(4, np.int16)}
    runs = [Run(0, 2, 9.0), Run(2, 4, 9.0)]
    odds = impulse.LEAST_LOG_ODDS + np.array([-0.5, -0.1, -1.0, 0.0])
    assert impulse.confirmed(runs, columns, odds) == runs[1:]


def test_where_the_whole_programme_has_moments_more_is_asked_for() -> None:
    outside = round(impulse.OUTSIDE_S / STEP_S)
    isolated = np.full(outside + 2, impulse.LEAST_DB * DECIBEL_SCALE + 1)
    columns = {"isolated": isolated, "repeated": np.zeros(len(isolated))}
    runs = [Run(0, 2, impulse.ENOUGH - 0.1), Run(0, 2, impulse.ENOUGH)]
    odds = np.ones(len(isolated))
    assert impulse.confirmed(runs, columns, odds) == runs[1:]
    # A second less outside, and nobody knows how the programme sounds.
    short = {name: values[:-4] for name, values in columns.items()}
    assert impulse.confirmed(runs, short, odds[:-4]) == runs
    # A programme that has them in half of its time.
    columns["isolated"][2 : 2 + outside // 2] = 0
    assert impulse.confirmed(runs, columns, odds) == runs


def _clicks(path: Path, sound: np.ndarray) -> list[tuple[float, float]]:
    soundfile.write(path, sound.astype(np.float32), RATE_HZ, subtype="FLOAT")
    report = analyze(path, detectors=["audio_artifacts"])
    return [(f.start_s, f.end_s) for f in report.findings if f.defect == "audio_clicks"]


def test_a_single_sample_is_found_where_it_is(tmp_path: Path) -> None:
    sound = 0.3 * _programme(6, noise=0.0005)
    sound[round(3.1 * RATE_HZ)] += 0.25
    ((start_s, end_s),) = _clicks(tmp_path / "click.wav", sound)
    assert start_s - 0.05 <= 3.1 <= end_s + 0.05
    assert end_s - start_s < 0.6


def test_a_file_that_begins_and_ends_amid_the_sound_has_no_clicks(tmp_path: Path) -> None:
    assert _clicks(tmp_path / "cut.wav", 0.3 * _programme(6) + 0.1) == []
