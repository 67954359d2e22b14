"""What the detector reports of a sound is what those find who choose its decision on it."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from defectscope.detectors.audio_artifacts.analysis import COLUMNS, WINDOWS_HZ
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.registry import load
from defectscope.measurements import Measurements
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.temporal.tables import TableBuilder
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.measured import Piece

STEPS = 160
LENGTH_S = (STEPS + 3) / WINDOWS_HZ


def _columns(seed: int) -> dict[str, np.ndarray]:
    """Returns measures in which every kind of rule has something to say."""
    rng = np.random.default_rng(seed)
    out = {name: rng.integers(0, 300, STEPS).astype(np.int16) for name in COLUMNS}
    for name in CLASSES:
        slow = np.repeat(rng.integers(-600, 900, STEPS // 8), 8)
        out[f"logit_{name}"] = slow.astype(np.int16)
    out["level"] = np.full(STEPS, -200, np.int16)
    out["floor"] = np.repeat(rng.integers(-650, -250, STEPS // 16), 16).astype(np.int16)
    out["isolated"][rng.integers(0, STEPS, 4)] = 450
    out["corners"] = rng.integers(0, 30, STEPS).astype(np.int16)
    out["hollow"] = np.repeat(rng.integers(0, 8, STEPS // 16), 16).astype(np.int16)
    out["note"] = np.repeat(rng.integers(0, 40, STEPS // 16), 16).astype(np.int16)
    out["skirt"] = np.repeat(rng.integers(0, 20, STEPS // 16), 16).astype(np.int16)
    return out


@pytest.mark.parametrize("seed", range(6))
def test_the_detector_and_the_choice_of_its_decision_agree(seed: int) -> None:
    columns = _columns(seed)
    detector = load("audio_artifacts")
    assert isinstance(detector, AudioArtifacts)
    builder = TableBuilder(
        Fraction(WINDOWS_HZ), window=np.int64, **dict.fromkeys(COLUMNS, np.int16)
    )
    builder.add(window=np.arange(STEPS), **columns)
    audio = AudioInfo(32_000, ("FC",), "mono", "pcm_s16le")
    stream = StreamInfo("clip", "wav", LENGTH_S, None, audio)
    table = builder.table()
    result = detector.decide(Measurements("audio_artifacts", {"windows": table}), stream)
    piece = Piece("clip", "none", LENGTH_S, columns, np.arange(STEPS) / WINDOWS_HZ)
    found = decision.found(piece, decision.rules_of(detector.tuned.artifact))
    wanted = {
        (defect, round(evidence, 2))
        for defect, own in found.items()
        for evidence, _ in own
        if evidence >= detector.tuned.thresholds[f"{defect}_normal"]
    }
    assert {(f.defect, f.evidence["log_odds"]) for f in result.findings} <= wanted
    lasting = {w for w in wanted if w[0] == "audio_clicks"}
    assert lasting <= {(f.defect, f.evidence["log_odds"]) for f in result.findings}
    assert wanted
