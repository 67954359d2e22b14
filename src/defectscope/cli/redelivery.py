"""A redelivery against the earlier report, on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.text import Text

from defectscope.compare.finding_changes import FindingChange, Status, match_findings
from defectscope.errors import InvalidParameterError
from defectscope.findings import Report
from defectscope.report.text import finding_line

_STATES: Mapping[str, tuple[Status, ...]] = {
    "fixed": ("fixed",),
    "still there": ("worse", "better", "same"),
    "new": ("new",),
}


def print_comparison(report: Report, earlier: str, name: str, console: Console) -> None:
    """Prints which findings of an earlier delivery are fixed, still there, and new.

    Args:
        report: The later report.
        earlier: The earlier one, or a folder of reports as `--json FOLDER` leaves it.
        name: The asset's place in such a folder.
        console: Where to print.

    Raises:
        InvalidParameterError: The earlier report cannot be read.
        MalformedRequestError: It is no report.
    """
    path = Path(earlier)
    if path.is_dir():
        path /= f"{name}.json"
        if not path.exists():
            console.print(Text("Redelivery: not in the earlier delivery", style="bold"))
            return
    try:
        raw = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InvalidParameterError(f"{path}: {reason}") from None
    changes = match_findings(Report.from_json(raw).findings, report.findings, float)
    listed = {state: [c for c in changes if c.status in held] for state, held in _STATES.items()}
    counts = ", ".join(f"{len(found)} {state}" for state, found in listed.items())
    console.print(Text(f"Redelivery: {counts}", style="bold"))
    for state, found in listed.items():
        for change in found:
            console.print(Text(f"  {state:<13}{finding_line(change.finding)}{_how(change)}"))


def _how(change: FindingChange) -> str:
    """Says what a finding that is still there has become, where it is not the same."""
    base = change.base
    if base is None or change.candidate is None or change.status == "same":
        return ""
    return f" ({change.status}: it was {base.severity}, {base.interval.duration_s:.2f} s)"
