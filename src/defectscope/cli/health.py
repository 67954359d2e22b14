"""`defectscope drift` and `defectscope audit`: whether detectors still do what they did."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from defectscope.errors import EXIT_FAIL_ON, EXIT_OK, InvalidParameterError

_DRIFT = """\
Compares what detectors say and measure in each period with a reference, by class of title: the
population stability index and a two-sample test. An alarm needs both. A period is a folder of
reports, and so is the reference: held-out titles, or the first month.

  defectscope drift 2026-09/ 2026-10/ 2026-11/ --reference 2026-08/ --html drift.html
  defectscope drift 2026-11/ --reference 2026-08/ --metrics - --fail-on-alarm

Classes with fewer than 50 titles are not evaluated. --metrics writes the last period as lines that
CloudWatch turns into metrics (embedded metric format), for a log or for standard output.
"""
_AUDIT = """\
Estimates how often findings are right in production, and how often pieces without a finding have a
defect. Only the random items of review queues count: they are drawn evenly from all.

  defectscope audit review/ november/ --json audit.json
"""


def add_parser(commands: Any) -> None:
    """Adds the subcommands."""
    own = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    drift = commands.add_parser(
        "drift", help="compare scores and measurements over time", description=_DRIFT, **own
    )
    drift.add_argument(
        "periods", nargs="+", metavar="FOLDER", type=Path, help="reports of one period each"
    )
    drift.add_argument(
        "--reference", required=True, metavar="FOLDER", type=Path, help="reports to compare with"
    )
    drift.add_argument("--html", metavar="FILE", type=Path, help="write the page")
    drift.add_argument("--json", metavar="FILE", type=Path, help="write what was found")
    drift.add_argument(
        "--metrics", metavar="FILE", help="write metric lines; - for standard output"
    )
    drift.add_argument("--fail-on-alarm", action="store_true", help="exit 1 if there is an alarm")
    drift.set_defaults(run=run_drift)
    audit = commands.add_parser(
        "audit", help="how often findings are right, with its interval", description=_AUDIT, **own
    )
    audit.add_argument(
        "queues", nargs="+", metavar="QUEUE", type=Path, help="folders of `defectscope queue`"
    )
    audit.add_argument("--json", metavar="FILE", type=Path, help="write the figures")
    audit.set_defaults(run=run_audit)


def run_drift(arguments: argparse.Namespace) -> int:
    """Compares the periods and writes what was asked for."""
    from defectscope.learning.health import compare_periods, document, metric_lines, read_period
    from defectscope.learning.health_page import page

    names = [folder.resolve().name for folder in arguments.periods]
    if len(set(names)) != len(names):
        raise InvalidParameterError("two periods have one name: rename a folder")
    reference = read_period(arguments.reference)
    folders = zip(names, arguments.periods, strict=True)
    periods = {name: read_period(folder) for name, folder in folders}
    found = compare_periods(reference, periods)
    metrics = metric_lines([own for own in found if own.period == names[-1]])
    if arguments.html:
        _write(arguments.html, page(reference, periods, found))
    if arguments.json:
        _write(arguments.json, json.dumps(document(found), indent=1) + "\n")
    if arguments.metrics == "-":
        sys.stdout.write(metrics)
    else:
        if arguments.metrics:
            _write(Path(arguments.metrics), metrics)
        _say(found)
    ringing = any(q.alarm for own in found for q in own.quantities)
    return EXIT_FAIL_ON if ringing and arguments.fail_on_alarm else EXIT_OK


def run_audit(arguments: argparse.Namespace) -> int:
    """Prints the estimates."""
    from dataclasses import asdict

    from defectscope.learning.audit import audit

    found = audit(arguments.queues)
    for own in found:
        low, high = own.interval
        text = (
            f"{own.precision:.3f} of findings right ({low:.3f} to {high:.3f}), "
            f"{own.right} of {own.asked} asked out of {own.findings}"
            if own.asked
            else "no finding that was drawn has an answer"
        )
        least, most = own.missed_interval
        sys.stdout.write(f"{own.detector:<20} {text}\n")
        if own.pieces:
            sys.stdout.write(
                f"{'':<20} defects in {own.missed} of {own.pieces} random pieces without a "
                f"finding ({least:.3f} to {most:.3f})\n"
            )
    if arguments.json:
        rows = [asdict(own) for own in found]
        # JSON has no word for what could not be estimated.
        rows = [{**row, "precision": row["precision"] if row["asked"] else None} for row in rows]
        _write(arguments.json, json.dumps({"audit": rows}, indent=1) + "\n")
    return EXIT_OK


def _say(found: Any) -> None:
    for own in found:
        ringing = [q for q in own.quantities if q.alarm]
        few = "" if own.quantities else ", too few to say"
        sys.stdout.write(
            f"{own.period:<12} {own.title_class:<6} {own.detector:<20} {own.titles} titles{few}, "
            f"{len(ringing)} of {len(own.quantities)} quantities with an alarm\n"
        )
        for q in sorted(ringing, key=lambda q: -q.index):
            sys.stdout.write(f"{'':<20} {q.name}: index {q.index:.2f}, p {q.p_value:.1e}\n")


def _write(path: Path, text: str) -> None:
    from defectscope.learning.items import write_atomically

    try:
        write_atomically(path, text.encode())
    except OSError as error:
        reason = (error.strerror or "cannot be written").lower()
        raise InvalidParameterError(f"{path}: {reason}") from None
