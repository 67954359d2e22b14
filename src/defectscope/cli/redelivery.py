"""A redelivery against the earlier report, on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from defectscope.errors import InvalidParameterError
from defectscope.findings import Report
from defectscope.report.text import finding_line
from defectscope.waivers import compare_deliveries


def print_comparison(report: Report, earlier: str, console: Console) -> None:
    """Prints which findings of an earlier delivery are fixed, still there, and new.

    Raises:
        InvalidParameterError: The earlier report cannot be read.
        MalformedRequestError: It is no report.
    """
    try:
        raw = Path(earlier).read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InvalidParameterError(f"{earlier}: {reason}") from None
    found = compare_deliveries(Report.from_json(raw), report)
    console.print(Text(f"Redelivery: {found}", style="bold"))
    for state, findings in (("fixed", found.fixed), ("still", found.still), ("new", found.new)):
        for finding in findings:
            console.print(Text(f"  {state:<6}{finding_line(finding)}"))
