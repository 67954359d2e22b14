"""What stands because it is meant to: things that come to rest, and what is drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

# Steps that show how motion ends: none is longer than the one before, the last is so much shorter
# than the first, or than the usual one of the second before.
_LAST_STEPS, _NOT_LONGER, _SHORTER, _HARDLY = 7, 1.02, 0.75, 0.25
_BASELINE_S = 1.0
# Of frames that hardly differ nothing is said about how fast things move.
_MOVES_SHARE = 0.1
# What leaps after a freeze went on unseen: so many times further than the steps before.
_LEAP_RATIO = 2.0
# On either side so long says what content it is; so many frames of it stand, and in so many of the
# others the ground does.
_CONTENT_S = 2.0
_QUIET_SHARE, _GROUND_SHARE = 0.25, 0.5


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
    if last < len(mean) and _LEAP_RATIO * steps.max() <= mean[last] <= thresholds["scene_code"]:
        return False
    slows = bool((steps[1:] <= _NOT_LONGER * steps[:-1]).all())
    if slows and steps[-1] <= _SHORTER * steps[0]:
        return True
    led = mean[max(int(np.searchsorted(starts_s, starts_s[held] - _BASELINE_S)), 1) : held]
    if not len(led):
        return False
    moving = led[led > _MOVES_SHARE * np.median(led)]
    return bool(len(moving) and steps[-1] <= _HARDLY * np.median(moving))


def is_drawn(
    peak: Series,
    drift: Series,
    starts_s: Series,
    rows: tuple[int, int],
    thresholds: Mapping[str, float],
) -> bool:
    """Tells whether what surrounds a freeze often stands, and moves on a ground that stands.

    A game, a spreadsheet or a cartoon waits for something to happen; it has no camera's noise.

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
    return bool(np.count_nonzero(grounded) >= _GROUND_SHARE * moves)
