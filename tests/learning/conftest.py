"""Reports and queues without media: measurements are drawn, and decided on as real ones are."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from defectscope.detectors.audio_artifacts.analysis import COLUMNS
from defectscope.findings import Curve, Finding, Report
from defectscope.learning import queue_folder
from defectscope.measurements import Measurements, Table

HISS = "audio_hiss"


def measured(seed: int, hiss: bool, steps: int = 40) -> Measurements:
    """Ten seconds as audio_artifacts measures them; hiss lifts its logit and the floor."""
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(-300, 60, steps) for name in COLUMNS}
    values |= {"lines": rng.normal(80, 9, steps), "lines_beyond": rng.normal(5, 5, steps)}
    values |= {"floor": rng.normal(-700, 9, steps), "level": rng.normal(-250, 30, steps)}
    values["corners"] = np.zeros(steps)
    if hiss:
        values[f"logit_{HISS}"][12:28] += 330
        values["floor"][12:28] += 250
    columns = {"window": array("q", range(steps))}
    columns |= {name: array("h", np.rint(values[name]).astype(int).tolist()) for name in COLUMNS}
    return Measurements("audio_artifacts", {"windows": Table((4, 1), columns)})


def report(name: str, seed: int, *, hiss: bool = False, confidence: float | None = None) -> Report:
    """A title of ten seconds, with one finding where a confidence is given."""
    findings = ()
    if confidence is not None:
        findings = (
            Finding("audio_artifacts", HISS, 3.0, 7.0, confidence, "major",
                    {"duration_s": 4.0, "probability_peak": 0.9}),
        )  # fmt: skip
    curve = np.full(40, 0.05)
    curve[12:28] = 0.6
    return Report(
        asset={"uri": f"/films/of jane/{name}", "duration_s": 10.0},
        findings=findings,
        verdicts={"audio_artifacts": {"verdict": "pass", "peak_score": {HISS: 0.6}}},
        curves={"audio_artifacts": {HISS: Curve(0.25, tuple(curve), tuple(curve))}},
        detectors={"audio_artifacts": {"version": "0.5.0", "parameters": {}}},
        timing={},
        measurements=(measured(seed, hiss),),
    )


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """A queue of twelve items of sixteen titles, half of which hiss."""
    reports = [
        report(f"t{k:02d}.wav", k, hiss=k % 2 == 0, confidence=0.5 + k / 40 if k % 4 else None)
        for k in range(16)
    ]
    folder = tmp_path / "queue"
    queue_folder.add_round(folder, reports, count=12)
    return folder


@pytest.fixture(name="title")
def _title() -> Callable[..., Report]:
    """Makes reports, see `report`."""
    return report
