"""What can be told from the cues alone: format, speed, length, gaps and overlaps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.caption_quality.track import TICKS_HZ, Extent, Track
from defectscope.measurements import Table
from defectscope.media.cues import FAULTS, NOT_UTF8
from defectscope.temporal.spans import runs
from defectscope.temporal.tables import column

# So many lines of another encoding may have come in by copying.
_FEW = 5
# A finding needs some length to be seen on a time line.
_INSTANT_S = 0.04


@dataclass(frozen=True, slots=True)
class Break:
    """One rule broken in one place.

    Attributes:
        defect: Which.
        start_s: Where it begins.
        end_s: Where it ends.
        evidence: What was measured.
    """

    defect: str
    start_s: float
    end_s: float
    evidence: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of the rules; see the detector's parameters."""

    max_characters_per_s: float
    max_line_characters: int
    max_lines: int
    min_gap_s: float
    min_duration_s: float
    max_duration_s: float
    min_overlap_s: float


def fault_breaks(faults: Table) -> Iterator[Break]:
    """Yields what is wrong with a side-car file; a fault that goes on is one, counted.

    Faults of one kind are one where no caption was read between them; more than a few letters of
    another encoding are one for the whole file.
    """
    at, lines, kinds = (column(faults, name).tolist() for name in ("at", "source_line", "kind"))
    encoding = FAULTS.index(NOT_UTF8)
    foreign = kinds.count(encoding) > _FEW
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for tick, line, kind in zip(at, lines, kinds, strict=True):
        whole = foreign and kind == encoding
        groups.setdefault((kind, 0 if whole else tick), []).append((tick, line))
    for (kind, _), places in sorted(groups.items(), key=lambda group: group[1][0]):
        start_s, end_s = places[0][0] / TICKS_HZ, places[-1][0] / TICKS_HZ
        message = FAULTS[kind] if kind < len(FAULTS) else "a format error"
        evidence: dict[str, Any] = {"problem": message}
        # What was cut off has no line of its own, and embedded cues have none.
        if places[0][1]:
            evidence["source_line"] = places[0][1]
        if len(places) > 1:
            evidence |= {"faults": len(places), "last_source_line": places[-1][1]}
        yield Break("caption_format", start_s, end_s + _INSTANT_S, evidence)


def time_breaks(track: Track) -> Iterator[Break]:
    """Yields cues whose times make no sense."""
    wrong = (track.end_s <= track.start_s) | (track.start_s < 0) | track.unordered
    for k in np.flatnonzero(wrong):
        start_s, end_s = float(track.start_s[k]), float(track.end_s[k])
        problem = "it stands after a later cue"
        if end_s <= start_s:
            problem = "it ends before it begins" if end_s < start_s else "it has no length"
        elif start_s < 0:
            problem = "it begins before the programme"
        evidence = {"problem": problem, **_line(track, k)}
        low = max(0.0, min(start_s, end_s))
        yield Break("caption_format", low, max(low + _INSTANT_S, start_s, end_s), evidence)


def empty_breaks(track: Track) -> Iterator[Break]:
    """Yields runs of consecutive cues without anything to read."""
    for first, last in runs(track.empty):
        part = slice(first, last)
        evidence = {"problem": "it has no text", "cues": int(last - first), **_line(track, first)}
        start_s = max(0.0, float(track.start_s[first]))
        end_s = max(start_s + _INSTANT_S, float(track.end_s[part].max()))
        yield Break("caption_format", start_s, end_s, evidence)


def outside_breaks(extent: Extent, duration_s: float) -> Iterator[Break]:
    """Yields what is never on screen because it lies outside the programme."""
    if not extent.cues:
        length = {"duration_s": round(duration_s, 3)}
        evidence = {"problem": "the file holds no caption", "cues": 0, **length}
        yield Break("caption_missing", 0.0, duration_s, evidence)
    elif not extent.inside:
        evidence = {
            "problem": "no caption lies inside the programme",
            "cues": extent.cues,
            "first_cue_s": extent.first_s,
            "duration_s": round(duration_s, 3),
        }
        hours = round(extent.first_s / 3600)
        if hours and 0 <= extent.first_s - hours * 3600 < duration_s:
            # Programmes on tape begin at a full hour.
            evidence["offset_s"] = hours * 3600
        yield Break("caption_missing", 0.0, duration_s, evidence)
    elif extent.late:
        evidence = {
            "problem": "captions begin after the end of the programme",
            "cues": extent.late,
            "first_cue_s": extent.first_late_s,
        }
        yield Break("caption_format", max(0.0, duration_s - _INSTANT_S), duration_s, evidence)


def _line(track: Track, row: Any) -> dict[str, int]:
    """Returns where a cue stands in its file; embedded cues have no line."""
    number = int(track.source_line[row])
    return {"source_line": number} if number else {}


def reading_breaks(track: Track, limits: Limits) -> Iterator[Break]:
    """Returns cues that cannot be read: too fast, too long, too short or on screen for too long."""
    length = track.end_s - track.start_s
    good = length > 0
    speed = track.characters / np.where(good, length, 1.0)
    for k in np.flatnonzero(good & ~track.empty):
        span = (float(track.start_s[k]), float(track.end_s[k]))
        line = _line(track, k)
        if length[k] < limits.min_duration_s - 1e-6 or length[k] > limits.max_duration_s + 1e-6:
            # Too short says it already: such a cue is always too fast as well.
            yield Break("caption_gap", *span, {"duration_s": round(float(length[k]), 3), **line})
        elif speed[k] > limits.max_characters_per_s:
            evidence = {"characters_per_s": round(float(speed[k]), 1), **line}
            yield Break("caption_speed", *span, evidence)
        if track.longest[k] > limits.max_line_characters or track.lines[k] > limits.max_lines:
            evidence = {"line_characters": int(track.longest[k]), "lines": int(track.lines[k])}
            yield Break("caption_length", *span, {**evidence, **line})


def spacing_breaks(track: Track, limits: Limits) -> Iterator[Break]:
    """Yields cues that follow too closely, or while an earlier one is still in their place."""
    good = (track.end_s > track.start_s) & ~track.empty
    for place in np.unique(track.place[good]):
        yield from _crowding(track, np.flatnonzero(good & (track.place == place)), limits)


def _crowding(track: Track, good: NDArray[np.intp], limits: Limits) -> Iterator[Break]:
    """Yields the breaks among the cues of one place, ordered by start."""
    if len(good) < 2:
        return
    start_s, end_s = track.start_s[good], track.end_s[good]
    reached = np.maximum.accumulate(end_s)[:-1]
    gap = start_s[1:] - reached
    for k in np.flatnonzero(gap < limits.min_gap_s):
        line = _line(track, good[k + 1])
        own = (float(start_s[k + 1]), float(end_s[k + 1]))
        if -gap[k] >= limits.min_overlap_s:
            end = min(float(reached[k]), own[1])
            evidence = {"overlap_s": round(end - own[0], 3), **line}
            yield Break("caption_overlap", own[0], end, evidence)
        elif gap[k] > 1e-6:
            # Cues that touch are one way to write continuous text; a blink between them is none.
            yield Break("caption_gap", *own, {"gap_s": round(float(gap[k]), 3), **line})
