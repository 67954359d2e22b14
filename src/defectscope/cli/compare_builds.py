"""Two folders of captured sessions compared: what a pipeline asks of a new build."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from defectscope.errors import EXIT_FAIL_ON, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from defectscope.capture.reading import SessionReading
    from defectscope.release import ReleaseComparison
    from defectscope.release.comparing import MeasureChange

_COLOURS = {"worse": "red", "better": "green", "too little data": "yellow"}
_MAX_CELLS = 20


def compare_builds(arguments: argparse.Namespace) -> int:
    """Reads both folders, compares, prints and writes; returns the exit status.

    Raises:
        DefectscopeError: There is nothing to compare.
    """
    from defectscope.capture.reading import read_captured
    from defectscope.release import compare_releases, read_runs
    from defectscope.release.junit import junit_of
    from defectscope.report.saving import write_text

    names = arguments.detectors
    if names is not None:
        names = [] if names == "none" else [n.strip() for n in names.split(",") if n.strip()]

    def read(path: Path) -> SessionReading:
        sys.stderr.write(f"defectscope: reading {path}\n")
        return read_captured(path, detectors=names)

    sides = [read_runs(Path(p), read) for p in (arguments.base, arguments.candidate)]
    found = compare_releases(*sides)
    _print(found, to_stderr=arguments.json == "-")
    text = found.to_json(indent=2) + "\n"
    if arguments.json == "-":
        sys.stdout.write(text)
    elif arguments.json is not None:
        write_text(Path(arguments.json), text)
    if arguments.junit is not None:
        write_text(Path(arguments.junit), junit_of(found))
    return EXIT_FAIL_ON if arguments.fail_on_worse and found.verdict == "worse" else EXIT_OK


def _print(found: ReleaseComparison, *, to_stderr: bool) -> None:
    console = Console(stderr=to_stderr)
    for side, runs in (("baseline", found.base), ("candidate", found.candidate)):
        builds = ", ".join(sorted({run.build for run in runs if run.build})) or "no build named"
        left_out = [run for run in runs if run.left_out]
        console.print(f"{side}: {escape(builds)}, {len(runs) - len(left_out)} sessions compared")
        for run in left_out[:_MAX_CELLS]:
            console.print(f"  left out: {escape(run.name)} ({escape(run.left_out)})")
    console.print(_table(found.whole, ""))
    shown = [c for c in found.cells if c.verdict in ("worse", "better")][:_MAX_CELLS]
    if shown:
        console.print(_table(shown, "cell"))
    if found.unmatched:
        console.print(f"of one build alone: {escape('; '.join(found.unmatched[:_MAX_CELLS]))}")
    colour = _COLOURS.get(found.verdict, "bold")
    why = f": {escape('; '.join(found.reasons))}" if found.reasons else ""
    console.print(f"[{colour}]{found.verdict}[/]{why}")


def _table(changes: Sequence[MeasureChange], cell: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    headings = ("measure", "baseline", "candidate", "difference, 95 %", "p (Holm)", "verdict")
    for heading in ([cell] if cell else []) + list(headings):
        table.add_column(heading)
    for change in changes:
        if not change.base and not change.candidate:
            continue
        name = f"{change.measure.name} ({change.measure.unit})" if change.measure.unit else ""
        apart = change.found
        row = [
            name or change.measure.name,
            _middle(change.base),
            _middle(change.candidate),
            "" if apart is None else f"{apart.mean:+.3g} [{apart.low:+.3g}, {apart.high:+.3g}]",
            f"{change.adjusted_p:.3f}",
            f"[{_COLOURS.get(change.verdict, 'default')}]{change.verdict}[/]",
        ]
        table.add_row(*([escape(change.cell)] if cell else []), *row)
    return table


def _middle(values: Sequence[float]) -> str:
    """Returns the mean, the median and the 95th percentile of some sessions."""
    if not values:
        return "-"
    import numpy as np

    middle, high = np.percentile(values, (50, 95)).tolist()
    return f"{np.mean(values):.3g} (median {middle:.3g}, p95 {high:.3g})"
