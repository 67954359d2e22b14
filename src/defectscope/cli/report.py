"""`defectscope report`: draws the page of a report that was written earlier."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from defectscope.errors import EXIT_OK, InvalidParameterError, MalformedRequestError
from defectscope.findings import Report


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    parser = commands.add_parser(
        "report",
        help="draw a report page from report.json",
        description="Draws the self-contained page of a report; with --media it has thumbnails.",
    )
    parser.add_argument("report", metavar="REPORT.json")
    parser.add_argument("--html", metavar="OUT", help="where the page goes; omit for a table only")
    parser.add_argument("--media", metavar="FILE", help="the media, for thumbnails")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Prints the table and writes the page."""
    from rich.console import Console

    from defectscope.report import print_report, render

    try:
        data = json.loads(Path(arguments.report).read_text("utf-8"))
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise InvalidParameterError(f"{arguments.report}: {reason}") from None
    except ValueError:
        raise MalformedRequestError(f"{arguments.report}: this is not JSON") from None
    report = Report.from_dict(data)
    print_report(report, Console())
    if arguments.html is not None:
        page = render(report, media=None if arguments.media is None else Path(arguments.media))
        try:
            Path(arguments.html).write_text(page, "utf-8")
        except OSError as error:
            raise InvalidParameterError(f"{arguments.html}: {error.strerror}") from None
    return EXIT_OK
