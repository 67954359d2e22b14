"""What detectors say and measure, by class of title and period: the distributions drift looks at.

A period is a folder of reports: a month of a batch, of a live channel, of an endpoint. Each title
gives one value of each quantity: its peak score of every defect and, where measurements were asked
for, the mean of every column that was measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from defectscope.errors import DefectscopeError, InvalidParameterError
from defectscope.findings import Report
from defectscope.learning.drift import Drift, drift
from defectscope.temporal.tables import column

NAMESPACE = "Defectscope/Detectors"
# Heights up to which a frame counts as each class; above the last it is UHD.
_CLASSES = (("SD", 576), ("HD", 1080))
Values = dict[str, list[float]]
# (class of title, detector) -> values by quantity.
Period = dict[tuple[str, str], Values]


@dataclass(frozen=True, slots=True)
class Health:
    """One detector's drift in one class of titles and one period.

    Attributes:
        period: Name of the period's folder.
        title_class: `sound`, `SD`, `HD` or `UHD`.
        detector: Which.
        titles: How many titles of the class there were.
        quantities: How each quantity has moved; without those of too few titles.
    """

    period: str
    title_class: str
    detector: str
    titles: int
    quantities: tuple[Drift, ...]


def read_period(folder: Path) -> Period:
    """Returns the values of a folder's reports.

    Raises:
        InvalidParameterError: It holds no report.
        MalformedRequestError: A file is no report; names the file.
    """
    out: Period = {}
    paths = sorted(folder.rglob("*.json")) if folder.is_dir() else []
    for path in paths:
        try:
            report = Report.from_json(path.read_bytes())
        except DefectscopeError as error:
            raise type(error)(f"{path}: {error.message}") from None
        name = title_class(report)
        for detector, own in values_of(report).items():
            kept = out.setdefault((name, detector), {})
            for quantity, value in own.items():
                kept.setdefault(quantity, []).append(value)
    if not out:
        raise InvalidParameterError(f"{folder}: no reports in it")
    return out


def title_class(report: Report) -> str:
    """Returns the class of a title: what is measured on one kind says little of another."""
    video: Any = report.asset.get("video")
    if not isinstance(video, Mapping):
        return "sound"
    height = int(video.get("height", 0))
    return next((name for name, most in _CLASSES if height <= most), "UHD")


def values_of(report: Report) -> dict[str, dict[str, float]]:
    """Returns a title's values by detector and quantity, finite ones alone."""
    out: dict[str, dict[str, float]] = {name: {} for name in report.detectors}
    for detector, verdict in report.verdicts.items():
        peaks: Mapping[str, Any] = verdict.get("peak_score") or {}
        out.setdefault(detector, {}).update(
            {f"score {d}": float(v) for d, v in peaks.items() if isinstance(v, int | float)}
        )
    for measured in report.measurements:
        own = out.setdefault(measured.detector, {})
        for table_name, table in measured.tables.items():
            for key in list(table.columns)[1:]:
                values = np.asarray(column(table, key), np.float64)
                values = values[np.isfinite(values)]
                if len(values):
                    own[f"{table_name}.{key}"] = float(values.mean())
    return {d: {q: v for q, v in own.items() if np.isfinite(v)} for d, own in out.items() if own}


def compare_periods(reference: Period, periods: Mapping[str, Period]) -> list[Health]:
    """Returns the drift of each period, class and detector against the reference.

    Args:
        reference: What the detectors were calibrated on, or a first month.
        periods: By name, in order.
    """
    out: list[Health] = []
    for name, period in periods.items():
        for (kind, detector), values in sorted(period.items()):
            titles = max((len(v) for v in values.values()), default=0)
            found = drift(reference.get((kind, detector), {}), values)
            out.append(Health(name, kind, detector, titles, tuple(found)))
    return out


def metric_lines(found: Sequence[Health], now_s: float | None = None) -> str:
    """Returns lines of a log that CloudWatch turns into metrics, one for each quantity.

    Source: Amazon CloudWatch, embedded metric format specification.

    Args:
        found: Of the last period.
        now_s: Time stamp, seconds since 1970; None for now.
    """
    stamp_ms = int((time.time() if now_s is None else now_s) * 1000)
    names = [{"Name": name, "Unit": "None"} for name in ("DriftIndex", "DriftAlarm")]
    keys = ["Detector", "TitleClass", "Quantity"]
    directive = {"Namespace": NAMESPACE, "Dimensions": [keys], "Metrics": names}
    lines: list[str] = []
    for own in found:
        for quantity in own.quantities:
            line = {
                "_aws": {"Timestamp": stamp_ms, "CloudWatchMetrics": [directive]},
                "Detector": own.detector,
                "TitleClass": own.title_class,
                "Quantity": quantity.name,
                "DriftIndex": round(quantity.index, 6),
                "DriftAlarm": float(quantity.alarm),
            }
            lines.append(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")
    return "".join(lines)


def document(found: Sequence[Health]) -> dict[str, Any]:
    """Returns the JSON form."""
    rows = [
        {
            "period": own.period, "title_class": own.title_class, "detector": own.detector,
            "titles": own.titles,
            "quantities": [
                {"name": q.name, "index": round(q.index, 4), "p_value": q.p_value,
                 "reference": q.reference, "current": q.current, "alarm": q.alarm}
                for q in own.quantities
            ],
        }
        for own in found
    ]  # fmt: skip
    return {"schema": "defectscope/drift/1", "health": rows}
