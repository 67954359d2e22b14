"""What stands because it is meant to: things that come to rest, and what is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from defectscope.temporal.spans import runs

Series = NDArray[np.float64]

# Steps that show how motion ends: none is longer than the one before, the last is so much shorter
# than the first, or than the usual one of the second before.
_LAST_STEPS, _NOT_LONGER, _SHORTER, _HARDLY = 7, 1.02, 0.75, 0.25
_BASELINE_S = 1.0
# How much slower the last of these steps are than the first where something eases.
_SLOWS = 0.6
# Of frames that hardly differ nothing is said about how fast things move.
_MOVES_SHARE = 0.1
# What leaps after a freeze went on unseen: so many times further than the steps before. What goes
# on at so much of its speed never was at rest: things set off slowly.
_LEAP_RATIO, _GOES_ON = 2.0, 0.5
# On either side so long says what content it is; so many frames of it stand, and in so many of the
# others the ground does. Where half of the motion lasts longer, a programme stalls again and again.
_CONTENT_S = 2.0
_QUIET_SHARE, _GROUND_SHARE = 0.2, 0.5
_LASTS_S, _LASTING_SHARE = 0.89, 0.5


def comes_to_rest(
    mean: Series, starts_s: Series, rows: tuple[int, int], thresholds: Mapping[str, float]
) -> bool:
    """Tells whether motion slows down into the frame that stands, and no leap follows.

    Args:
        mean: (n,) how far each frame is from the one before, codes.
        starts_s: (n,) when each begins, seconds.
        rows: The frame that stands, and the first that goes on.
        thresholds: Those of the artifact.
    """
    held, last = rows
    steps = mean[max(held + 1 - _LAST_STEPS, 1) : held + 1]
    if len(steps) < _LAST_STEPS:
        return False
    after = float(mean[last]) if last < len(mean) else 0.0
    if after > thresholds["scene_code"]:
        after = 0.0  # another scene
    if after and after >= _LEAP_RATIO * steps.max():
        return False
    slows = bool((steps[1:] <= _NOT_LONGER * steps[:-1]).all())
    if slows and steps[-1] <= _SHORTER * steps[0]:
        return bool(steps[-1] <= _HARDLY * steps[0] or after < _GOES_ON * steps[-1])
    led = mean[max(int(np.searchsorted(starts_s, starts_s[held] - _BASELINE_S)), 1) : held]
    if not len(led):
        return False
    moving = led[led > _MOVES_SHARE * np.median(led)]
    if not len(moving):
        return False
    pace = float(np.median(moving))
    return bool(steps[-1] <= _HARDLY * pace and after < _GOES_ON * pace)


def eases(mean: Series, rows: tuple[int, int]) -> bool:
    """Tells whether motion slows down into the frame that stands, and sets off slowly after it.

    What is animated does both. An encoder makes every other step longer, so that no step need be
    shorter than the one before; nothing that was interrupted sets off again from nearly nothing.

    Args:
        mean: (n,) how far each frame is from the one before, codes.
        rows: The frame that stands, and the first that goes on.
    """
    held, last = rows
    led, followed = mean[max(held + 1 - _LAST_STEPS, 1) : held + 1], mean[last : last + _LAST_STEPS]
    if min(len(led), len(followed)) < _LAST_STEPS:
        return False
    half = _LAST_STEPS // 2
    slows = float(np.mean(led[-half:])) <= _SLOWS * float(np.mean(led[:half]))
    rises = bool((np.diff(followed) > 0).all())
    return slows and rises and bool(followed[0] <= _HARDLY * followed[-1])


def is_drawn(
    peak: Series,
    drift: Series,
    starts_s: Series,
    rows: tuple[int, int],
    thresholds: Mapping[str, float],
) -> bool:
    """Tells whether what surrounds a freeze often stands, and moves on a ground that stands.

    A game, a spreadsheet or a cartoon waits for something to happen, and what happens is short; it
    has no camera's noise.

    Args:
        peak: (n,) difference of the tile that changed most, codes.
        drift: (n,) change of tiles' mean luma, but for those that may go on by themselves, codes.
        starts_s: (n,) when each frame begins, seconds.
        rows: The frame that stands, and the first that goes on.
        thresholds: Those of the artifact.
    """
    held, last = rows
    since = max(int(np.searchsorted(starts_s, starts_s[held] - _CONTENT_S)), 1)
    until = int(np.searchsorted(starts_s, starts_s[last - 1] + _CONTENT_S))
    around = [*range(since, held + 1), *range(last, until)]
    quiet = peak[around] <= thresholds["quiet_code"]
    moves = np.count_nonzero(~quiet)
    if len(around) == moves or np.mean(quiet) < _QUIET_SHARE or not moves:
        return False
    grounded = ~quiet & (drift[around] <= thresholds["ground_code"])
    if np.count_nonzero(grounded) < _GROUND_SHARE * moves:
        return False
    lasting = 0
    for begin, end in ((since, held + 1), (last, until)):
        for first, after in runs(peak[begin:end] > thresholds["quiet_code"]):
            if starts_s[begin + after - 1] - starts_s[begin + first] >= _LASTS_S:
                lasting += after - first
    return bool(lasting < _LASTING_SHARE * moves)
