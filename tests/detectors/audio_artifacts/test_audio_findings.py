"""Two seconds of plain hum or hiss in a clean programme are found where they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from defectscope.analysis import analyze
from defectscope.findings import Interval, Report
from defectscope.simulate.synthetic.soundscape import speech_like

RATE_HZ = 48_000
SPAN = Interval(2.0, 4.0)


def _programme(added: np.ndarray | None, tmp_path: Path) -> Report:
    """Writes six seconds of a voice with something added from 2 to 4 s, and analyzes it."""
    sound = speech_like(3, 6.0, RATE_HZ)[:, 0].astype(np.float64)
    if added is not None:
        own = np.sqrt(np.mean(sound**2))
        inside = added * own / np.sqrt(np.mean(added**2))
        sound[2 * RATE_HZ : 4 * RATE_HZ] += inside * 10 ** (-12 / 20)
    soundfile.write(tmp_path / "clip.wav", sound, RATE_HZ)
    return analyze(tmp_path / "clip.wav", detectors=["audio_artifacts"])


def _hum() -> np.ndarray:
    seconds = np.arange(2 * RATE_HZ) / RATE_HZ
    tones = [np.sin(2 * np.pi * 50 * k * seconds) / k for k in (1, 2, 3, 4, 5, 6)]
    return np.sum(tones, axis=0)


def _hiss() -> np.ndarray:
    return np.random.default_rng(1).standard_normal(2 * RATE_HZ)


@pytest.mark.parametrize(("defect", "make"), [("audio_hum", _hum), ("audio_hiss", _hiss)])
def test_it_is_found_where_it_is(
    defect: str, make: Callable[[], np.ndarray], tmp_path: Path
) -> None:
    report = _programme(make(), tmp_path)
    assert [f.defect for f in report.findings] == [defect]
    assert Interval(report.findings[0].start_s, report.findings[0].end_s).iou(SPAN) > 0.6


def test_the_programme_alone_is_clean(tmp_path: Path) -> None:
    report = _programme(None, tmp_path)
    assert report.verdicts["audio_artifacts"]["verdict"] == "pass"


def test_high_sensitivity_asks_for_less(tmp_path: Path) -> None:
    _programme(_hiss(), tmp_path)
    found = {
        level: analyze(
            tmp_path / "clip.wav",
            detectors=["audio_artifacts"],
            parameters={"audio_artifacts": {"sensitivity": level}},
        ).findings
        for level in ("low", "high")
    }
    assert len(found["high"]) >= len(found["low"])
    assert any(f.defect == "audio_hiss" for f in found["high"])
