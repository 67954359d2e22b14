"""How the frames' time stamps step: evenly, with jumps, or at the frames' own pace.

A container's nominal rate cannot say which: a single jump changes the average that it is guessed
from. The steps themselves can.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from defectscope.measurements import Table
from defectscope.media.stream import VideoInfo
from defectscope.temporal.tables import TableBuilder, column, times_s

# Formats that state how long each frame stays (ISO/IEC 14496-12, 8.6.1.2; RFC 9559, BlockDuration).
STATING = frozenset({"mov", "mp4", "matroska", "webm"})
# Formats whose time is the number of chunks: an empty one shows the frame before it again.
COUNTING = frozenset({"avi"})
# Steps that differ by less are one step, rounded: 33 and 34 ms, say.
_ROUNDING = 0.15
# Frames at their own pace change their step all the time: more of it tells nothing new.
_MAX_ROWS_PER_S = 20
# Share of equal steps from which on a stream is even.
_EVEN = 0.8
_LEAST_STEPS = 10
# Frames at their own pace may stay for so many of the nominal ones.
_OWN_PACE = 10.0


class StepMeter:
    """Keeps each step between two frames that is not the step before it."""

    def __init__(self, video: VideoInfo) -> None:
        self._base = video.time_base
        self._last_pts: int | None = None
        self._last_step, self._last_stated = 0, 0
        self._second, self._used = 0, 0
        self._builder = TableBuilder(
            1 / Fraction(video.time_base), at=np.int64, step=np.int64, stated=np.int64
        )

    def push(self, pts: NDArray[np.int64], duration: NDArray[np.int64]) -> None:
        """Takes frames: when each is shown, and how long it says that it stays; ticks."""
        if not len(pts):
            return
        first = pts[0] if self._last_pts is None else self._last_pts
        steps = np.diff(pts, prepend=first)
        before = np.concatenate(([self._last_step], steps[:-1]))
        for row in np.flatnonzero(np.abs(steps - before) > _ROUNDING * before).tolist():
            second = int(pts[row] * self._base)
            self._second, self._used = second, (self._used + 1 if second == self._second else 1)
            if steps[row] > 0 and self._used <= _MAX_ROWS_PER_S:
                stated = duration[row - 1] if row else self._last_stated
                self._builder.add(at=[pts[row]], step=[steps[row]], stated=[stated])
        self._last_pts, self._last_step = int(pts[-1]), int(steps[-1])
        self._last_stated = int(duration[-1])

    def table(self) -> Table:
        """Returns the changes: when, the step that led there, and what was stated of it."""
        return self._builder.table()

    def take(self) -> Table:
        """Returns the changes so far, and forgets them."""
        return self._builder.take()


@dataclass(frozen=True, slots=True)
class Gap:
    """Time between two frames that no frame fills.

    Attributes:
        at_s: When it ends.
        missing_s: The step less the usual one.
    """

    at_s: float
    missing_s: float


def gaps(
    table: Table, video: VideoInfo, most_steps: float, end_s: float, *, stating: bool = False
) -> list[Gap]:
    """Returns the steps that are too long for this stream.

    Args:
        table: What a `StepMeter` measured.
        stating: The container states how long each frame stays, and a long one is meant: a screen
            at rest.
        video: The stream's own word, which counts where there are few frames.
        most_steps: A step of more usual ones is a gap.
        end_s: When the last frame is shown.
    """
    at_s, nominal_s = times_s(table), float(1 / video.frame_rate)
    step_s = column(table, "step") * float(video.time_base)
    stated_s = column(table, "stated") * float(video.time_base)
    if not len(at_s):
        return []
    ends = np.append(at_s[1:] - step_s[1:], end_s)
    count = 1 + np.maximum(0, np.rint((ends - at_s) / step_s))
    order = np.argsort(step_s)
    baseline_s = float(step_s[order][np.searchsorted(np.cumsum(count[order]), count.sum() / 2)])
    equal = np.abs(step_s - baseline_s) <= _ROUNDING * baseline_s
    even = count.sum() >= _LEAST_STEPS and count[equal].sum() >= _EVEN * count.sum()
    if even:
        long = step_s > most_steps * baseline_s
    else:
        baseline_s = nominal_s
        own = np.maximum(stated_s, _OWN_PACE * nominal_s) if video.variable_frame_rate else 0.0
        long = (step_s > most_steps * nominal_s) & (step_s > own)
    if stating:
        meant = np.abs(step_s - stated_s) <= _ROUNDING * step_s
        if video.variable_frame_rate:
            # What a container states of frames out of order is the time between decoding them.
            meant |= stated_s <= 0
        long &= ~meant
    return [Gap(float(at_s[k]), float(step_s[k] - baseline_s)) for k in np.flatnonzero(long)]
