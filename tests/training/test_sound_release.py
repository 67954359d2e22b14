"""Thresholds and margins of audio_artifacts, on made-up judgements of clean recordings."""

from __future__ import annotations

import numpy as np

from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.training.audio_artifacts.programmes import Programme
from defectscope.training.audio_artifacts.release import (
    choose_margin,
    choose_thresholds,
    clean_table,
    false_alarms,
)
from defectscope.training.scores import Platt

FITS = {name: Platt(1.0, 0.0) for name in CLASSES}


def _clean(peaks: list[float]) -> list[Programme]:
    """Gives recordings of two minutes, each of which once seems to click as surely as it says."""
    out: list[Programme] = []
    for number, peak in enumerate(peaks):
        logits = np.full((240, 4), -6.0)
        logits[100:102, CLASSES.index("audio_clicks")] = peak
        starts_s = np.arange(240) / 2
        out.append(Programme(f"mine/{number:02d}", "mine", starts_s, logits, 120.0))
    return out


def _count(clean: list[Programme], thresholds: dict[str, float]) -> int:
    return sum(false_alarms(clean, FITS, thresholds)["all"]["findings"].values())


def test_thresholds_keep_to_what_clean_sound_allows() -> None:
    clean = _clean([1.0, 2.0, 2.5, 3.0, 3.5])
    # Ten minutes: 0.3 findings of a defect are none.
    thresholds = choose_thresholds(clean, FITS, 0.0)
    assert _count(clean, thresholds) == 0
    assert 0.97 < thresholds["audio_clicks_enter"] < 0.98
    assert thresholds["audio_hum_enter"] < 0.6
    wider = choose_thresholds(clean, FITS, 1.0)
    assert all(wider[k] > v for k, v in thresholds.items() if not k.endswith("leave"))


def test_a_margin_is_chosen_on_recordings_that_chose_no_thresholds() -> None:
    assert choose_margin(_clean([-6.0] * 10), FITS) == 0.0
    # Two recordings of one fifth are far surer than the others, three times each: thresholds that
    # the other four fifths choose let all of it pass, and two findings in ten minutes are allowed.
    peaks = [1.0] * 10
    peaks[3] = peaks[8] = 4.0
    clean = _clean(peaks)
    for number in (3, 8):
        for place in (20, 60):
            clean[number].logits[place : place + 2, CLASSES.index("audio_clicks")] = 4.0
    assert choose_margin(clean, FITS) > 1.0


def test_without_a_whole_recording_rates_are_unknown() -> None:
    counted = false_alarms([], FITS, choose_thresholds([], FITS, choose_margin([], FITS)))
    assert counted["all"]["per_10_min"] is None
    assert counted["all"]["per_10_min_upper_95"] is None
    assert "| 0 | 0.0 |" in clean_table({"clean_programmes": counted})
    assert "unknown" in clean_table({"clean_programmes": counted})
