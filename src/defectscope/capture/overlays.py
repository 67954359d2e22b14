"""Control bars and messages: areas that are covered at once while the programme goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.capture.activity import Activity
from defectscope.features.geometry import TILE_COLUMNS, TILE_ROWS
from defectscope.findings import Interval
from defectscope.temporal.spans import runs

Flags = NDArray[np.bool_]
Limits = tuple[NDArray[np.float64], NDArray[np.float64]]

# A covered tile changes by less than this, or than this share of what the programme does then:
# areas end within tiles, and some let the programme through.
_QUIET_CODE, _QUIET_SHARE, _CUT_SHARE, _AROUND = 1.0, 0.5, 0.25, 10
_LEAST_S = 0.4
# It appears and goes with a step of so many codes, and so many times that.
_STEP_CODE, _STEP_RATIO = 4.0, 1.5
# Where the rest of the programme changes by so many times its own motion, it is a cut.
_CUT_RATIO = 3.0
# So many captures of it the rest of the programme moves.
_LIVELY_SHARE = 0.5
# Tiles that are covered together, within so many captures; so many of them, filling so much of
# the rectangle around them, are an area.
_TOGETHER, _LEAST_TILES, _FILLED_SHARE = 2, 4, 0.6


@dataclass(frozen=True)
class Overlay:
    """An area that was covered.

    Attributes:
        interval: From the first capture with it to the first without, seconds of the capture.
        box: Left, top, right, bottom of the tiles that it covers wholly, 0 to 1 of the frame.
    """

    interval: Interval
    box: tuple[float, float, float, float]

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "start_s": round(self.interval.start_s, 4),
            "end_s": round(self.interval.end_s, 4),
            "duration_s": round(self.interval.duration_s, 4),
            "box": [round(edge, 3) for edge in self.box],
        }


def overlays_of(
    activity: Activity, programme: Flags, lively: Flags, first: int
) -> tuple[Overlay, ...]:
    """Returns the areas that were covered, in order.

    Args:
        activity: The captured frames.
        programme: (96,) tiles that show the programme.
        lively: (captures,) whether the programme moves.
        first: The first capture that is looked at.
    """
    limits = _limits(activity, programme, lively)
    covered = [
        (tile, a, b)
        for tile in np.flatnonzero(programme).tolist()
        for a, b in _covered(activity, tile, lively, limits, first)
    ]
    found: list[Overlay] = []
    while covered:
        _, start, end = covered[0]
        group = [
            each
            for each in covered
            if abs(each[1] - start) <= _TOGETHER and abs(each[2] - end) <= _TOGETHER
        ]
        covered = [each for each in covered if each not in group]
        tiles = [tile for tile, *_ in group]
        rest = programme.copy()
        rest[tiles] = False
        if not rest.any() or _is_cut(activity, rest, lively, start, end):
            continue
        area = _area(activity, tiles, group)
        if area is not None:
            found.append(area)
    return tuple(sorted(found, key=lambda overlay: overlay.interval))


def _limits(activity: Activity, programme: Flags, lively: Flags) -> Limits:
    """Returns below which change a tile is quiet, and from which on it steps, by capture."""
    change = np.where(lively, activity.change[:, programme].mean(axis=1), 0.0)
    total, count = (_summed_around(one) for one in (change, lively.astype(np.float64)))
    around = total / np.maximum(count, 1.0)
    # A cut shows through, too, for the one capture in which everything changes.
    quiet = np.maximum(_QUIET_CODE, np.maximum(_QUIET_SHARE * around, _CUT_SHARE * change))
    step = np.maximum(_STEP_CODE, _STEP_RATIO * _QUIET_SHARE * around)
    return quiet, step


def _summed_around(values: NDArray[np.float64]) -> NDArray[np.float64]:
    # Cut out of the whole convolution: NumPy's "same" is that of the window in a short capture.
    return np.convolve(values, np.ones(2 * _AROUND + 1))[_AROUND : _AROUND + len(values)]


def _covered(
    activity: Activity, tile: int, lively: Flags, limits: Limits, first: int
) -> list[tuple[int, int]]:
    """Returns where one tile rests between two steps while the others move, [first, end)."""
    change = activity.change[:, tile]
    limit, step = limits
    quiet = change < limit
    quiet[:first] = False
    times_s = activity.times_s
    found: list[tuple[int, int]] = []
    for a, b in runs(quiet):
        if a < 1 or b >= len(times_s) or times_s[b] - times_s[a - 1] < _LEAST_S:
            continue
        # Encoding refines what has just appeared: the step lies a few captures before.
        begin = a - 1 - int(np.argmax(change[max(0, a - 4) : a][::-1]))
        if change[begin] < step[begin] or change[b] < step[b]:
            continue
        if lively[begin + 1 : b].mean() >= _LIVELY_SHARE:
            found.append((begin, b))
    return found


def _is_cut(activity: Activity, rest: Flags, lively: Flags, start: int, end: int) -> bool:
    """Tells whether the rest of the programme changes as well where the area comes or goes."""
    change = activity.change[:, rest].mean(axis=1)
    level = float(np.median(change[lively])) if lively.any() else 0.0
    return max(float(change[start]), float(change[end])) > _CUT_RATIO * max(level, _QUIET_CODE)


def _area(
    activity: Activity, tiles: list[int], group: list[tuple[int, int, int]]
) -> Overlay | None:
    rows, columns = np.divmod(np.asarray(tiles), TILE_COLUMNS)
    size = int((np.ptp(rows) + 1) * (np.ptp(columns) + 1))
    if len(tiles) < _LEAST_TILES or len(tiles) < _FILLED_SHARE * size:
        return None
    start = int(np.median([a for _, a, _ in group]))
    end = int(np.median([b for *_, b in group]))
    return Overlay(
        Interval(float(activity.instants_s[start]), float(activity.instants_s[end])),
        (
            float(columns.min() / TILE_COLUMNS),
            float(rows.min() / TILE_ROWS),
            float((columns.max() + 1) / TILE_COLUMNS),
            float((rows.max() + 1) / TILE_ROWS),
        ),
    )
