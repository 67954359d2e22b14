"""From judged frames to occurrences with ends: judged frames are few, ends should be exact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Far below a frame, far above the rounding of seconds.
_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Event:
    """One occurrence.

    Attributes:
        start_s: First damaged instant.
        end_s: First instant after it.
        confidence: Highest score of a frame in it.
    """

    start_s: float
    end_s: float
    confidence: float


@dataclass(frozen=True, slots=True)
class Known:
    """The frames that were judged.

    Attributes:
        rows: Their rows in the table of frames, rising.
        scores: Their scores, 0 to 1.
        jumps: For every frame, how suddenly its most changed part changed.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    jumps: NDArray[Any]

    @staticmethod
    def of(
        rows: NDArray[Any], scores: NDArray[Any], previous: NDArray[Any], jumps: NDArray[Any]
    ) -> Known:
        """Joins scores of frames and of the frames before them; a frame's own score wins."""
        judged: dict[int, float] = {}
        for row, score in zip(rows.tolist(), previous.tolist(), strict=True):
            if row > 0:
                judged[row - 1] = score
        judged.update(zip(rows.tolist(), scores.tolist(), strict=True))
        order = sorted(judged)
        return Known(np.array(order, np.int64), np.array([judged[r] for r in order]), jumps)


def events(
    known: Known,
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    enter: float,
    leave: float,
    bridge_s: float,
) -> list[Event]:
    """Gives occurrences: judged frames at or above `leave` in a row, one of them at `enter`.

    Between a clean and a damaged judged frame, the end lies where the picture changed most.

    Args:
        known: The judged frames.
        starts_s: When each frame is presented.
        ends_s: When it is replaced.
        enter: Score that an occurrence must reach.
        leave: Score below which it is over.
        bridge_s: Occurrences no further apart than this are joined.
    """
    out: list[Event] = []
    high = known.scores >= leave
    place = 0
    while place < len(high):
        if not high[place]:
            place += 1
            continue
        stop = place
        while stop < len(high) and high[stop]:
            stop += 1
        peak = float(known.scores[place:stop].max())
        if peak >= enter:
            first = _turn(known, place - 1, place)
            last = _turn(known, stop - 1, stop)
            event = Event(float(starts_s[first]), float(ends_s[last - 1]), peak)
            if out and event.start_s - out[-1].end_s <= bridge_s + _ROUNDING_S:
                event = Event(out[-1].start_s, event.end_s, max(out[-1].confidence, peak))
                out.pop()
            out.append(event)
        place = stop
    return out


def _turn(known: Known, before: int, after: int) -> int:
    """The first row of the state that begins between two neighbouring judged frames."""
    if after >= len(known.rows):
        # Nothing was judged after it: the damage lasts as long as anything is known.
        return int(known.rows[before]) + 1
    if before < 0:
        return int(known.rows[after])
    first, last = int(known.rows[before]) + 1, int(known.rows[after])
    if first >= last:
        return last
    return first + int(np.argmax(known.jumps[first : last + 1]))
