"""Holds what was seen against what the player says of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from defectscope.capture.session import Session
from defectscope.capture.waits import Waits
from defectscope.findings import Interval

# A stall that was seen and one that the player tells are one when they lie this close, seconds.
_CLOSE_S = 0.3


@dataclass(frozen=True)
class Claim:
    """One wait as it was seen and as the player tells it. Times are seconds of the capture.

    Attributes:
        what: `first_frame` or `stall`.
        seen: From when to when it was seen; None where it was not.
        told: From when to when the player says; None where it says nothing.
    """

    what: Literal["first_frame", "stall"]
    seen: Interval | None
    told: Interval | None

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object; differences are seen less told."""
        made: dict[str, Any] = {"what": self.what}
        for name, one in (("seen", self.seen), ("told", self.told)):
            made[name] = None if one is None else [round(one.start_s, 4), round(one.end_s, 4)]
        if self.seen is not None and self.told is not None:
            made["start_difference_s"] = round(self.seen.start_s - self.told.start_s, 4)
            made["end_difference_s"] = round(self.seen.end_s - self.told.end_s, 4)
        return made


def held_against(waits: Waits, session: Session) -> tuple[Claim, ...]:
    """Returns each wait that was seen or told, once; nothing where the player told nothing.

    Args:
        waits: What was seen.
        session: Holds the player's events `first_frame`, `waiting`, `playing` and `seeking`.
    """
    if not session.events:
        return ()
    claims: list[Claim] = []
    first_s = session.when_s("first_frame", events=True)[:1]
    if first_s or waits.first_frame_s is not None:
        seen = None if waits.first_frame_s is None else _instant(waits.first_frame_s)
        claims.append(Claim("first_frame", seen, _instant(first_s[0]) if first_s else None))
    told = _told(session, first_s[0] if first_s else 0.0)
    for stall in waits.stalls:
        own = next((one for one in told if _close(one, stall.interval)), None)
        if own is not None:
            told.remove(own)
        claims.append(Claim("stall", stall.interval, own))
    claims += [Claim("stall", None, one) for one in told]
    return tuple(claims)


def _told(session: Session, from_s: float) -> list[Interval]:
    """Returns the player's stalls: from `waiting` to the next `playing`, without those of seeks."""
    playing_s = session.when_s("playing", events=True)
    seeks_s = session.when_s("seeking", events=True)
    found: list[Interval] = []
    for at_s in session.when_s("waiting", events=True):
        ends_s = [end_s for end_s in playing_s if end_s >= at_s]
        seeking = any(abs(seek_s - at_s) < _CLOSE_S for seek_s in seeks_s)
        # What has no end was not over when the recording was.
        if at_s >= from_s and ends_s and not seeking:
            found.append(Interval(at_s, ends_s[0]))
    return found


def _close(one: Interval, other: Interval) -> bool:
    near = abs(one.start_s - other.start_s) <= _CLOSE_S
    return near or one.intersection_s(other) > 0.5 * min(one.duration_s, other.duration_s)


def _instant(at_s: float) -> Interval:
    return Interval(at_s, at_s)
