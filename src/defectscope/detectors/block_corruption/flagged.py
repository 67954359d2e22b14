"""Frames that the decoder flags, where the map confirms damage: a finding by two witnesses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.events import Event, Known

# Flagged frames this near to each other belong together: decoders flag a frame, show its damage in
# those that refer to it, and say nothing of them.
_GAP_S = 0.3
_ROUNDING_S = 1e-6


def confirmed(
    corrupt: NDArray[np.bool_],
    areas: Known,
    starts_s: NDArray[np.float64],
    ends_s: NDArray[np.float64],
    least_area: float,
    confidence: float,
) -> list[Event]:
    """Returns runs of flagged frames in which the map shows damage.

    Args:
        corrupt: Which frames the decoder flags.
        areas: The frames that were looked at, and the damaged share of each.
        starts_s: When each frame is presented.
        ends_s: When it is replaced.
        least_area: Damaged share that confirms.
        confidence: What such a finding is given.
    """
    out: list[Event] = []
    for run in _runs(np.flatnonzero(corrupt), starts_s, ends_s):
        # The frame after the last flagged one often shows the same damage.
        seen = (areas.rows >= run[0]) & (areas.rows <= run[-1] + 1)
        if seen.any() and float(areas.scores[seen].max()) >= least_area:
            out.append(Event(float(starts_s[run[0]]), float(ends_s[run[-1]]), confidence))
    return out


def _runs(
    rows: NDArray[np.int64], starts_s: NDArray[np.float64], ends_s: NDArray[np.float64]
) -> list[list[int]]:
    runs: list[list[int]] = []
    for row in rows.tolist():
        if runs and starts_s[row] - ends_s[runs[-1][-1]] <= _GAP_S + _ROUNDING_S:
            runs[-1].append(row)
        else:
            runs.append([row])
    return runs


def joined(events: list[Event], more: list[Event], bridge_s: float) -> list[Event]:
    """Returns events of both, those that touch or are no further apart than a bridge as one."""
    out: list[Event] = []
    for event in sorted([*events, *more], key=lambda each: (each.start_s, each.end_s)):
        if out and event.start_s - out[-1].end_s <= bridge_s + _ROUNDING_S:
            last = out.pop()
            event = Event(
                last.start_s,
                max(last.end_s, event.end_s),
                max(last.confidence, event.confidence),
            )
        out.append(event)
    return out
