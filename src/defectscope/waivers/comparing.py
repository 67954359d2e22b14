"""A redelivery against an earlier report: what is fixed, still there, and new."""

from __future__ import annotations

from dataclasses import dataclass

from defectscope.findings import Finding, Report

# Ends move by a few frames between two encodes of one programme.
_LEAST_IOU = 0.3
_NEAR_S = 0.5


@dataclass(frozen=True, slots=True)
class Redelivery:
    """Findings of two deliveries of one programme.

    Attributes:
        fixed: In the earlier report, and no longer there.
        still: In both, as the later report has them.
        new: In the later report alone.
    """

    fixed: tuple[Finding, ...]
    still: tuple[Finding, ...]
    new: tuple[Finding, ...]

    def __str__(self) -> str:
        return f"{len(self.fixed)} fixed, {len(self.still)} still there, {len(self.new)} new"


def compare_deliveries(earlier: Report, later: Report) -> Redelivery:
    """Returns which findings of an earlier delivery are fixed, still there, or new in a later one.

    Two findings are the same where detector, defect and track agree and they overlap by 0.3 of
    their union, or begin and end within half a second of each other.
    """
    left = list(earlier.findings)
    still: list[Finding] = []
    new: list[Finding] = []
    for finding in later.findings:
        match = max(
            (old for old in left if _same(old, finding)),
            key=lambda old: old.interval.iou(finding.interval),
            default=None,
        )
        if match is None:
            new.append(finding)
        else:
            left.remove(match)
            still.append(finding)
    return Redelivery(tuple(left), tuple(still), tuple(new))


def _same(one: Finding, other: Finding) -> bool:
    if (one.detector, one.defect, one.track) != (other.detector, other.defect, other.track):
        return False
    near = abs(one.start_s - other.start_s) <= _NEAR_S and abs(one.end_s - other.end_s) <= _NEAR_S
    return near or one.interval.iou(other.interval) >= _LEAST_IOU
