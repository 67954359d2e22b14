"""A report as flat rows: for spreadsheets, data frames and notebooks. Standard library only."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

COLUMNS = (
    "asset",
    "detector",
    "defect",
    "severity",
    "start_timecode",
    "end_timecode",
    "start_s",
    "end_s",
    "duration_s",
    "start_frame",
    "end_frame",
    "track",
    "confidence",
    "rules",
    "codes",
    "waived_by",
    "evidence",
)
_SHOWN = ("severity", "defect", "start_timecode", "end_timecode", "duration_s", "confidence")
_MOST_SHOWN = 200


class HasFindings(Protocol):
    """What is needed of a report."""

    @property
    def asset(self) -> Mapping[str, Any]:
        """Facts of the asset."""
        ...

    @property
    def findings(self) -> Sequence[Any]:
        """The findings."""
        ...

    @property
    def rules(self) -> Sequence[Mapping[str, Any]]:
        """Results of the profile's rules."""
        ...

    @property
    def verdict(self) -> str:
        """The asset's verdict."""
        ...


def rows_of(report: HasFindings) -> list[dict[str, Any]]:
    """Returns a row of `COLUMNS` for each finding, in the report's order."""
    broken: dict[int, list[Mapping[str, Any]]] = {}
    for rule in report.rules:
        for index in rule.get("findings", ()):
            broken.setdefault(index, []).append(rule)
    return [
        {
            "asset": str(report.asset.get("uri", "")),
            "detector": finding.detector,
            "defect": finding.defect,
            "severity": finding.severity,
            "start_timecode": finding.start_timecode,
            "end_timecode": finding.end_timecode,
            "start_s": finding.start_s,
            "end_s": finding.end_s,
            "duration_s": round(finding.end_s - finding.start_s, 6),
            "start_frame": finding.start_frame,
            "end_frame": finding.end_frame,
            "track": finding.track,
            "confidence": finding.confidence,
            "rules": ", ".join(str(rule["id"]) for rule in broken.get(index, ())),
            "codes": ", ".join(str(r["code"]) for r in broken.get(index, ()) if r["code"]),
            "waived_by": "" if finding.waiver is None else str(finding.waiver.get("who", "")),
            "evidence": json.dumps(dict(finding.evidence), sort_keys=True),
        }
        for index, finding in enumerate(report.findings)
    ]


def html_of(report: HasFindings) -> str:
    """Returns a small table as HTML, every text escaped."""
    rows = rows_of(report)
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in _SHOWN)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(row[name]))}</td>" for name in _SHOWN) + "</tr>"
        for row in rows[:_MOST_SHOWN]
    )
    more = len(rows) - _MOST_SHOWN
    left = f"<p>and {more} more</p>" if more > 0 else ""
    title = html.escape(str(report.asset.get("uri", "")))
    verdict = html.escape(report.verdict.replace("_", " ").upper())
    return (
        f"<p><strong>{verdict}</strong> {title}: {len(rows)} findings</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{left}"
    )


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
