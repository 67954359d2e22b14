"""A caption track as tables of numbers, bounded whatever the file holds."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from defectscope.measurements import Table
from defectscope.media.cues import FAULTS, TOO_MANY, Captions, Cue
from defectscope.temporal.tables import TableBuilder, column

TICKS_HZ = 1000
# Ten cues a second for a minute: ten times what the fastest speech needs.
_MAX_ROWS_PER_MINUTE = 600
_MAX_TICK = 2**31 - 1
BEFORE_ITS_PREDECESSOR = 1
IS_IMAGE = 2
IS_FORCED = 4
# Until the track's next event, which may be nothing but the end of what was there.
UNTIL_NEXT = 8
CLEARS = 16
_COLUMNS = (
    "start",
    "end",
    "characters",
    "longest",
    "lines",
    "flags",
    "place",
    "track",
    "source_line",
)
# Marks that join the letter before them, and characters that are not drawn.
_UNSEEN = frozenset({"Mn", "Me", "Cf", "Cc"})
# A cue that begins so soon after the end is a matter of rounding.
_AFTER_END_S = 1.0


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
        image: (n,) it is an image, whose text is not known.
        place: (n,) a number for where it is shown; the same place has the same number.
        source_line: (n,) line number, 0 where there is none.
        forced: It captions foreign speech and signs only.
    """

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    characters: NDArray[Any]
    longest: NDArray[Any]
    lines: NDArray[Any]
    unordered: NDArray[np.bool_]
    image: NDArray[np.bool_]
    place: NDArray[Any]
    source_line: NDArray[Any]
    forced: bool = False

    @property
    def empty(self) -> NDArray[np.bool_]:
        """(n,) there is nothing to read."""
        return (self.characters == 0) & ~self.image


EMPTY = Track(
    start_s=np.empty(0),
    end_s=np.empty(0),
    characters=np.empty(0),
    longest=np.empty(0),
    lines=np.empty(0),
    unordered=np.empty(0, np.bool_),
    image=np.empty(0, np.bool_),
    place=np.empty(0),
    source_line=np.empty(0),
)


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a side-car file's cues lie against the programme.

    Attributes:
        cues: How many there are.
        inside: How many are on screen at some time of the programme.
        late: How many begin after its end.
        first_s: When the first one begins.
        first_late_s: When the first one begins that is late.
    """

    cues: int
    inside: int
    late: int
    first_s: float
    first_late_s: float


def seen(line: str) -> int:
    """Returns how many characters of a line are drawn in a place of their own."""
    if line.isascii():
        return len(line)
    return sum(unicodedata.category(character) not in _UNSEEN for character in line)


def _tick(time_s: float) -> int:
    # Comparisons come first: infinity has no integer.
    bounded_s = max(-_MAX_TICK / TICKS_HZ, min(_MAX_TICK / TICKS_HZ, time_s))
    return max(-_MAX_TICK, min(_MAX_TICK, round(bounded_s * TICKS_HZ)))


def cue_table(
    cues: Iterable[Cue], latest: dict[int, int] | None = None
) -> tuple[Table, int | None]:
    """Returns the cues as a table ordered by start, and the tick from which some were left out.

    Args:
        cues: Of all tracks, in the order in which they came.
        latest: The latest start of each track before them, which is kept up; None for the first.
    """
    rows: list[tuple[int, ...]] = []
    latest = {} if latest is None else latest
    for cue in cues:
        start, end = _tick(cue.start_s), _tick(cue.end_s)
        lengths = [seen(line) for line in cue.lines if line and not line.isspace()] or [0]
        before = latest.get(cue.track, start)
        flags = BEFORE_ITS_PREDECESSOR if start < before else 0
        flags |= IS_IMAGE * cue.image | IS_FORCED * cue.forced
        flags |= UNTIL_NEXT * cue.until_next | CLEARS * cue.clears
        latest[cue.track] = max(before, start)
        line = min(cue.source_line or 0, _MAX_TICK)
        top = 65535
        counts = (min(sum(lengths), top), min(max(lengths), top), min(len(lengths), 255))
        place = crc32(cue.place.encode("utf-8", "replace")) if cue.place else 0
        rows.append((start, end, *counts, flags, place, min(cue.track, top), line))
    rows.sort(key=lambda row: (row[0], row[1], row[8]))
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
        place=np.uint32,
        track=np.uint16,
        source_line=np.int32,
    )
    columns = zip(*kept, strict=True) if kept else ([] for _ in _COLUMNS)
    builder.add(**dict(zip(_COLUMNS, columns, strict=True)))
    return builder.table(), left_out


def extent_table(captions: Captions | None, duration_s: float) -> Table:
    """Returns where a side-car file's cues lie, one row at the programme's beginning.

    Every segment has the whole file; the row is kept by the one that begins the programme.
    """
    builder = TableBuilder(
        Fraction(TICKS_HZ),
        at=np.int64,
        cues=np.int32,
        inside=np.int32,
        late=np.int32,
        first=np.int64,
        first_late=np.int64,
    )
    if captions is not None and (captions.cues or not captions.faults) and duration_s > 0:
        # A file without cues has its row as well, unless it says itself why they were not read.
        cues = captions.cues
        late = [cue.start_s for cue in cues if cue.start_s > duration_s + _AFTER_END_S]
        inside = sum(cue.start_s < duration_s and cue.end_s > 0 for cue in cues)
        builder.add(
            at=[0],
            cues=[len(cues)],
            inside=[inside],
            late=[len(late)],
            first=[_tick(min((cue.start_s for cue in cues), default=0.0))],
            first_late=[_tick(min(late, default=0.0))],
        )
    return builder.table()


def extent_from(table: Table) -> Extent | None:
    """Reads the extent's table; None where the beginning of the programme was not measured."""
    if not len(table):
        return None
    cues, inside, late = (int(column(table, name)[0]) for name in ("cues", "inside", "late"))
    first_s, late_s = (float(column(table, name)[0]) / TICKS_HZ for name in ("first", "first_late"))
    return Extent(cues, inside, late, first_s, late_s)


def fault_table(captions: Captions | None, left_out: int | None) -> Table:
    """Returns format faults, each at the start of the last cue that stands before its line."""
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


def tracks_from(table: Table, duration_s: float = np.inf) -> dict[int, Track]:
    """Reads the cues' table, by the number of the track.

    Args:
        table: What `cue_table` gives.
        duration_s: Length of the programme, where cues end that no event of their track ends.
    """
    numbers = column(table, "track")
    return {int(n): _track(table, numbers == n, duration_s) for n in np.unique(numbers)}


def _track(table: Table, own: NDArray[np.bool_], duration_s: float) -> Track:
    flags = column(table, "flags")[own]
    start, end = column(table, "start")[own], column(table, "end")[own].astype(np.int64)
    if np.any(flags & UNTIL_NEXT):
        following = np.append(start[1:], max(int(start[-1]), _tick(duration_s)))
        end = np.where(flags & UNTIL_NEXT, np.minimum(end, following), end)
    cues = (flags & CLEARS) == 0
    return Track(
        start_s=start[cues] / TICKS_HZ,
        end_s=end[cues] / TICKS_HZ,
        characters=column(table, "characters")[own][cues],
        longest=column(table, "longest")[own][cues],
        lines=column(table, "lines")[own][cues],
        unordered=(flags[cues] & BEFORE_ITS_PREDECESSOR) > 0,
        image=(flags[cues] & IS_IMAGE) > 0,
        place=column(table, "place")[own][cues],
        source_line=column(table, "source_line")[own][cues],
        forced=bool(np.any(flags & IS_FORCED)),
    )
