"""Combs of the mains that stand by themselves: what proves one, what takes it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze
from defectscope.detectors.audio_artifacts import combs
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE, LOGIT_SCALE
from defectscope.detectors.audio_artifacts.decision import STEP_S
from defectscope.detectors.audio_artifacts.spectra import RATE_HZ

COUNT = combs.LEAST_STEPS + 4
SHOWN = slice(2, 2 + combs.LEAST_STEPS)


def _columns() -> dict[str, Any]:
    """Returns what is measured where a comb stands for just long enough."""
    columns = {
        "lines": np.full(COUNT, 5 * DECIBEL_SCALE),
        "lines_beyond": np.zeros(COUNT),
        "skirt": np.zeros(COUNT),
        "note": np.zeros(COUNT),
        "logit_audio_hum": np.full(COUNT, -3 * LOGIT_SCALE),
    }
    columns["lines"][SHOWN] = combs.LEAST_LINES_DB * DECIBEL_SCALE
    columns["lines_beyond"][SHOWN] = combs.LEAST_BEYOND_DB * DECIBEL_SCALE
    columns["logit_audio_hum"][4] = combs.LEAST_LOGIT * LOGIT_SCALE
    return columns


def _standing(columns: dict[str, Any], starts_s: np.ndarray | None = None) -> np.ndarray:
    return combs.standing(columns, np.arange(COUNT) * STEP_S if starts_s is None else starts_s)


def test_a_comb_that_stands_by_itself_is_hum() -> None:
    shown = np.zeros(COUNT, bool)
    shown[SHOWN] = True
    assert (_standing(_columns()) == shown).all()
    odds = combs.raised(np.full(COUNT, -6.0), _columns(), np.arange(COUNT) * STEP_S)
    assert (odds == np.where(shown, combs.LOG_ODDS, -6.0)).all()


@pytest.mark.parametrize(
    ("name", "row", "value"),
    [
        ("lines", 3, combs.LEAST_LINES_DB * DECIBEL_SCALE - 1),
        ("lines_beyond", 2, combs.LEAST_BEYOND_DB * DECIBEL_SCALE - 1),
        ("skirt", 4, combs.MOST_SKIRT_DB * DECIBEL_SCALE + 1),
        ("note", 5, combs.MOST_NOTE_DB * DECIBEL_SCALE + 1),
        ("logit_audio_hum", 4, combs.LEAST_LOGIT * LOGIT_SCALE - 1),
    ],
)
def test_one_thing_less_and_it_is_none(name: str, row: int, value: float) -> None:
    columns = _columns()
    columns[name][row] = value
    assert not _standing(columns).any()


def test_steps_on_both_sides_of_a_gap_are_not_on_end() -> None:
    starts_s = np.arange(COUNT) * STEP_S
    starts_s[4:] += 2.0
    assert not _standing(_columns(), starts_s).any()


def test_hum_beside_a_bass_note_is_found_where_it_is(tmp_path: Path) -> None:
    at = np.arange(8 * RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(4)
    # A low B stands throughout, 1.7 Hz above the mains.
    sound = 0.1 * np.sin(2 * np.pi * 61.74 * at) + 0.01 * rng.standard_normal(len(at))
    inside = (at >= 2) & (at < 5)
    hum = sum(np.sin(2 * np.pi * 60 * k * at + k) / k for k in range(1, 9))
    clean, bad = tmp_path / "clean.wav", tmp_path / "bad.wav"
    soundfile.write(clean, sound.astype(np.float32), RATE_HZ, subtype="FLOAT")
    mixed = sound + 0.06 * hum * inside
    soundfile.write(bad, mixed.astype(np.float32), RATE_HZ, subtype="FLOAT")
    said = {
        path: [f for f in analyze(path, detectors=["audio_artifacts"]).findings
               if f.defect == combs.DEFECT]
        for path in (clean, bad)
    }  # fmt: skip
    assert said[clean] == []
    assert any(f.start_s < 4 and f.end_s > 3 for f in said[bad])
