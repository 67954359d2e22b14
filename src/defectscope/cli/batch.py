"""Runs a command over many assets: progress, resuming, a hot folder, and the worst exit status."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from defectscope.cli.complain import complain_of
from defectscope.cli.outputs import targets
from defectscope.cli.summary import Row
from defectscope.desk.inputs import Item, is_media
from defectscope.desk.pool import Outcome, analyze_all
from defectscope.errors import DefectscopeError, InvalidParameterError
from defectscope.findings import Report

# A file in a hot folder that has not grown for so long is taken to be complete.
SETTLED_S = 5.0


@contextmanager
def progress_lines(items: Sequence[Item]) -> Generator[Callable[[Item, float, float], None] | None]:
    """A line for each file at work, and the total; on a terminal alone."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[reached]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    lines: dict[str, Any] = {}
    # What `first_sign` wrote makes room.
    sys.stderr.write("\x1b[2K")
    with bar:
        total: Any = None
        if len(items) > 1:
            total = bar.add_task(f"{len(items)} files", total=len(items), reached="")

        def advance(item: Item, reached_s: float, length_s: float) -> None:
            if reached_s < 0:
                # It is done.
                if item.name in lines:
                    bar.remove_task(lines.pop(item.name))
                if total is not None:
                    bar.advance(total)
                return
            if item.name not in lines:
                lines[item.name] = bar.add_task(item.name, total=length_s or None, reached="")
            minutes, seconds = divmod(int(reached_s), 60)
            at = f"{minutes // 60:d}:{minutes % 60:02d}:{seconds:02d}"
            bar.update(lines[item.name], completed=reached_s, reached=at)

        yield advance


def outcomes(items: Sequence[Item], options: dict[str, Any], workers: int) -> Iterator[Outcome]:
    """Returns what became of each asset, with progress on a terminal."""
    with progress_lines(items) as advance:
        for outcome in analyze_all(items, options, workers=workers, advance=advance):
            if advance is not None:
                advance(outcome.item, -1.0, 0.0)
            yield outcome


def done_before(
    items: Sequence[Item], arguments: argparse.Namespace, *, several: bool
) -> dict[str, Report]:
    """Returns the reports that an earlier run left, of media that has not changed since.

    Raises:
        InvalidParameterError: There is no --json in which to look.
    """
    if not arguments.resume:
        return {}
    if arguments.json is None or arguments.json == "-":
        raise InvalidParameterError("--resume looks for reports in --json FOLDER: name one")
    wanted = None if arguments.profile is None else _profile_sha256(arguments.profile)
    found: dict[str, Report] = {}
    for item in items:
        path = targets(arguments, item, several=several)["json"]
        try:
            report = Report.from_json(path.read_bytes())
            fresh = "://" in item.media or path.stat().st_mtime >= Path(item.media).stat().st_mtime
        except (OSError, DefectscopeError):
            continue
        held = None if report.profile is None else report.profile.get("sha256")
        if fresh and held == wanted:
            found[item.media] = report
    return found


def _profile_sha256(name: str) -> str:
    from defectscope.profiles import load_profile

    return load_profile(name).sha256


def row_of(outcome: Outcome, links: dict[str, Path]) -> Row:
    """Returns an outcome as a line of the summary; an error is complained of at once."""
    if outcome.report is None:
        complain_of(outcome.code, outcome.message, outcome.item.name)
        return Row(outcome.item.name, None, f"{outcome.code}: {outcome.message}")
    return Row(outcome.item.name, outcome.report, links=links)


def watched(folder: Path, settled_s: float = SETTLED_S) -> Iterator[Item]:
    """Returns each file that comes into a folder, once it has stopped growing; never ends.

    Args:
        folder: The hot folder.
        settled_s: How long a file must not have grown or changed.

    Raises:
        InvalidParameterError: There is no such folder.
    """
    if not folder.is_dir():
        raise InvalidParameterError(f"--watch {folder}: there is no such folder")
    from watchfiles import watch

    sizes: dict[Path, tuple[int, float, float]] = {}
    done: set[tuple[Path, int, float]] = set()
    for _ in watch(folder, rust_timeout=int(settled_s * 500), yield_on_timeout=True):
        now_s = time.monotonic()
        for path in sorted(folder.rglob("*")):
            if not (path.is_file() and is_media(path)):
                continue
            try:
                stat = path.stat()
            except OSError:
                continue
            state = (stat.st_size, stat.st_mtime)
            if (path, *state) in done:
                continue
            known = sizes.get(path)
            if known is None or known[:2] != state:
                sizes[path] = (*state, now_s)
            elif now_s - known[2] >= settled_s:
                done.add((path, *state))
                yield Item(str(path), path.relative_to(folder).as_posix())
