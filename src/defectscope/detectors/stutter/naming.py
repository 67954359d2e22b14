"""What a disturbance of motion is, in the words of those who know its causes.

Pure functions over the events of one disturbance: rows of the table, what happened there, and how
clearly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]

# First and last row, what happened there, and how clearly.
Event = tuple[int, int, str, float]

# Events are regular where so many of their distances are one distance, or a multiple of it.
_REGULAR_SHARE = 0.8
_LEAST_EVENTS = 3
# Events in a row that a cut or a still moment may hide.
_MOST_HIDDEN = 3
_SLACK, _LOOSE_FRAMES = 0.04, 10
# Regular events further apart than this are not one disturbance to anybody.
_LONGEST_PERIOD_S = 3.0
# Frames on either side of a break that tell which cadence it broke.
_CADENCE_REACH = 40
_LONGEST_UNIT = 5
_UNIT_SHARE = 0.6
# Holds of so many frames are a player that waits, shorter ones a capture out of step.
WAITING_FRAMES = 3
# Drops are told from the curves of motion: fewer at one distance are chance.
_LEAST_DROPS = 5


def period_frames(events: Sequence[Event]) -> int | None:
    """Returns at which distance events of one kind follow each other, None where they do not."""
    if len(events) < _LEAST_EVENTS or len({kind for *_, kind, _ in events}) > 1:
        return None
    apart = np.diff([first for first, *_ in events])
    # Where some are hidden, the usual distance is a multiple of the least.
    for period in (float(np.median(apart)), float(np.min(apart))):
        if period < 2:
            continue
        times = np.rint(apart / period)
        # A frame more or less is no rhythm where few lie between.
        slack = max(float(period >= _LOOSE_FRAMES), _SLACK * period) * np.maximum(times, 1)
        fits = (
            (times >= 1) & (times <= _MOST_HIDDEN + 1) & (np.abs(apart - times * period) <= slack)
        )
        if np.mean(fits) >= _REGULAR_SHARE:
            return round(float(np.sum(apart[fits]) / np.sum(times[fits])))
    return None


def join_regular(groups: Sequence[list[Event]], rate_fps: float) -> list[list[Event]]:
    """Joins disturbances that follow each other in one rhythm: 24 shown at 25 is one, all along."""
    out: list[list[Event]] = []
    waiting = list(groups)
    while waiting:
        group = waiting.pop(0)
        while waiting:
            both = [*group, *waiting[0]]
            more = both if len(both) >= _LEAST_EVENTS or len(waiting) < 2 else [*both, *waiting[1]]
            period = period_frames(more)
            if period is None or period > _LONGEST_PERIOD_S * rate_fps:
                break
            group = both
            del waiting[0]
        out.append(group)
    return out


def cadence_name(still: Flags, at: int) -> str:
    """Returns how many frames each is shown for around a break, as `3:2`; empty where unclear."""
    lo = max(0, at - _CADENCE_REACH)
    begins = np.flatnonzero(~still[lo : at + _CADENCE_REACH])
    lengths = np.diff(begins)
    for unit in range(1, _LONGEST_UNIT + 1):
        if len(lengths) < 2 * unit + 1:
            break
        repeated = lengths[unit:] == lengths[:-unit]
        if np.mean(repeated) >= _UNIT_SHARE:
            holds = np.flatnonzero(repeated)
            # From the first place on at which the rhythm holds for a whole unit.
            lead = next((k for k in holds if repeated[k : k + unit].all()), int(holds[0]))
            shown = lengths[lead : lead + unit].tolist()
            turn = max(range(len(shown)), key=lambda k: shown[k:] + shown[:k])
            turned = shown[turn:] + shown[:turn]
            return ":".join(map(str, turned if len(turned) > 1 else turned * 2))
    return ""


def seen(events: Sequence[Event], still: Flags, rate_fps: float) -> dict[str, Any]:
    """Returns `pattern`, a word, and `seen`, a sentence; with the source's rate where it shows.

    Args:
        events: Of one disturbance, in order.
        still: (n,) frames of the whole table that repeat the one before.
        rate_fps: Frames a second.
    """
    kinds = [kind for *_, kind, _ in events]
    kind = "jitter" if "jitter" in kinds else max(sorted(set(kinds)), key=kinds.count)
    own = [event for event in events if event[2] == kind]
    shown = f"{rate_fps:.5g}"
    if kind == "jitter":
        return {
            "kind": kind,
            "pattern": "capture_jitter",
            "seen": "frames come at uneven times, as from a capture out of step",
        }
    if kind == "cadence":
        name = cadence_name(still, own[0][0])
        times = f"{len(own)} times" if len(own) > 1 else "once"
        out: dict[str, Any] = {"pattern": "broken_cadence"}
        if name:
            out["cadence"] = name
        return {**out, "seen": f"{name + ' ' if name else ''}cadence broken {times}"}
    period = period_frames(own)
    hold = round(float(np.median([last - first for first, last, *_ in own])))
    enough = hold < WAITING_FRAMES if kind == "repeat" else len(own) >= _LEAST_DROPS
    if period is not None and enough:
        if kind == "repeat":
            source = rate_fps * (period - hold) / period
            words = "one repeat" if hold == 1 else f"a repeat of {hold}"
        else:
            source = rate_fps * (period + 1) / period
            words = "one frame missing"
        return {
            "pattern": f"regular_{kind}s",
            "period_frames": period,
            "source_fps": round(source, 3),
            "seen": f"{words} every {period} frames: {source:.4g} shown at {shown} a second",
        }
    return _irregular(kind, own, hold)


def _irregular(kind: str, own: Sequence[Event], hold: int) -> dict[str, Any]:
    count = len(own)
    if kind == "drop":
        where = "one place" if count == 1 else f"{count} places"
        return {"pattern": "drops", "seen": f"frames missing at {where}"}
    longest = max(last - first for first, last, *_ in own)
    if count < _LEAST_EVENTS or hold >= WAITING_FRAMES:
        times = "once" if count == 1 else f"{count} times"
        return {"pattern": "holds", "seen": f"motion stands for up to {longest} frames, {times}"}
    return {
        "pattern": "capture_jitter",
        "seen": f"frames shown again {count} times out of any rhythm, as by a capture out of step",
    }
