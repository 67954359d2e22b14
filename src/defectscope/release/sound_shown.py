"""Where a captured session is silent though its master is not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.sound_waits import STEP_S, Levels, is_silent
from defectscope.findings import Interval
from defectscope.temporal.spans import runs

Series = NDArray[np.float64]

# Sound that is missing for less is told by nobody who listens; alignment is exact to a frame.
_LEAST_S = 0.5
# The master sounds where it does so for all of this time on either side: sound of the capture lies
# a little elsewhere.
_NEAR_S = 0.2


def missing_sound(
    levels: Levels, master_levels: Levels, times_s: Series, master_times_s: Series
) -> tuple[Interval, ...]:
    """Returns where sound is missing, seconds of the capture.

    Args:
        levels: (steps,) of the capture, dBFS, as `read_levels` gives them.
        master_levels: Likewise of the master.
        times_s: (pairs,) when the capture shows a frame of the master, in order.
        master_times_s: (pairs,) when the master has that frame.
    """
    if not len(levels) or not len(master_levels) or not len(times_s):
        return ()
    near = round(_NEAR_S / STEP_S)
    around = np.pad(~is_silent(master_levels), near, mode="edge")
    sounds = np.convolve(around, np.ones(2 * near + 1), "valid") > 2 * near
    steps = _steps(times_s, len(levels))
    missing = is_silent(levels)[steps] & sounds[_steps(master_times_s, len(sounds))]
    # A picture that stands is a stall, with a silence of its own.
    parts = np.split(np.arange(len(times_s)), np.flatnonzero(np.diff(times_s) > _NEAR_S) + 1)
    found = [
        Interval(float(times_s[part[a]]), float(times_s[part[b - 1]]))
        for part in parts
        for a, b in runs(missing[part])
    ]
    return tuple(one for one in found if one.duration_s >= _LEAST_S)


def _steps(times_s: Series, count: int) -> NDArray[np.int64]:
    return np.clip(np.floor(times_s / STEP_S), 0, count - 1).astype(np.int64)
