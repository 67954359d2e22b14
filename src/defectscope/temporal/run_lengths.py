"""Intervals: intervals in which a per-row measure of quality is too bad for too long."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from defectscope.engine.artifacts import severity_of
from defectscope.engine.contracts import Tuned
from defectscope.findings import DetectorResult, Finding
from defectscope.temporal.spans import Rows, bridge, curve, hysteresis

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RunRule:
    """When a measure makes an interval.

    Attributes:
        enter: The measure must reach this somewhere.
        leave: It goes on while the measure stays at or above this.
        min_duration_s: Shorter intervals are not reported, seconds.
        bridge_s: Intervals closer than this are one, seconds.
        settle_rows: Rows whose median stands for each row, so that one odd frame decides nothing.
    """

    enter: float
    leave: float
    min_duration_s: float
    bridge_s: float
    settle_rows: int = 5

    def probability(self, measure: Floats) -> Floats:
        """Returns a measure as a score from 0 to 1 that is 0.5 where intervals begin."""
        positive = np.maximum(measure, 0.0)
        return positive / (positive + self.enter)

    def settled(self, measure: Floats) -> Floats:
        """Returns the running median of a measure."""
        if len(measure) < 2:
            return measure
        return np.asarray(ndimage.median_filter(measure, self.settle_rows, mode="nearest"))


def decide_runs(
    detector: str,
    tuned: Tuned,
    rule: RunRule,
    starts_s: Floats,
    ends_s: Floats,
    measure: Floats,
    evidence: Callable[[Rows], Mapping[str, Any]],
) -> DetectorResult:
    """Returns the findings of a detector with one defect of its own name.

    Args:
        detector: Name of the detector and of its defect.
        tuned: Its severity rules.
        rule: When the measure makes an interval.
        starts_s: When each row begins, seconds.
        ends_s: When each row ends, seconds.
        measure: (rows,), higher is worse.
        evidence: Returns the measured quantities of a row range.
    """
    settled = rule.settled(measure)
    found = bridge(hysteresis(settled, rule.enter, rule.leave), starts_s, ends_s, rule.bridge_s)
    score = rule.probability(settled)
    findings: list[Finding] = []
    for first, last in found:
        duration_s = float(ends_s[last - 1] - starts_s[first])
        if duration_s < rule.min_duration_s:
            continue
        quantities = {"duration_s": round(duration_s, 4), **evidence((first, last))}
        findings.append(
            Finding(
                detector=detector,
                defect=detector,
                start_s=float(starts_s[first]),
                end_s=float(ends_s[last - 1]),
                confidence=round(float(np.clip(np.max(score[first:last]), 0.5, 0.99)), 4),
                severity=severity_of(tuned.severity[detector], quantities),
                evidence=quantities,
            )
        )
    return DetectorResult(
        verdict="fail" if findings else "pass",
        findings=tuple(findings),
        peak_score={detector: round(float(np.max(score, initial=0.0)), 4)},
        curves={detector: curve(starts_s, score)},
    )
