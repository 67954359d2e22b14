"""Caption bytes of the frame's user data as a table, and the tracks decoded from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction

import numpy as np

from defectscope.detectors.caption_quality.track import TICKS_HZ, Track, cue_table, tracks_from
from defectscope.measurements import Table
from defectscope.media.captions.caption_bytes import CaptionBytes, caption_byte_cues
from defectscope.temporal.tables import TableBuilder, column

# Captions need a tenth of it; streams made to fill the memory stop here.
_MAX_ROWS_PER_MINUTE = 12_000


def bytes_table(items: Iterable[CaptionBytes]) -> Table:
    """Returns caption bytes, a row for each pair, ordered by time.

    They are decoded when the whole programme is at hand: a caption may be sent long before it is
    shown, in another segment.
    """
    builder = TableBuilder(
        Fraction(TICKS_HZ),
        at=np.int64,
        track=np.uint16,
        kind=np.uint8,
        first=np.uint8,
        second=np.uint8,
    )
    rows: list[tuple[int, int, int, int, int]] = []
    minute, used = None, 0
    for item in sorted(items, key=lambda item: item.at_s):
        at = round(item.at_s * TICKS_HZ)
        own = at // (60 * TICKS_HZ)
        minute, used = (own, used) if own == minute else (own, 0)
        for k in range(0, len(item.data) - 2, 3):
            used += 1
            if used <= _MAX_ROWS_PER_MINUTE:
                kind, first, second = item.data[k : k + 3]
                rows.append((at, item.track, kind, first, second))
    names = ("at", "track", "kind", "first", "second")
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    builder.add(**dict(zip(names, columns, strict=True)))
    return builder.table()


def embedded_tracks(table: Table, duration_s: float) -> dict[int, Track]:
    """Returns the tracks in caption bytes, by their number.

    Args:
        table: What `bytes_table` gives.
        duration_s: Length of the programme, where captions end that nothing erases.
    """
    out: dict[int, Track] = {}
    if not len(table):
        return out
    numbers = column(table, "track")
    for number in np.unique(numbers):
        own = numbers == number
        at_s = column(table, "at")[own] / TICKS_HZ
        kind, first, second = (column(table, name)[own] for name in ("kind", "first", "second"))
        groups = list(
            zip(at_s.tolist(), kind.tolist(), first.tolist(), second.tolist(), strict=True)
        )
        for track, cues in caption_byte_cues(groups).items():
            shown = [replace(c, end_s=max(c.start_s, min(c.end_s, duration_s))) for c in cues]
            made = tracks_from(cue_table(shown)[0])
            # A stream of such bytes keeps its own number for the first channel in it.
            name = int(number) if number and int(number) not in out else track
            out[name] = next(iter(made.values()))
    return out
