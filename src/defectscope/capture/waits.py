"""What a viewer waits for, measured from captured frames: start, stalls, seeks, black, overlays.

Nothing is asked of the player: a stall is a programme that stands, rebuffering is one with
something small that goes on moving over it. What the player says of itself is held against that
afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.activity import Activity
from defectscope.capture.jumps import Jump, explains, jump_of, leaps_of
from defectscope.capture.overlays import Overlay, overlays_of
from defectscope.findings import Interval
from defectscope.temporal.spans import runs

Flags = NDArray[np.bool_]
Series = NDArray[np.float64]
StallKind = Literal["rebuffering", "standing"]
WaitKind = Literal["stall", "jump", "black", "overlay"]

# A tile moves from so many codes of mean change on, and belongs to the programme if it moves in so
# many of the captures. Encoded again, a tile at rest changes by less but for its first captures.
MOVED_CODE = 0.3
_PROGRAMME_SHARE = 0.1
# A capture is lively when so many of the programme's tiles move: a spinner covers fewer.
_LIVELY_SHARE = 0.25
# A capture shows a new frame when it changes by so much of what those before it do.
_FRESH_SHARE = 0.3
# Playing means that so many captures of the next half second are lively.
_PLAYING_S, _PLAYING_SHARE = 0.5, 0.4
# Source: below 0.25 s a programme at rest is a held frame, which `stutter` tells.
_LEAST_STALL_S = 0.25
# A spinner moves in so many captures of a stall, and covers so many of the tiles.
_SPINNING_SHARE, _SPINNER_TILES = 0.3, 15
# Tiles at or below this are black; so many of the programme's are when the screen is.
_BLACK_CODE, _BLACK_SHARE, _LEAST_BLACK_S = 24.0, 0.8, 0.1


@dataclass(frozen=True)
class Stall:
    """A programme that stands.

    Attributes:
        interval: From when the next frame was due to when it came, seconds of the capture.
        kind: `rebuffering` with a spinner over it, `standing` without: a pause, or a freeze.
    """

    interval: Interval
    kind: StallKind


@dataclass(frozen=True)
class Waits:
    """All that a viewer waited for. Times are seconds of the capture, to half an interval of it.

    Attributes:
        first_frame_s: When the programme began to play; None where it never did.
        startup_s: From the launch to then; None without a mark.
        stalls: Programme that stands.
        jumps: Seeks and switches.
        black: Screens that went black after the start.
        overlays: Areas covered while the programme went on.
        holds: Where a frame stood too long for the capture to have made it, too short for a stall.
        rests_s: From when on nothing moves any more; None where it plays to the end.
    """

    first_frame_s: float | None
    startup_s: float | None
    stalls: tuple[Stall, ...] = ()
    jumps: tuple[Jump, ...] = ()
    black: tuple[Interval, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    holds: tuple[Interval, ...] = ()
    rests_s: float | None = None

    @property
    def spans(self) -> dict[WaitKind, list[Interval]]:
        """When the viewer waited, by for what."""
        return {
            "stall": [stall.interval for stall in self.stalls],
            "jump": [
                Interval(max(jump.asked_s, 0.0), max(jump.asked_s, jump.shown_s, 0.0))
                for jump in self.jumps
                if jump.shown_s is not None
            ],
            "black": list(self.black),
            "overlay": [overlay.interval for overlay in self.overlays],
        }

    @property
    def stalled_s(self) -> float:
        """How long the programme stood altogether."""
        return sum(stall.interval.duration_s for stall in self.stalls)

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "first_frame_s": _rounded(self.first_frame_s),
            "startup_s": _rounded(self.startup_s),
            "stalls": [{"kind": s.kind, **_span(s.interval)} for s in self.stalls],
            "stalled_s": round(self.stalled_s, 4),
            "jumps": [
                {
                    "name": jump.name,
                    "asked_s": _rounded(jump.asked_s),
                    "shown_s": _rounded(jump.shown_s),
                    "took_s": _rounded(jump.took_s),
                }
                for jump in self.jumps
            ],
            "black": [_span(one) for one in self.black],
            "overlays": [one.to_dict() for one in self.overlays],
            "holds": [_span(one) for one in self.holds],
            "rests_s": _rounded(self.rests_s),
        }


def measure_waits(
    activity: Activity,
    *,
    launched_s: float | None = None,
    jumps_s: tuple[tuple[str, float], ...] = (),
    title_fps: float | None = None,
) -> Waits:
    """Measures a captured session.

    Args:
        activity: What moves in it.
        launched_s: When the viewer asked for the title, seconds of the capture.
        jumps_s: Names and times of seeks and switches that were asked for.
        title_fps: Frames a second of the title; None takes what its motion shows.
    """
    times_s, instants_s = activity.times_s, activity.instants_s
    moves = activity.change > MOVED_CODE
    programme = moves.mean(axis=0) >= _PROGRAMME_SHARE if len(times_s) else np.zeros(0, bool)
    if not programme.any():
        return Waits(None, None, jumps=tuple(Jump(n, at_s, None) for n, at_s in jumps_s))
    lively = moves[:, programme].mean(axis=1) >= _LIVELY_SHARE
    first = _first_played(times_s, lively, launched_s or 0.0)
    if first is None:
        return Waits(None, None, jumps=tuple(Jump(n, at_s, None) for n, at_s in jumps_s))
    change = activity.change[:, programme].mean(axis=1, dtype=np.float64)
    dark = (activity.luma[:, programme] <= _BLACK_CODE).mean(axis=1) >= _BLACK_SHARE
    dark[:first] = False
    still = ~lively & ~dark
    still[:first] = False
    frame_s = 1 / title_fps if title_fps else _frame_s(times_s, lively & ~dark, first)
    stands = [
        (rows, Interval(*_ends(instants_s, change, rows, frame_s)))
        for rows in runs(still)
        # What goes on to the end of the capture has no end; what black follows is told as black.
        if rows[1] < len(times_s) and not dark[rows[1]] and not dark[rows[0] - 1]
    ]
    stands = [(r, one) for r, one in stands if one.duration_s >= _LEAST_STALL_S]
    black = tuple(
        one
        for a, b in runs(dark)
        if (one := Interval(*_within(instants_s, a, b))).duration_s >= _LEAST_BLACK_S
    )
    leaps, stood = leaps_of(activity, programme, first), [one for _, one in stands]
    jumps = tuple(jump_of(name, at_s, activity, leaps, stood) for name, at_s in jumps_s)
    return Waits(
        first_frame_s=float(instants_s[first]),
        startup_s=None if launched_s is None else float(instants_s[first]) - launched_s,
        stalls=tuple(
            Stall(one, _kind(moves[slice(*rows)]))
            for rows, one in stands
            if not any(explains(jump, one) for jump in jumps)
        ),
        jumps=jumps,
        black=black,
        overlays=overlays_of(activity, programme, lively & ~dark, first),
        holds=tuple(
            one
            for one in _held(times_s[first:], change[first:], lively[first:], frame_s)
            if not any(one.intersection_s(waited) for waited in [*black, *(w for _, w in stands)])
        ),
        rests_s=_rests_s(instants_s, still | dark),
    )


def _rests_s(instants_s: Series, rest: Flags) -> float | None:
    start_s = float(instants_s[runs(rest)[-1][0]]) if rest[-1] else float("inf")
    return start_s if instants_s[-1] - start_s >= _LEAST_STALL_S else None


def _first_played(times_s: Series, lively: Flags, from_s: float) -> int | None:
    ahead = np.searchsorted(times_s, times_s + _PLAYING_S)
    total = np.concatenate([[0], np.cumsum(lively)])
    for k in np.flatnonzero(lively & (times_s >= from_s)).tolist():
        if total[ahead[k]] - total[k] >= _PLAYING_SHARE * max(ahead[k] - k, 2):
            return k
    return None


def _frame_s(times_s: Series, lively: Flags, first: int) -> float:
    """Returns how far apart frames come while the programme plays: a little more than they do."""
    steps_s = np.diff(times_s[first:][lively[first:]])
    return float(np.median(steps_s)) if len(steps_s) else 0.0


def _ends(
    instants_s: Series, change: Series, rows: tuple[int, int], frame_s: float
) -> tuple[float, float]:
    """Returns when the frame after the last new one was due, and when it came."""
    last = rows[0] - 1
    around = change[max(0, last - 30) : last + 1]
    level = _FRESH_SHARE * float(np.median(around)) if len(around) else 0.0
    while last > 0 and change[last] < level:
        last -= 1
    end_s = float(instants_s[rows[1]])
    return min(float(instants_s[max(last, 0)]) + frame_s, end_s), end_s


def _held(times_s: Series, change: Series, lively: Flags, frame_s: float) -> list[Interval]:
    """Returns where a frame stood for longer than its own time and two captures."""
    if not lively.any():
        return []
    # Captures are compared with the motion around them: a second or so, nothing of stalls.
    near = np.searchsorted(np.flatnonzero(lively), np.arange(len(change)))
    moving = change[lively]
    level = np.array([np.median(moving[max(0, k - 15) : k + 15]) for k in near])
    fresh = np.flatnonzero(change >= _FRESH_SHARE * level)
    longest_s = frame_s + 2 * float(np.median(np.diff(times_s)))
    return [
        Interval(float(times_s[a]), float(times_s[b]))
        for a, b in pairwise(fresh.tolist())
        if times_s[b] - times_s[a] > longest_s
    ]


def _within(instants_s: Series, first: int, end: int) -> tuple[float, float]:
    return float(instants_s[first]), float(instants_s[min(end, len(instants_s) - 1)])


def _kind(moves: Flags) -> StallKind:
    """Tells from the tiles of a stall, (captures, tiles), whether something spins over it."""
    spinning = int((moves.mean(axis=0) >= _SPINNING_SHARE).sum())
    return "rebuffering" if 1 <= spinning <= _SPINNER_TILES else "standing"


def _span(one: Interval) -> dict[str, float]:
    return {
        "start_s": round(one.start_s, 4),
        "end_s": round(one.end_s, 4),
        "duration_s": round(one.duration_s, 4),
    }


def _rounded(value_s: float | None) -> float | None:
    return None if value_s is None else round(value_s, 4)
