"""Where a defect begins and ends, from the windows that show it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.audio_artifacts.decision import STEP_S, WINDOW_S, Run

CLICKS = "audio_clicks"


def ends(
    defect: str, starts_s: NDArray[np.float64], run: Run, audio_s: float
) -> tuple[float, float]:
    """Returns where a defect begins and ends, seconds.

    A step speaks for the middle quarter second of its window. A click shows in every window that
    holds it: it lies where the first and the last of them overlap. At the programme's ends there is
    no neighbour: a click lies where the one window tells, a lasting defect is taken to reach them.

    Args:
        defect: Which.
        starts_s: (n,) start of each step's window.
        run: The steps that show it.
        audio_s: Length of the sound.
    """
    first_s, last_s = float(starts_s[run.first]), float(starts_s[run.last - 1])
    half_s = STEP_S / 2
    if defect == CLICKS:
        # All windows from `last - WINDOW_S + STEP_S` on hold a click at the end of the first.
        start_s, end_s = first_s + WINDOW_S - STEP_S, last_s + STEP_S
        is_first, is_last = run.first == 0, run.last == len(starts_s)
        if end_s <= start_s and is_first and is_last:
            start_s, end_s = first_s, last_s + WINDOW_S
        elif end_s <= start_s and is_first:
            # No window is earlier: the last tells alone.
            start_s = last_s
        elif end_s <= start_s and is_last:
            end_s = start_s + STEP_S
        elif end_s <= start_s:
            middle_s = (start_s + end_s) / 2
            start_s, end_s = middle_s - half_s, middle_s + half_s
    else:
        start_s = first_s + WINDOW_S / 2 - half_s if first_s > STEP_S else 0.0
        end_s = last_s + WINDOW_S / 2 + half_s
        if last_s + WINDOW_S >= audio_s - STEP_S:
            end_s = audio_s
    stop_s = audio_s if audio_s > 0 else end_s
    start_s = min(max(start_s, 0.0), stop_s)
    return start_s, max(min(end_s, stop_s), start_s)
