"""Matches the findings of two versions one to one: fixed, new, worse, better, same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.optimize import linear_sum_assignment

from defectscope.findings import SEVERITIES, Finding, Interval

Status = Literal["fixed", "new", "worse", "better", "same"]
# Two findings are one when their intervals share this much of their union, ...
_MIN_IOU = 0.3
# ... or, being short, when their middles lie this close together, seconds.
_CLOSE_S = 0.25
# A finding that lasts this much longer is worse.
_LONGER = 1.5


@dataclass(frozen=True)
class FindingChange:
    """One finding of either version and what became of it.

    Attributes:
        status: `fixed` (in the baseline alone), `new` (in the candidate alone), or `worse`,
            `better`, `same` for one that both have.
        base: The baseline's finding.
        candidate: The candidate's; its times are the candidate's own.
    """

    status: Status
    base: Finding | None
    candidate: Finding | None

    @property
    def finding(self) -> Finding:
        """The candidate's finding, or the baseline's where that is gone."""
        found = self.candidate or self.base
        assert found is not None
        return found

    def to_dict(self) -> dict[str, Any]:
        """Returns it as in the comparison's JSON."""
        return {
            "status": self.status,
            "detector": self.finding.detector,
            "defect": self.finding.defect,
            "base": None if self.base is None else asdict(self.base),
            "candidate": None if self.candidate is None else asdict(self.candidate),
        }


def match_findings(
    base: Sequence[Finding],
    candidate: Sequence[Finding],
    to_base_s: Callable[[float], float],
) -> list[FindingChange]:
    """Returns every finding of both versions once, in the order of the baseline's time.

    Args:
        base: Findings in the baseline.
        candidate: Findings in the candidate.
        to_base_s: Returns the baseline's time of a time in the candidate.
    """
    moved = [
        replace(
            f, start_s=to_base_s(f.start_s), end_s=max(to_base_s(f.start_s), to_base_s(f.end_s))
        )
        for f in candidate
    ]
    likeness = np.array([[_likeness(b, c) for c in moved] for b in base]).reshape(
        len(base), len(moved)
    )
    rows, columns = linear_sum_assignment(-likeness)
    pairs = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if likeness[r, c] > 0}
    found: list[tuple[float, FindingChange]] = []
    for row, finding in enumerate(base):
        if row in pairs:
            other = candidate[pairs[row]]
            status = _status(finding, moved[pairs[row]])
            found.append((finding.start_s, FindingChange(status, finding, other)))
        else:
            found.append((finding.start_s, FindingChange("fixed", finding, None)))
    for column in set(range(len(candidate))) - set(pairs.values()):
        change = FindingChange("new", None, candidate[column])
        found.append((moved[column].start_s, change))
    found.sort(key=lambda item: (item[0], item[1].finding.detector, item[1].status))
    return [change for _, change in found]


def _likeness(one: Finding, other: Finding) -> float:
    """Returns 0 for findings that are not the same one, else more the better they fit."""
    if (one.detector, one.defect, one.track) != (other.detector, other.defect, other.track):
        return 0.0
    iou = one.interval.iou(other.interval)
    apart = abs(_middle(one.interval) - _middle(other.interval))
    if iou < _MIN_IOU and apart > _CLOSE_S:
        return 0.0
    return 1.0 + iou


def _middle(interval: Interval) -> float:
    return (interval.start_s + interval.end_s) / 2


def _status(base: Finding, candidate: Finding) -> Status:
    before, after = SEVERITIES.index(base.severity), SEVERITIES.index(candidate.severity)
    if after != before:
        return "worse" if after > before else "better"
    shorter = base.interval.duration_s * _LONGER + _CLOSE_S
    if candidate.interval.duration_s > shorter:
        return "worse"
    if base.interval.duration_s > candidate.interval.duration_s * _LONGER + _CLOSE_S:
        return "better"
    return "same"
