"""Damage between a beginning and an end that are each beyond doubt, however little it shows itself.

What stands still looks the same in every look at it: the looks do not count one by one, as the path
of intervals has them count. Where damage is faint, what came at once and went at once tells it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.block_corruption.events import Event, Known
from defectscope.detectors.block_corruption.steps import Steps

# Damage goes with the next random access point, and these are rarely further apart.
_LONGEST_S = 10.0


def enclosed(
    known: Known, starts_s: NDArray[np.float64], steps: Steps, least: float
) -> list[Event]:
    """Returns an event for every end of damage that follows a beginning.

    Args:
        known: The evaluated frames.
        starts_s: When each frame is presented.
        steps: Log-odds that damage begins or ends with each.
        least: Log-odds of a beginning, and of an end, that are beyond doubt.
    """
    at_s = starts_s[known.rows]
    out: list[Event] = []
    begun: int | None = None
    for k in range(len(known.rows)):
        if begun is not None and at_s[k] - at_s[begun] > _LONGEST_S:
            begun = None
        # What was not looked at with the frame before it tells nothing: no comparison holds.
        if begun is not None and steps.ends[k] >= least:
            odds = min(float(steps.begins[begun]), float(steps.ends[k]))
            out.append(Event(float(at_s[begun]), float(at_s[k]), float(1 / (1 + np.exp(-odds)))))
            begun = None
        elif begun is None and steps.begins[k] >= least:
            begun = k
    return out
