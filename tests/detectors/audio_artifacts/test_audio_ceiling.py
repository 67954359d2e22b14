"""A ceiling that needs no learned evidence: what proves it, what does not, what becomes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze
from defectscope.detectors.audio_artifacts import ceiling
from defectscope.detectors.audio_artifacts.analysis import DECIBEL_SCALE
from defectscope.detectors.audio_artifacts.decision import STEP_S, Run


def test_a_heap_of_peaks_and_corners_are_asked_for_together() -> None:
    enough = ceiling.LEAST_TOPS * DECIBEL_SCALE, ceiling.LEAST_CORNERS
    columns = {
        "tops": np.array([enough[0], enough[0] - 1, enough[0], 900.0]),
        "corners": np.array([enough[1], 500, enough[1] - 1, 0]),
    }
    assert ceiling.under_a_ceiling(columns).tolist() == [True, False, False, False]


def test_a_ceiling_makes_a_run_and_its_evidence_suffice() -> None:
    under = np.array([False, False, True, False])
    odds = ceiling.raised(np.array([-6.0, 9.0, -6.0, -6.0]), under)
    assert odds.tolist() == [-6.0, 9.0, ceiling.LOG_ODDS, -6.0]
    found = [Run(0, 2, 1.0), Run(2, 4, 1.0), Run(1, 3, 99.0)]
    assert [r.evidence for r in ceiling.proved(found, under, 25.0)] == [1.0, 25.0, 99.0]


def test_peaks_in_no_heap_need_more_evidence() -> None:
    columns = {"tops": np.zeros(12)}
    columns["tops"][4] = ceiling.LEAST_TOPS * DECIBEL_SCALE
    found = [Run(0, 4, 29.9), Run(0, 4, ceiling.ENOUGH), Run(2, 6, 20.0), Run(5, 12, 29.9)]
    assert ceiling.supported(found, columns) == found[1:3]


@pytest.mark.parametrize(("share", "stays"), [(0.0, False), (0.2, False), (0.4, True)])
def test_a_whole_programme_of_distortion_needs_heaps_again_and_again(
    share: float, stays: bool
) -> None:
    count = round(ceiling.LONG_S / STEP_S) + 1
    tops = np.where(np.arange(count) < share * count, ceiling.LEAST_TOPS * DECIBEL_SCALE, 0.0)
    run = Run(0, count, 99.0)
    assert ceiling.supported([run], {"tops": tops}) == ([run] if stays else [])


@pytest.mark.parametrize("sensitivity", ["low", "normal"])
def test_a_second_clipped_at_the_microphone_is_found(tmp_path: Path, sensitivity: str) -> None:
    rate_hz = 44100
    at = np.arange(rate_hz * 3 // 2) / rate_hz
    pitch = np.cumsum(140 + 20 * np.sin(2 * np.pi * 2 * at)) / rate_hz
    voice = sum(np.sin(2 * np.pi * k * pitch + k * k) / k for k in range(1, 20))
    voice = voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at))
    plain = 0.5 * voice / np.abs(voice).max()
    said = {}
    for name, sound in {"plain": plain, "clipped": np.clip(plain * 6, -0.9, 0.9)}.items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, sound, rate_hz)
        settings = {"audio_artifacts": {"sensitivity": sensitivity}}
        report = analyze(path, detectors=["audio_artifacts"], parameters=settings)
        said[name] = {f.defect for f in report.findings}
    assert "audio_distortion" in said["clipped"]
    assert "audio_distortion" not in said["plain"]
