"""Several files at once, each in a process of its own, their progress told to one place."""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.process
import queue
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from defectscope.desk.analyzing import analyze
from defectscope.desk.diagnosis import save_diagnosis
from defectscope.desk.inputs import Item
from defectscope.errors import EXIT_INTERNAL, DefectscopeError
from defectscope.findings import Report
from defectscope.parallel import untouched_by_ctrl_c

# A process that reported nothing for so long is looked after: it may have been killed.
_WATCH_S = 1.0
# Progress is told this often at most.
_TOLD_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one asset: a report, or an error.

    Attributes:
        item: The asset.
        report: Its report; None where it failed.
        code: The error's code; empty where there is none.
        message: The error in a sentence.
        status: The exit status that the error means.
    """

    item: Item
    report: Report | None
    code: str = ""
    message: str = ""
    status: int = 0


Advance = Callable[[Item, float, float], None]


def analyze_one(item: Item, options: Mapping[str, Any], advance: Advance | None = None) -> Outcome:
    """Analyzes one asset and returns what became of it; never raises for a fault of the media.

    Args:
        item: The asset.
        options: As for `analyze`.
        advance: Called with the asset, the seconds reached and the length in seconds.
    """
    try:
        progress = None if advance is None else _paced(item, advance)
        report = analyze(item.media, progress=progress, **options)
    except DefectscopeError as error:
        return Outcome(item, None, error.code, error.message, error.exit_code)
    return Outcome(item, report)


def _paced(item: Item, advance: Advance) -> Callable[[float], None]:
    told_s = 0.0

    def progress(reached_s: float) -> None:
        nonlocal told_s
        now_s = time.monotonic()
        if now_s - told_s >= _TOLD_EVERY_S:
            told_s = now_s
            advance(item, reached_s, 0.0)

    return progress


def analyze_all(
    items: Sequence[Item],
    options: Mapping[str, Any],
    *,
    workers: int,
    advance: Advance | None = None,
) -> Iterator[Outcome]:
    """Returns what became of each asset, as soon as it is known.

    Args:
        items: The assets.
        options: As for `analyze`.
        workers: Files that are analyzed at once; 1 works in this process.
        advance: Called with an asset, the seconds reached and the length.
    """
    if workers <= 1 or len(items) <= 1:
        for item in items:
            yield analyze_one(item, options, advance)
        return
    context = multiprocessing.get_context("spawn")
    told: Any = context.Queue()
    waiting = list(enumerate(items))[::-1]
    running: dict[int, multiprocessing.process.BaseProcess] = {}

    def start() -> None:
        if waiting:
            index, item = waiting.pop()
            process = context.Process(
                target=_work, args=(index, item, dict(options), told), daemon=True
            )
            with untouched_by_ctrl_c():
                process.start()
            running[index] = process

    try:
        for _ in range(min(workers, len(items))):
            start()
        while running:
            value: Any
            try:
                index, kind, value = told.get(timeout=_WATCH_S)
            except queue.Empty:
                lost = [k for k, process in running.items() if not process.is_alive()]
                # What it wrote before it ended may still be on its way.
                if not lost or not told.empty():
                    continue
                index, kind = lost[0], "done"
                status = running[index].exitcode
                value = ("internal_error", f"its process ended with {status}", EXIT_INTERNAL)
            if index not in running:
                continue
            if kind == "reached":
                if advance is not None:
                    advance(items[index], value, 0.0)
                continue
            running.pop(index).join(timeout=_WATCH_S)
            start()
            if isinstance(value, str):
                yield Outcome(items[index], Report.from_json(value))
            else:
                yield Outcome(items[index], None, *value)
    finally:
        for process in running.values():
            process.kill()


def _work(index: int, item: Item, options: dict[str, Any], told: Any) -> None:
    """Runs in a process of its own."""

    def advance(_: Item, reached_s: float, __: float) -> None:
        with contextlib.suppress(Exception):
            told.put((index, "reached", reached_s))

    try:
        outcome = analyze_one(item, options, advance)
        if outcome.report is not None:
            told.put((index, "done", outcome.report.to_json()))
        else:
            told.put((index, "done", (outcome.code, outcome.message, outcome.status)))
    except Exception as error:
        message = save_diagnosis(error, item.name)
        told.put((index, "done", ("internal_error", message, EXIT_INTERNAL)))
