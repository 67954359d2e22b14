"""Rows below which a frame runs late, or early, for a while: pure functions over row means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.tearing.seams import Values, margin_rows

# Frames over which two rows are held against each other, and by how many one may be late. A lag
# of one is what things that climb row by row look like.
_WINDOW_FRAMES, _LEAST_LAG, _MOST_LAG = 14, 2, 6
# Frames that a window and a lag may take on either side, in seconds.
_REACH_S = 1.2
# Of the difference of two steps in time, codes.
_NOISE_CODE = 0.03
# Rows this far away on either side must not lag, too: there, things move up or down.
_NEIGHBOUR_ROWS = (3, 4, 5)


@dataclass(frozen=True, slots=True)
class Lags:
    """Where each frame lags most clearly, (n,) each.

    Attributes:
        row: First row below the seam.
        lag: Frames by which what is below is late; negative if early.
        clear: Natural logarithm of a ratio: how much better rows on both sides agree with the lag
            than without, less what rows near them have of that.
    """

    row: NDArray[np.intp]
    lag: NDArray[np.intp]
    clear: Values


@dataclass(frozen=True, slots=True)
class LagWindow:
    """Over how many frames lags are looked for at a frame rate."""

    frames: int
    most: int

    @classmethod
    def at(cls, rate_fps: float) -> LagWindow:
        """Returns the window for a frame rate."""
        within = int(_REACH_S * rate_fps)
        return cls(min(_WINDOW_FRAMES, max(4, within)), min(_MOST_LAG, max(2, within // 2)))

    @property
    def before(self) -> int:
        """Frames needed before the one that is measured."""
        return self.frames // 2 + self.most + 1

    @property
    def after(self) -> int:
        """Frames needed after it."""
        return self.frames - self.frames // 2 - 1 + self.most


def lagging(luma: Values, window: LagWindow) -> Lags:
    """Finds the row at which the two parts of each frame are most clearly apart in time.

    What lies on both sides of a row brightens and darkens together. At a seam that stays, it does
    so some frames apart, all the time, and rows a little above and below know nothing of it.

    Args:
        luma: (before + n + after, rows) mean luma of rows, codes.
        window: Over how many frames.
    """
    count = len(luma) - window.before - window.after
    if luma.shape[1] < 2 * _NEIGHBOUR_ROWS[-1]:
        nowhere = np.zeros(count, np.intp)
        return Lags(nowhere, nowhere, np.zeros(count, np.float32))
    steps = np.diff(luma, axis=0)
    over, under = steps[:, :-2], steps[:, 2:]
    noise = np.float32(window.frames * _NOISE_CODE**2)
    # Frame t of the result has its own step at `before - 1 + t`.
    begin = window.most
    together = _sums((over - under) ** 2, window.frames)[begin : begin + count]
    together = np.log(together + noise)
    best = np.full(together.shape, -np.inf, np.float32)
    lags = np.zeros(together.shape, np.intp)
    for lag in range(_LEAST_LAG, window.most + 1):
        for sign in (1, -1):
            early, late = (over, under) if sign > 0 else (under, over)
            apart = _sums((early[:-lag] - late[lag:]) ** 2, window.frames)
            # Windows that begin with this frame's, and those that end a lag later: what happens
            # in one part alone must not drop out.
            first = begin - lag
            worst = apart[first : first + count].copy()
            for later in (lag // 2, lag):
                np.maximum(worst, apart[first + later : first + later + count], out=worst)
            clear = together - np.log(worst + noise)
            better = clear > best
            best = np.where(better, clear, best)
            lags = np.where(better, sign * lag, lags)
    neighbours = np.zeros_like(best)
    for away in _NEIGHBOUR_ROWS:
        np.maximum(neighbours[:, away:], best[:, :-away], out=neighbours[:, away:])
        np.maximum(neighbours[:, :-away], best[:, away:], out=neighbours[:, :-away])
    alone = best - neighbours
    margin = max(_NEIGHBOUR_ROWS[-1], margin_rows(luma.shape[1]))
    alone[:, :margin] = alone[:, max(0, alone.shape[1] - margin) :] = -np.inf
    every = np.arange(count)
    place = np.argmax(alone, axis=1)
    clear = np.maximum(alone[every, place], 0)
    return Lags(place + 1, lags[every, place], clear.astype(np.float32))


def _sums(values: Values, frames: int) -> Values:
    """Returns sums of so many rows from each on; the same ones whatever else is there."""
    # Running totals would round by where they began.
    total = np.zeros((len(values) - frames + 1, values.shape[1]), np.float32)
    doubled, width, at = values, 1, 0
    while width <= frames:
        if frames & width:
            total += doubled[at : at + len(total)]
            at += width
        if 2 * width <= frames:
            doubled = doubled[: len(doubled) - width] + doubled[width:]
        width *= 2
    return total
