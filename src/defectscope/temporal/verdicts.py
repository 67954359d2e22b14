"""What a detector of one defect says in the end."""

from __future__ import annotations

from collections.abc import Sequence

from defectscope.findings import Curve, DetectorResult, Finding


def result_of(defect: str, findings: Sequence[Finding], score: Curve) -> DetectorResult:
    """Returns `fail` with findings and `pass` without; the surest finding is the peak score.

    Args:
        defect: The only one that the detector finds.
        findings: In order of time.
        score: What was decided on, over time.
    """
    return DetectorResult(
        verdict="fail" if findings else "pass",
        findings=tuple(findings),
        peak_score={defect: max((f.confidence for f in findings), default=0.0)},
        curves={defect: score},
    )
