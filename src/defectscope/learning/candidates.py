"""Candidates for review out of a report: findings, near misses and random pieces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import InvalidParameterError
from defectscope.findings import Curve, Finding, Interval, Report
from defectscope.learning.items import Origin, ReviewItem, item_id
from defectscope.measurements import Measurements
from defectscope.temporal.tables import column, times_s

# A reviewer sees and hears at most this much of a finding, seconds.
LONGEST_S = 10.0
# Length of a random piece, and of what is shown around the peak of a near miss, seconds.
PIECE_S = 4.0
# Near misses of one defect in one title, and random pieces of one detector in one title.
NEAR_MISSES, PIECES = 2, 2
# Draws for a random piece that may fall into a finding.
_TRIES = 12
# Below this peak of its curve nothing was suspected.
_LEAST_PEAK = 0.2
# A finding is at least as likely as not. A near miss had a curve that rose to p and was not
# reported: it is at most as likely as not.
_NEAR_MISS_SCALE = 0.5


def candidates(
    report: Report, rng: np.random.Generator, detectors: Sequence[str] = ()
) -> list[ReviewItem]:
    """Returns what could be asked about a title.

    Args:
        report: Of one asset; with measurements, items get embeddings.
        rng: Where the random pieces come from.
        detectors: Which; empty for all of the report.

    Raises:
        InvalidParameterError: A detector is not in the report.
    """
    for name in detectors:
        if name not in report.detectors:
            raise InvalidParameterError(f"{title_of(report)}: no {name} in this report")
    out: list[ReviewItem] = []
    for detector in detectors or list(report.detectors):
        own = [f for f in report.findings if f.detector == detector]
        out += [_of_finding(report, finding) for finding in own]
        for defect, curve in report.curves.get(detector, {}).items():
            taken = [f.interval for f in own if f.defect == defect]
            out += [
                _item(report, detector, defect, where, "near_miss", peak * _NEAR_MISS_SCALE)
                for where, peak in _near_misses(curve, taken, float(report.asset["duration_s"]))
            ]
        out += _pieces(report, detector, [f.interval for f in own], rng)
    return out


def title_of(report: Report) -> str:
    """Returns the name of a report's asset, without folders or a query."""
    uri = str(report.asset.get("uri", "")).split("?")[0].rstrip("/")
    return PurePath(uri.replace("\\", "/")).name or "untitled"


def shown(finding: Finding) -> Interval:
    """Returns what of a finding is reviewed: all of it, or the middle of a long one."""
    if finding.end_s - finding.start_s <= LONGEST_S:
        return finding.interval
    middle_s = (finding.start_s + finding.end_s) / 2
    return Interval(middle_s - LONGEST_S / 2, middle_s + LONGEST_S / 2)


def _of_finding(report: Report, finding: Finding) -> ReviewItem:
    evidence = {k: v for k, v in finding.evidence.items() if isinstance(v, int | float | str)}
    score = min(1.0, max(0.0, finding.confidence))
    return _item(
        report, finding.detector, finding.defect, shown(finding), "finding", score, evidence
    )


def _near_misses(
    curve: Curve, taken: Sequence[Interval], duration_s: float
) -> list[tuple[Interval, float]]:
    """Returns where a curve of probabilities rises outside of findings, highest first."""
    values = np.array(curve.max, np.float64)
    # A curve in a unit of its own says nothing of how near it came.
    if not len(values) or values.max() > 1 or values.min() < 0:
        return []
    starts_s = np.arange(len(values)) * curve.step_s
    for interval in taken:
        values[(starts_s + curve.step_s > interval.start_s) & (starts_s < interval.end_s)] = 0
    out: list[tuple[Interval, float]] = []
    while len(out) < NEAR_MISSES and values.max() >= _LEAST_PEAK:
        place = int(values.argmax())
        peak = float(values[place])
        low = np.flatnonzero(values < peak / 2)
        first = int(max(low[low < place], default=-1)) + 1
        last = int(min(low[low > place], default=len(values)))
        middle_s = (first + last) / 2 * curve.step_s
        out.append((_around(middle_s, duration_s), peak))
        values[np.abs(starts_s - starts_s[place]) < LONGEST_S] = 0
    return out


def _around(middle_s: float, duration_s: float) -> Interval:
    """Returns a piece around an instant, within the title."""
    start_s = max(0.0, min(middle_s - PIECE_S / 2, duration_s - PIECE_S))
    return Interval(round(start_s, 3), round(min(start_s + PIECE_S, max(duration_s, start_s)), 3))


def _pieces(
    report: Report, detector: str, taken: Sequence[Interval], rng: np.random.Generator
) -> list[ReviewItem]:
    """Returns pieces drawn evenly over the time in which nothing was found."""
    duration_s = float(report.asset["duration_s"])
    out: list[ReviewItem] = []
    for _ in range(_TRIES):
        where = _around(float(rng.uniform(0, max(duration_s, 1e-3))), duration_s)
        free = all(where.intersection_s(interval) == 0 for interval in taken)
        if free and len(out) < PIECES:
            out.append(_item(report, detector, "", where, "random", 0.0))
    return list({item.id: item for item in out}.values())


def _item(
    report: Report,
    detector: str,
    defect: str,
    where: Interval,
    origin: Origin,
    score: float,
    evidence: dict[str, Any] | None = None,
) -> ReviewItem:
    title = title_of(report)
    own = next((m for m in report.measurements if m.detector == detector), None)
    return ReviewItem(
        id=item_id(title, detector, defect, where),
        title=title,
        detector=detector,
        defect=defect,
        start_s=where.start_s,
        end_s=where.end_s,
        origin=origin,
        score=score,
        version=str(report.detectors[detector].get("version", "")),
        embedding=() if own is None else embedding(own, where),
        evidence=evidence or {},
    )


def embedding(measurements: Measurements, where: Interval) -> tuple[float, ...]:
    """Returns means and peaks of what a detector measured in an interval, empty without rows.

    Counts of bins and other wide arrays are columns of their own, so this is what a decision sees.
    """
    out: list[float] = []
    for name in sorted(measurements.tables):
        table = measurements.tables[name]
        starts_s = times_s(table)
        inside: NDArray[np.bool_] = (starts_s >= where.start_s - 0.5) & (starts_s < where.end_s)
        if not inside.any():
            continue
        for key in list(table.columns)[1:]:
            values = column(table, key)[inside].astype(np.float64)
            values = values[np.isfinite(values)]
            out += (
                [round(float(values.mean()), 3), round(float(values.max()), 3)]
                if len(values)
                else [0.0, 0.0]
            )
    return tuple(out)
