"""Hum of 400 Hz: a line that keeps its place for seconds is one, a note there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze
from defectscope.detectors.audio_artifacts import supply
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.findings import Interval
from defectscope.simulate.synthetic.soundscape import speech_like

RATE_HZ, SLOW_HZ = 48_000, 2_000
LENGTH_S = 3.0


def _line(hz: float, rise_db: float = 0.0, glide_hz: float = 0.0) -> np.ndarray:
    """Returns three seconds of a line over soft noise."""
    seconds = np.arange(round(LENGTH_S * SLOW_HZ)) / SLOW_HZ
    phase = 2 * np.pi * np.cumsum(hz + glide_hz * seconds / LENGTH_S) / SLOW_HZ
    gain = 10 ** (rise_db * seconds / LENGTH_S / 20)
    noise = np.random.default_rng(1).standard_normal(len(seconds))
    return (0.1 * gain * np.sin(phase) + 0.01 * noise).astype(np.float32)


@pytest.mark.parametrize("hz", [396.0, 400.0, 403.5])
def test_a_supply_keeps_its_line(hz: float) -> None:
    assert supply.steady_line(_line(hz)) > supply.LEAST_DB


@pytest.mark.parametrize(
    "sound",
    [
        _line(392.0),
        _line(415.3),
        _line(400.0, glide_hz=3.0),
        _line(400.0, rise_db=12.0),
        _line(400.0)[: 2 * SLOW_HZ],
        _line(150.0),
    ],
    ids=["g", "g sharp", "gliding", "swelling", "two seconds", "another"],
)
def test_what_else_sounds_there_is_none(sound: np.ndarray) -> None:
    assert supply.steady_line(sound) == 0.0


def test_a_line_that_stays_is_likelier_hum_than_not() -> None:
    over_db = np.concatenate(
        [
            np.full(supply.LEAST_STEPS, supply.LEAST_DB - 1),
            np.full(supply.LEAST_STEPS, supply.LEAST_DB),
        ]
    )
    odds = supply.raised(
        np.full(len(over_db), -6.0), {"supply": over_db * DECIBEL_SCALE}, DECIBEL_SCALE
    )
    assert (odds == np.repeat([-6.0, supply.LOG_ODDS], supply.LEAST_STEPS)).all()


def test_a_note_of_another_tuning_does_not_stay() -> None:
    held = np.full(supply.LEAST_STEPS - 1, supply.LEAST_DB + 15)
    columns = {"supply": np.concatenate([held, np.zeros(9), held]) * DECIBEL_SCALE}
    odds = np.full(2 * len(held) + 9, -6.0)
    assert (supply.raised(odds, columns, DECIBEL_SCALE) == odds).all()


def test_it_is_found_under_a_voice(tmp_path: Path) -> None:
    sound = speech_like(3, 14.0, RATE_HZ)[:, 0].astype(np.float64)
    seconds = np.arange(10 * RATE_HZ) / RATE_HZ
    whine = sum(np.sin(2 * np.pi * 398.5 * k * seconds) / k for k in (1, 2, 3))
    sound[2 * RATE_HZ : 12 * RATE_HZ] += 0.8 * np.sqrt(np.mean(sound**2)) * whine
    soundfile.write(tmp_path / "clip.wav", sound, RATE_HZ)
    report = analyze(tmp_path / "clip.wav", detectors=["audio_artifacts"])
    hums = [Interval(f.start_s, f.end_s) for f in report.findings if f.defect == "audio_hum"]
    assert sum(hum.intersection_s(Interval(2.0, 12.0)) for hum in hums) > 8.0
    assert all(hum.start_s >= 1.0 and hum.end_s <= 13.0 for hum in hums)
