"""Seeks and switches in a capture: when the new place was first shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.activity import Activity
from defectscope.findings import Interval

Flags = NDArray[np.bool_]

# A jump to another place changes the means of tiles by so much, so many times the motion around.
_LEAP_CODE, _LEAP_RATIO = 3.0, 4.0
# A seek begins to show within this time, or it cannot be told from what the programme does itself.
_SEEK_S = 1.0


@dataclass(frozen=True)
class Jump:
    """What came of one seek or switch.

    Attributes:
        name: The mark's name.
        asked_s: When it was asked for, seconds of the capture.
        shown_s: When the new place was first shown; None where nothing tells.
    """

    name: str
    asked_s: float
    shown_s: float | None

    @property
    def took_s(self) -> float | None:
        """How long the viewer waited."""
        return None if self.shown_s is None else self.shown_s - self.asked_s


def leaps_of(activity: Activity, programme: Flags, first: int) -> NDArray[np.int64]:
    """Returns the captures at which the frame becomes quite another one.

    Args:
        activity: What moves in the capture.
        programme: (tiles,) which of them belong to the programme.
        first: The capture in which it begins to play.
    """
    moved = np.abs(np.diff(activity.luma[:, programme], axis=0)).mean(axis=1)
    moved = np.concatenate([[0.0], moved])
    found = [
        k
        for k in np.flatnonzero(moved >= _LEAP_CODE).tolist()
        if k > first and moved[k] >= _LEAP_RATIO * float(np.median(moved[max(0, k - 15) : k + 16]))
    ]
    return np.asarray(found, np.int64)


def jump_of(
    name: str,
    asked_s: float,
    activity: Activity,
    leaps: NDArray[np.int64],
    stands: list[Interval],
) -> Jump:
    """Returns what came of a seek or switch.

    Args:
        name: The mark's name.
        asked_s: When it was asked for, seconds of the capture.
        activity: What moves in the capture.
        leaps: As `leaps_of` gives them.
        stands: Where the programme stands.
    """
    stood = [one for one in stands if asked_s - _SEEK_S / 4 <= one.start_s <= asked_s + _SEEK_S]
    until_s = max([asked_s + _SEEK_S, *(one.end_s for one in stood)])
    times_s = activity.times_s[leaps]
    leapt_s = activity.instants_s[leaps][(times_s >= asked_s) & (times_s <= until_s)]
    if len(leapt_s):
        return Jump(name, asked_s, max(float(leapt_s[0]), asked_s))
    return Jump(name, asked_s, stood[0].end_s if stood else None)


def explains(jump: Jump, stood: Interval) -> bool:
    """Tells whether what stood was the viewer's waiting for a seek: more than half lies within."""
    if jump.shown_s is None or jump.shown_s <= jump.asked_s:
        return False
    waited = Interval(jump.asked_s - _SEEK_S / 4, jump.shown_s)
    return waited.intersection_s(stood) > stood.duration_s / 2
