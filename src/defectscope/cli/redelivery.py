"""A redelivery against the earlier report, on a terminal."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.text import Text

from defectscope.errors import InvalidParameterError
from defectscope.findings import Report
from defectscope.report.text import finding_line
from defectscope.waivers import compare_deliveries


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
    found = compare_deliveries(Report.from_json(raw), report)
    console.print(Text(f"Redelivery: {found}", style="bold"))
    for state, findings in (("fixed", found.fixed), ("still", found.still), ("new", found.new)):
        for finding in findings:
            console.print(Text(f"  {state:<6}{finding_line(finding)}"))
