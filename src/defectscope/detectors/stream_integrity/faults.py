"""Complaints joined into faults, each with the interval that it spoils."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from defectscope.measurements import Table
from defectscope.temporal.tables import column, times_s

KINDS = (
    "decode_error",
    "corrupt_frame",
    "corrupt_packet",
    "size_change",
    "audio_gap",
    "audio_overlap",
    "truncated",
    "video_gap",
    "video_overlap",
    "invalid_samples",
    "clock_restart",
    "layout_change",
    "rate_change",
    "late_start",
)
# Complaints after which frames that refer to this one are damaged too.
_REFERRED_TO = ("decode_error", "corrupt_frame", "corrupt_packet")
# Kinds that are several reports of one fault when they follow closely.
_RUNNING = (
    *_REFERRED_TO,
    "size_change",
    "invalid_samples",
    "video_gap",
    "video_overlap",
    "audio_gap",
    "audio_overlap",
)
# A splice: the stream goes on as another, and what is said of its seam is part of it.
_CHANGES = ("layout_change", "rate_change", "clock_restart")
_SPLICED = (
    "decode_error",
    "corrupt_frame",
    "corrupt_packet",
    "size_change",
    "audio_gap",
    "audio_overlap",
    "video_gap",
    "video_overlap",
)
# How far frames and sound may be apart at either side of a hole that both have, seconds.
_APART_S = 0.3


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with the stream, over an interval of it.

    Attributes:
        kind: One of `KINDS`.
        start_s: When it begins.
        end_s: When it ends.
        amount_s: Size of a jump in time, seconds.
        events: How many complaints it is made of.
        video: It concerns the frame.
        kinds: All kinds that were joined.
        track: Number of the track in the container; -1 where that is not known.
    """

    kind: str
    start_s: float
    end_s: float
    amount_s: float = 0.0
    events: int = 1
    video: bool = False
    kinds: tuple[str, ...] = ()
    track: int = -1

    @property
    def refers(self) -> bool:
        """Other frames refer to what is damaged."""
        return self.video and self.kind in _REFERRED_TO

    def evidence(self) -> dict[str, Any]:
        """Returns what a finding says of it."""
        out: dict[str, Any] = {"kind": self.kind, "events": self.events}
        name = {"layout_change": "channels", "rate_change": "rate_hz"}.get(self.kind, "jump_s")
        out[name] = round(self.amount_s, 4)
        return out | ({"kinds": list(self.kinds)} if len(self.kinds) > 1 else {})


def complaints(table: Table, frame_s: float) -> list[Fault]:
    """Returns the events' table as faults of a frame each; a gap is noticed where it ends."""
    rows = zip(
        times_s(table).tolist(),
        column(table, "kind").tolist(),
        column(table, "amount_s").tolist(),
        column(table, "video").tolist(),
        column(table, "track").tolist(),
        strict=True,
    )
    found: list[Fault] = []
    for at_s, code, amount_s, video, track in rows:
        kind = KINDS[code]
        span = (at_s, at_s + frame_s)
        if kind in ("video_gap", "audio_gap"):
            span = (max(0.0, at_s - amount_s), at_s)
        found.append(Fault(kind, *span, amount_s, video=bool(video), track=track))
    return found


def until(fault: Fault, keys: Table, end_s: float) -> Fault:
    """Returns a fault up to where frames begin afresh: the next key frame, or the end."""
    later = times_s(keys)
    at = int(np.searchsorted(later, fault.end_s - 1e-6))
    recovered_s = float(later[at]) if at < len(later) else end_s
    return replace(fault, end_s=max(fault.end_s, recovered_s))


def at_changes(found: list[Fault], near_s: float) -> list[Fault]:
    """Joins what happens where the stream's clock or format changes to the change itself.

    Packets break off there, and time stamps overlap or leave gaps: all of it is one splice.
    """
    changes = sorted((f for f in found if f.kind in _CHANGES), key=lambda f: f.start_s)
    kept: list[Fault] = []
    out = [replace(f, kinds=(f.kind,)) for f in changes]
    for fault in found:
        if fault.kind in _CHANGES:
            continue
        near = [k for k, f in enumerate(out) if abs(f.start_s - fault.start_s) <= near_s]
        if near and fault.kind in _SPLICED:
            one = _both(out[near[0]], fault)
            out[near[0]] = replace(one, amount_s=out[near[0]].amount_s, end_s=out[near[0]].end_s)
        else:
            kept.append(fault)
    merged: list[Fault] = []
    for change in out:
        if merged and change.start_s - merged[-1].start_s <= near_s:
            first = merged[-1]
            merged[-1] = replace(_both(first, change), amount_s=first.amount_s, end_s=first.end_s)
        else:
            merged.append(change)
    return kept + merged


def joined(found: list[Fault], join_s: float) -> list[Fault]:
    """Joins faults of one kind that follow closely, and damage of the frame that overlaps."""
    found = at_changes(found, join_s)
    out: list[Fault] = [f for f in found if f.kind in _CHANGES]
    found = [f for f in found if f.kind not in _CHANGES]
    for kind in KINDS:
        for fault in sorted((f for f in found if f.kind == kind), key=lambda f: f.start_s):
            last = out[-1] if out and out[-1].kind == kind else None
            close = last is not None and fault.start_s - last.end_s <= join_s
            equal = last is not None and (last.track, last.video) == (fault.track, fault.video)
            if last is not None and close and equal and kind in _RUNNING:
                out[-1] = _both(last, fault)
            else:
                out.append(replace(fault, kinds=(kind,)))
    out = _both_gaps(out)
    frames = [f for f in out if f.video and f.kind in (*_REFERRED_TO, "video_gap")]
    one: list[Fault] = []
    for fault in sorted(frames, key=lambda f: f.start_s):
        if one and fault.start_s <= one[-1].end_s:
            one[-1] = _both(one[-1], fault)
        else:
            one.append(fault)
    return [f for f in out if f not in frames] + one


def _both_gaps(found: list[Fault]) -> list[Fault]:
    """Joins gaps of video and audio at the same time to one."""
    holes = [f for f in found if f.kind == "video_gap"]
    out = [f for f in found if f.kind not in ("video_gap", "audio_gap")]
    for sound in (f for f in found if f.kind == "audio_gap"):
        for k, hole in enumerate(holes):
            apart_s = max(abs(hole.start_s - sound.start_s), abs(hole.end_s - sound.end_s))
            if apart_s <= _APART_S and min(hole.amount_s, sound.amount_s) > _APART_S:
                holes[k] = replace(_both(hole, sound), amount_s=hole.amount_s)
                break
        else:
            out.append(sound)
    return out + holes


def _both(a: Fault, b: Fault) -> Fault:
    return replace(
        a,
        end_s=max(a.end_s, b.end_s),
        amount_s=a.amount_s + b.amount_s if a.kind == b.kind else max(a.amount_s, b.amount_s),
        events=a.events + b.events,
        kinds=tuple(dict.fromkeys((*a.kinds, *b.kinds))),
    )
