"""`defectscope analyze`: evaluates media here or through an endpoint."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from defectscope.cli.analyze_options import add_options_to, analysis_options
from defectscope.cli.complain import complain, diagnose
from defectscope.cli.lazy_imports import leave_for_first_use
from defectscope.errors import (
    EXIT_FAIL_ON,
    EXIT_MEDIA,
    EXIT_OK,
    DefectscopeError,
    InvalidParameterError,
)
from defectscope.findings import NOT_ASKED, SEVERITIES, Report, Severity
from defectscope.verdicts import exit_status, graver_status

if TYPE_CHECKING:
    from defectscope.cli.summary import Row
    from defectscope.desk.inputs import Item


def add_parser(commands: Any) -> None:
    """Adds the subcommand."""
    add_options_to(commands).set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Evaluates all media; returns the gravest exit status."""
    _first_sign(arguments.media)
    _start_lean()
    from defectscope.cli import batch, outputs
    from defectscope.desk.inputs import expand

    options = analysis_options(arguments)
    if arguments.watch is not None:
        if arguments.media:
            raise InvalidParameterError("--watch takes no MEDIA beside it")
        return _watch(arguments, options)
    if not arguments.media:
        raise InvalidParameterError("name MEDIA: a path, a folder, a pattern or an address")
    items = expand(arguments.media, recursive=arguments.recursive)
    several = len(items) > 1 or any(Path(m).is_dir() for m in arguments.media)
    if len(items) == 1:
        options["workers"] = arguments.workers
    if several and arguments.json == "-":
        raise InvalidParameterError("--json - takes one MEDIA; name a folder for several")
    outputs.try_outputs(arguments, items, several=several)
    before = batch.done_before(items, arguments, several=several)
    began_s, status = time.monotonic(), EXIT_OK
    rows: list[Row] = []
    left = [item for item in items if item.media not in before]
    for item in items:
        if item.media in before:
            status = graver_status(status, _status(before[item.media], arguments))
            rows.append(_kept(before[item.media], item, arguments, several))
    for row, found in _evaluated(left, arguments, options, several=several):
        rows.append(row)
        status = graver_status(status, found)
    reports = [row.report for row in rows if row.report is not None]
    outputs.write_whole(reports, arguments)
    if several:
        _summarise(rows, arguments, time.monotonic() - began_s)
    return status


def _first_sign(media: list[str]) -> None:
    """Prints a first line on a terminal before the large modules are imported."""
    if media and sys.stderr.isatty():
        from defectscope.desk.inputs import shown

        sys.stderr.write(f"reading {shown(media[0])} ...\r")
        sys.stderr.flush()


def _start_lean() -> None:
    """Sets this process up before NumPy is imported."""
    # The matrices here are small: further threads of OpenBLAS would only wait, and burn a core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Importing makes some hundred thousand objects that stay; looking for garbage among them every
    # 700 finds none.
    gc.set_threshold(20_000, 20, 20)
    leave_for_first_use()


def _evaluated(
    items: list[Item], arguments: argparse.Namespace, options: dict[str, Any], *, several: bool
) -> Any:
    from defectscope.cli import batch

    if arguments.endpoint is not None or len(items) == 1 or arguments.workers <= 1:
        for item in items:
            yield _alone(item, arguments, options, several=several)
        return
    for outcome in batch.outcomes(items, options, arguments.workers):
        if outcome.report is None:
            yield batch.row_of(outcome, {}), outcome.status
        else:
            yield _shown(outcome.report, outcome.item, arguments, several=several)


def _alone(
    item: Item, arguments: argparse.Namespace, options: dict[str, Any], *, several: bool
) -> tuple[Row, int]:
    """Evaluates one asset in this process; a fault of one never stops the others."""
    from defectscope.cli import batch
    from defectscope.cli.endpoint import analyze_there
    from defectscope.desk.pool import Outcome

    try:
        if arguments.endpoint is not None:
            report = analyze_there(item.media, arguments, options)
        else:
            report = _here(item, options)
    except DefectscopeError as error:
        outcome = Outcome(item, None, error.code, error.message, error.exit_code)
        return batch.row_of(outcome, {}), error.exit_code
    except ModuleNotFoundError:
        raise
    except Exception as error:
        status = diagnose(error, about=item.name)
        from defectscope.cli.summary import Row

        return Row(item.name, None, f"internal_error: {error}"), status
    return _shown(report, item, arguments, several=several)


def _here(item: Item, options: dict[str, Any]) -> Report:
    from defectscope.cli import batch
    from defectscope.desk import analyze
    from defectscope.desk.inputs import is_package
    from defectscope.media.source import resolved

    # What comes through a pipe can be taken down once.
    whole = "://" in item.media or is_package(item.media)
    taken: Any = nullcontext(item.media) if whole else resolved(item.media)
    with taken as source, batch.progress_lines([item]) as advance:

        def progress(reached_s: float) -> None:
            if advance is not None:
                advance(item, reached_s, 0.0)

        progress(0.0)
        return analyze(source, progress=progress, **options)


def _shown(
    report: Report, item: Item, arguments: argparse.Namespace, *, several: bool
) -> tuple[Row, int]:
    """Prints and writes the report of one asset."""
    from rich.console import Console

    from defectscope.cli import outputs
    from defectscope.cli.summary import Row
    from defectscope.report import print_report

    # Standard output belongs to the JSON when it was asked for there.
    console = Console(stderr=arguments.json == "-")
    print_report(report, console)
    if arguments.compare is not None:
        from defectscope.cli.redelivery import print_comparison

        print_comparison(report, arguments.compare, item.name, console)
    try:
        written = outputs.write_one(report, item, arguments, several=several)
    except InvalidParameterError as error:
        return Row(item.name, report), complain(error, about=item.name)
    for path in written:
        sys.stderr.write(f"wrote {path}\n")
    kept = outputs.targets(arguments, item, several=several)
    links = {name: kept[name] for name in ("html", "json") if name in kept}
    # Findings and measurements of hundreds of files need not stay in memory twice.
    return Row(item.name, replace(report, curves={}), links=links), _status(report, arguments)


def _kept(report: Report, item: Item, arguments: argparse.Namespace, several: bool) -> Row:
    """Writes what an earlier run did not write of a report that it left."""
    from defectscope.cli import outputs
    from defectscope.cli.summary import Row

    for path in outputs.write_one(report, item, arguments, several=several, missing=True):
        sys.stderr.write(f"wrote {path}\n")
    kept = outputs.targets(arguments, item, several=several)
    links = {name: kept[name] for name in ("html", "json") if name in kept}
    return Row(item.name, report, links=links)


def _status(report: Report, arguments: argparse.Namespace) -> int:
    status = exit_status(report.verdict, profile=report.profile is not None)
    if arguments.endpoint is None and _nothing_seen(report):
        status = graver_status(status, EXIT_MEDIA)
    if _reaches(report.worst_severity(), arguments.fail_on):
        status = graver_status(status, EXIT_FAIL_ON)
    return status


def _summarise(rows: list[Row], arguments: argparse.Namespace, wall_s: float) -> None:
    from defectscope.cli.summary import index_page, summary_line
    from defectscope.report.saving import write_text

    line = summary_line(rows, wall_s)
    folder = arguments.html or (arguments.json if arguments.json != "-" else None)
    if folder is not None:
        write_text(Path(folder) / "index.html", index_page(rows, Path(folder), line))
        sys.stderr.write(f"wrote {Path(folder) / 'index.html'}\n")
    sys.stdout.write(line + "\n")


def _watch(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    from defectscope.cli import batch

    sys.stderr.write(f"watching {arguments.watch}; ctrl-C ends it\n")
    for item in batch.watched(Path(arguments.watch)):
        _alone(item, arguments, options, several=True)
    return EXIT_OK


def _nothing_seen(report: Report) -> bool:
    """Tells whether no video and no sound that a detector asked for could be looked at."""
    if "video" not in report.asset and "audio" not in report.asset:
        return True
    tracks = [t for t in report.tracks if t.get("medium") in ("video", "audio")]
    asked = [t for t in tracks if t.get("reason") != NOT_ASKED]
    return bool(asked) and not any(t.get("judged") for t in asked)


def _reaches(severity: Severity | None, bound: Severity | None) -> bool:
    if severity is None or bound is None:
        return False
    return SEVERITIES.index(severity) >= SEVERITIES.index(bound)
