"""Hum that comes and goes within seconds: a passing note's, or a supply's after all."""

from __future__ import annotations

import numpy as np
import pytest

from defectscope.detectors.audio_artifacts import brief
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import STEP_S, Run

COUNT = 80
STARTS_S = np.arange(COUNT) * STEP_S
SHORT = round(brief.BRIEF_S / STEP_S) - 1


def _columns(note_db: float) -> dict[str, np.ndarray]:
    return {"note": np.full(COUNT, note_db * DECIBEL_SCALE)}


def test_a_brief_run_beside_a_note_is_dropped() -> None:
    run = Run(30, 30 + SHORT, 3.0)
    assert brief.lasting([run], _columns(brief.NOTE_DB), STARTS_S) == []
    assert brief.lasting([run], _columns(brief.NOTE_DB - 0.1), STARTS_S) == [run]


@pytest.mark.parametrize("first", [0, COUNT - SHORT])
def test_at_the_ends_nobody_knows_how_long_it_lasted(first: int) -> None:
    run = Run(first, first + SHORT, 3.0)
    assert brief.lasting([run], _columns(10.0), STARTS_S) == [run]


@pytest.mark.parametrize("edge", [30, 30 + SHORT])
def test_a_break_of_the_sound_is_an_end(edge: int) -> None:
    starts_s = STARTS_S + np.where(np.arange(COUNT) >= edge, 2.0, 0.0)
    run = Run(30, 30 + SHORT, 3.0)
    assert brief.lasting([run], _columns(10.0), starts_s) == [run]


def test_a_sure_one_is_kept_beside_a_note() -> None:
    run = Run(30, 30 + SHORT, brief.ENOUGH)
    assert brief.lasting([run], _columns(10.0), STARTS_S) == [run]


def test_what_lasts_is_kept_beside_a_note() -> None:
    run = Run(30, 31 + SHORT, 3.0)
    assert brief.lasting([run], _columns(10.0), STARTS_S) == [run]
