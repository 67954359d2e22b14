"""From likeness over offsets to a verdict that dares to say "inconclusive"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.av_sync.crops import RATE_FPS
from defectscope.detectors.av_sync.fragments import Cell
from defectscope.detectors.av_sync.windows import Rules, Window, speaking, windows

Floats = NDArray[np.float64]

# Small windows that vote on what a large one says: 1.6 s each, one begins every 0.4 s.
_VOTE_CELLS = 4
# Votes this close to the large window's offset agree with it, frames.
_AGREE_FRAMES = 1.5
# One large window begins every so many cells.
_HOP_CELLS = 2
# Offsets of one interval differ by no more than this from one window to the next, frames.
_STEADY_FRAMES = 2.0


@dataclass(frozen=True, slots=True)
class OutOfSyncInterval:
    """An interval that is out of step.

    Attributes:
        start_s: Where it begins, seconds.
        end_s: Where it ends.
        windows: The windows that say so.
    """

    start_s: float
    end_s: float
    windows: tuple[Window, ...]

    @property
    def best(self) -> Window:
        """The surest of them."""
        return max(self.windows, key=lambda w: w.probability)


@dataclass(frozen=True, slots=True)
class SyncDecision:
    """What was concluded.

    Attributes:
        verdict: `pass`, `fail` or `inconclusive`.
        intervals: Intervals out of step.
        windows: Every window.
    """

    verdict: str
    intervals: tuple[OutOfSyncInterval, ...] = ()
    windows: tuple[Window, ...] = field(default=())


def decide_sync(cells: Sequence[Cell], rules: Rules, window_s: float) -> SyncDecision:
    """Decides about a programme, or a part of one.

    Args:
        cells: What was measured, in order.
        rules: What was tuned.
        window_s: Length of a window, seconds.
    """
    seen = speaking(cells, rules)
    found = windows(seen, rules, window_s)
    intervals, doubtful = _intervals(found)
    if intervals:
        return SyncDecision("fail", tuple(intervals), tuple(found))
    steady = any(w.state == "in_step" for w in found) and not doubtful
    return SyncDecision("pass" if steady else "inconclusive", (), tuple(found))


def _intervals(found: Sequence[Window]) -> tuple[list[OutOfSyncInterval], bool]:
    """Returns the intervals out of step, and whether others were too short to be believed."""
    runs: list[list[int]] = []
    for index, window in enumerate(found):
        if window.state != "out_of_step":
            continue
        if runs and _continues(found, runs[-1][-1], index):
            runs[-1].append(index)
        else:
            runs.append([index])
    # A clip so short that it has few windows is evaluated by those.
    wanted = min(3, len(found))
    intervals = [
        OutOfSyncInterval(*_ends(found, run[0], run[-1]), tuple(found[i] for i in run))
        for run in runs
        if len(run) >= wanted
    ]
    return intervals, len(intervals) < len(runs)


def _continues(found: Sequence[Window], before: int, index: int) -> bool:
    between = found[before + 1 : index]
    steady = abs(found[index].peak.frames - found[before].peak.frames) <= _STEADY_FRAMES
    return steady and all(w.state == "open" for w in between)


def _ends(found: Sequence[Window], first: int, last: int) -> tuple[float, float]:
    """Where a interval begins and ends: halfway between windows that disagree, else at the edge."""
    start_s = found[first].start_frame / RATE_FPS
    end_s = found[last].end_frame / RATE_FPS
    before = [w for w in found[:first] if w.state != "open"]
    after = [w for w in found[last + 1 :] if w.state != "open"]
    if before:
        start_s = max(start_s, (before[-1].centre_s + found[first].centre_s) / 2)
    if after:
        end_s = min(end_s, (after[0].centre_s + found[last].centre_s) / 2)
    return start_s, max(end_s, start_s)


def perceptibility(offset_ms: float) -> float:
    """Returns how bad an offset is to viewers: 1 where they notice it, 2 where they object.

    Source: ITU-R BT.1359-1, annex 1: noticed from 45 ms early or 125 ms late on, not acceptable
    from 90 ms early or 185 ms late on.
    """
    noticed, refused = (125.0, 185.0) if offset_ms >= 0 else (45.0, 90.0)
    size = abs(offset_ms)
    if size <= noticed:
        return size / noticed
    return 1 + (size - noticed) / (refused - noticed)
