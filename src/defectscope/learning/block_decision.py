"""Refits the decision of block_corruption to labels, from what was measured.

The sum of the network's word and of what it said around a frame, from which the log odds of damage
come, is fitted again. Networks, steps and thresholds stay. Nothing is decoded again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from defectscope.detectors.block_corruption.detector import BlockCorruption, evidence_of
from defectscope.detectors.block_corruption.params import SENSITIVITIES, Params
from defectscope.engine.contracts import Tuned
from defectscope.errors import MalformedRequestError
from defectscope.findings import Interval
from defectscope.learning import evaluation
from defectscope.learning.anchored import ANCHOR, ANCHOR_STEP, Doubles, Example, fitted, within
from defectscope.learning.evaluation import Hits
from defectscope.learning.held_out import HeldOut
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.temporal.tables import times_s

DETECTOR = DEFECT = "block_corruption"


def refit(
    artifact: Mapping[str, Any],
    examples: Sequence[Example],
    titles: Sequence[Measurements],
    anchor: float = ANCHOR,
) -> dict[str, Any]:
    """Returns the entry `calibration` of detector.json, fitted to labels.

    Args:
        artifact: The detector.json to begin with.
        examples: What was labelled.
        titles: Measurements of what is in service, labelled or not; what the sum says of them is
            held on to.
        anchor: See `ANCHOR`.

    Raises:
        MalformedRequestError: The measurements are not of this detector.
    """
    fit = artifact["calibration"]
    names = [name for name in fit if name != "offset"]
    own = [
        (rows, example.present[DEFECT], example.trust)
        for example in examples
        if DEFECT in example.present
        and len(rows := _inputs(names, example.measurements, example.where))
    ]
    if not own:
        return dict(fit)
    baseline = np.vstack([np.zeros((0, len(names))),
                          *(_inputs(names, m)[::ANCHOR_STEP] for m in titles)])  # fmt: skip
    start = np.array([float(fit[name]) for name in names]), float(fit["offset"])
    weights, offset = fitted(own, baseline, anchor, start)
    changed = {name: round(float(w), 4) for name, w in zip(names, weights, strict=True)}
    return {**changed, "offset": round(offset, 4)}


def _inputs(
    names: Sequence[str], measurements: Measurements, where: Interval | None = None
) -> Doubles:
    """Returns what is known of the frames looked at, (frames, names)."""
    _check(measurements)
    if not len(measurements.tables["samples"]):
        return np.zeros((0, len(names)))
    known, context = evidence_of(measurements)
    inputs = np.stack([context[name] for name in names], axis=1)
    if where is None:
        return inputs
    return inputs[within(times_s(measurements.tables["frames"])[known.rows], where)]


def _check(measurements: Measurements) -> None:
    if measurements.detector != DETECTOR or not {"samples", "frames"} <= set(measurements.tables):
        raise MalformedRequestError(f"these are not measurements of {DETECTOR}")


def kept(
    changed: Mapping[str, Any], before: Mapping[str, Any], left: Sequence[str]
) -> dict[str, Any]:
    """Returns the calibration as it was, where nobody can evaluate another."""
    return dict(before if DEFECT in left else changed)


def found(titles: Sequence[HeldOut], artifact: Mapping[str, Any]) -> dict[str, list[Hits]]:
    """Returns what a decision says of every title.

    Evidence of an event: how many sensitivities report it, and its confidence beyond the point.
    """
    out: list[Hits] = []
    for title in titles:
        runs = _runs(title.measurements, artifact)
        out.append(evaluation.hits(runs, title.truth.get(DEFECT, ())))
    return {DEFECT: out}


def threshold(artifact: Mapping[str, Any], defect: str) -> float:
    """Returns the evidence that a finding has at normal sensitivity."""
    return float(len(SENSITIVITIES) - SENSITIVITIES.index("normal"))


def _runs(measurements: Measurements, artifact: Mapping[str, Any]) -> list[tuple[float, Interval]]:
    _check(measurements)
    stream = _stream(measurements)
    thresholds, severity = artifact["thresholds"], artifact["severity"]
    tuned = Tuned(str(artifact["version"]), thresholds, severity, artifact)
    by_sensitivity = [
        BlockCorruption(tuned=tuned, params=Params(sensitivity=name))
        .decide(measurements, stream)
        .findings
        for name in SENSITIVITIES
    ]
    # Who reports most comes last.
    return [
        (
            float(
                sum(
                    any(f.interval.intersection_s(finding.interval) > 0 for f in findings)
                    for findings in by_sensitivity
                )
            )
            # Below one, so that it only orders what as many sensitivities report.
            + min(finding.confidence, 0.999),
            finding.interval,
        )
        for finding in by_sensitivity[-1]
    ]


def _stream(measurements: Measurements) -> StreamInfo:
    """Returns the facts that the decision wants of a title: how long a frame lasts."""
    starts_s = times_s(measurements.tables["frames"])
    frame_s = float(np.median(np.diff(starts_s))) if len(starts_s) > 1 else 0.04
    rate = Fraction(1 / frame_s).limit_denominator(1001) if frame_s > 0 else Fraction(25)
    video = VideoInfo(0, 0, 0, 0, 8, "yuv420p", rate, Fraction(1, 90000), "")
    return StreamInfo("", "", len(starts_s) * frame_s, video, None)
