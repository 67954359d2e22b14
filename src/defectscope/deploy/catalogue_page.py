"""The catalogue on one page: titles worst first, defects per hour, failures named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from defectscope.deploy.catalogue import Asset
from defectscope.findings import SEVERITIES, Report

_TEMPLATE = Path(__file__).with_name("catalogue_page.html")
_WEIGHTS = {"minor": 1, "major": 10, "critical": 100}


def row(asset: Asset, report: Report, *, suffix: str = ".json") -> dict[str, Any]:
    """Returns what the page shows of one title; `suffix` is that of the report it links to."""
    hours = max(float(report.asset.get("duration_s") or 0.0), 1.0) / 3600.0
    severities = Counter(finding.severity for finding in report.findings)
    score = sum(_WEIGHTS[severity] * count for severity, count in severities.items())
    return {
        "title": asset.title or asset.uri,
        "uri": asset.uri,
        "report": f"reports/{asset.id}{suffix}",
        "hours": round(hours, 4),
        "findings": len(report.findings),
        "per_hour": round(len(report.findings) / hours, 2),
        "score": round(score / hours, 2),
        "severities": {severity: severities.get(severity, 0) for severity in SEVERITIES},
        "defects": dict(Counter(finding.defect for finding in report.findings).most_common()),
        "inconclusive": sorted(
            name for name, entry in report.verdicts.items() if entry["verdict"] == "inconclusive"
        ),
    }


def render(
    analyzed: Sequence[tuple[Asset, Report]],
    failures: Sequence[dict[str, Any]],
    waiting: int,
    *,
    suffix: str = ".json",
) -> str:
    """Returns the page as one HTML file that fetches nothing.

    Titles stand worst first: by findings per hour of programme, a major one weighing ten minor
    ones and a critical one ten major ones.

    Args:
        analyzed: Assets with their reports.
        failures: Assets that cannot be analyzed, as failures.json has them.
        waiting: Number of assets that are not analyzed yet.
        suffix: Of the reports that the page links to.
    """
    shown = (row(asset, report, suffix=suffix) for asset, report in analyzed)
    rows = sorted(shown, key=lambda r: (-r["score"], r["title"]))
    data = {"rows": rows, "failures": list(failures), "waiting": waiting}
    # Inside a script element nothing may look like its end or like a comment.
    text = json.dumps(data).replace("<", "\\u003c").replace("\u2028", "\\u2028")
    return _TEMPLATE.read_text("utf-8").replace("__DATA__", text, 1)
