"""A caption track as tables of numbers, bounded whatever the file holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Table
from defectscope.media.cues import FAULTS, TOO_MANY, Captions, Cue
from defectscope.temporal.tables import TableBuilder, column

TICKS_HZ = 1000
# Ten cues a second for a minute: ten times what the fastest speech needs.
_MAX_ROWS_PER_MINUTE = 600
_MAX_TICK = 2**31 - 1
BEFORE_ITS_PREDECESSOR = 1


@dataclass(frozen=True, slots=True)
class Track:
    """Cues ordered by start.

    Attributes:
        start_s: (n,) when each appears.
        end_s: (n,) when it goes.
        characters: (n,) letters, marks and spaces.
        longest: (n,) characters of the longest line.
        lines: (n,) how many lines.
        unordered: (n,) it stood after a later one in the file.
        source_line: (n,) line number, 0 where there is none.
    """

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    characters: NDArray[Any]
    longest: NDArray[Any]
    lines: NDArray[Any]
    unordered: NDArray[np.bool_]
    source_line: NDArray[Any]


def cue_table(cues: Iterable[Cue]) -> tuple[Table, int | None]:
    """Gives the cues as a table ordered by start, and the tick from which some were left out."""
    rows: list[tuple[int, int, int, int, int, int, int]] = []
    latest = -_MAX_TICK
    for cue in cues:
        start, end = (
            max(-_MAX_TICK, min(_MAX_TICK, round(t * TICKS_HZ))) for t in (cue.start_s, cue.end_s)
        )
        lengths = [len(line) for line in cue.lines if line] or [0]
        flags = BEFORE_ITS_PREDECESSOR if start < latest else 0
        latest = max(latest, start)
        line = min(cue.source_line or 0, _MAX_TICK)
        top = 65535
        counts = (min(sum(lengths), top), min(max(lengths), top), min(len(lengths), 255))
        rows.append((start, end, *counts, flags, line))
    rows.sort(key=lambda row: (row[0], row[1], row[6]))
    kept: list[tuple[int, ...]] = []
    left_out: int | None = None
    minute, used = None, 0
    for row in rows:
        own = row[0] // (60 * TICKS_HZ)
        minute, used = (own, used + 1) if own == minute else (own, 1)
        if used <= _MAX_ROWS_PER_MINUTE:
            kept.append(row)
        elif left_out is None:
            left_out = row[0]
    builder = TableBuilder(
        Fraction(TICKS_HZ),
        start=np.int64,
        end=np.int32,
        characters=np.uint16,
        longest=np.uint16,
        lines=np.uint8,
        flags=np.uint8,
        source_line=np.int32,
    )
    names = ("start", "end", "characters", "longest", "lines", "flags", "source_line")
    columns = zip(*kept, strict=True) if kept else ([] for _ in names)
    builder.add(**dict(zip(names, columns, strict=True)))
    return builder.table(), left_out


def fault_table(captions: Captions | None, left_out: int | None) -> Table:
    """Gives format faults, each at the start of the last cue that stands before its line."""
    rows: list[tuple[int, int, int]] = []
    if captions is not None:
        lines = np.array([cue.source_line or 0 for cue in captions.cues], np.int64)
        for fault in captions.faults:
            before = int(np.searchsorted(lines, fault.source_line)) - 1
            start_s = captions.cues[before].start_s if before >= 0 else 0.0
            tick = max(0, min(_MAX_TICK, round(start_s * TICKS_HZ)))
            rows.append((tick, fault.source_line, FAULTS.index(fault.message)))
    if left_out is not None:
        rows.append((max(0, left_out), 0, FAULTS.index(TOO_MANY)))
    rows.sort()
    builder = TableBuilder(Fraction(TICKS_HZ), at=np.int64, source_line=np.int32, kind=np.uint8)
    at, source_line, kind = zip(*rows, strict=True) if rows else ((), (), ())
    builder.add(at=at, source_line=source_line, kind=kind)
    return builder.table()


def track_from(table: Table) -> Track:
    """Reads the cues' table."""
    return Track(
        column(table, "start") / TICKS_HZ,
        column(table, "end") / TICKS_HZ,
        column(table, "characters"),
        column(table, "longest"),
        column(table, "lines"),
        (column(table, "flags") & BEFORE_ITS_PREDECESSOR) > 0,
        column(table, "source_line"),
    )
