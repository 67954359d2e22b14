"""Where one channel is late, where the image narrows at once, and where all of it leans.

Each is told from a mix by what all bands share. A mix places sources one by one: their delays,
widths and directions differ. A fault of the path does the same to all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.spatial_image.meter import BLOCKS_HZ
from defectscope.detectors.spatial_image.stage_rows import Blocks, Series
from defectscope.temporal.spans import Rows, bridge, runs

Thresholds = Mapping[str, float]

# Delays of one fault agree to within two samples of the grid they are read on.
_SAME_DELAY_US = 100.0
_GAP_S = 1.0
# So many different delays of one programme are looked for.
_MOST_DELAYS = 3
_STEP_ROWS = BLOCKS_HZ
_LEAST_BANDS = 4
_FLOOR = 1e-13
_AGREE = 0.8
_SIZE_RATIO = 1.6


@dataclass(frozen=True, slots=True)
class Fault:
    """Rows of the table in which something is wrong.

    Attributes:
        kind: `delay`, `narrow` or `lean`.
        rows: First row, and first row after.
        size: Milliseconds by which the right channel is late; decibels by which the side fell;
            decibels by which the left channel is louder.
        sure: How far all bands agree, 0 to 1.
    """

    kind: str
    rows: Rows
    size: float
    sure: float


def delayed(blocks: Blocks, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Returns where one channel comes later than the other by the same time in all frequencies."""
    far = np.abs(blocks.delay_us) >= tuned["delay_us"]
    shared = (blocks.peak >= tuned["delay_peak"]) & (blocks.zero <= 0.6 * blocks.peak)
    open_rows = far & shared & blocks.audible.any(axis=1)
    found: list[Fault] = []
    for _ in range(_MOST_DELAYS):
        if open_rows.sum() < min_s * BLOCKS_HZ / 2:
            break
        delays = blocks.delay_us[open_rows]
        near = np.abs(delays[:, None] - delays[None, :2000]) <= _SAME_DELAY_US
        common_us = float(delays[:2000][int(np.argmax(near.sum(axis=0)))])
        own = open_rows & (np.abs(blocks.delay_us - common_us) <= _SAME_DELAY_US)
        # Microphones apart from each other: who stands at the other side is late the other way.
        opposed = open_rows & (blocks.delay_us * np.sign(common_us) < -tuned["delay_us"])
        if opposed.sum() >= tuned["delay_opposed"] * own.sum():
            break
        ends_s = blocks.starts_s + 1 / BLOCKS_HZ
        for first, last in bridge(runs(own), blocks.starts_s, ends_s, _GAP_S):
            inside = own[first:last]
            long_enough = ends_s[last - 1] - blocks.starts_s[first] >= min_s
            if long_enough and inside.mean() >= tuned["delay_share"]:
                sure = float(np.mean(blocks.peak[first:last][inside]))
                found.append(Fault("delay", (first, last), common_us / 1000, sure))
        open_rows &= ~own
    return sorted(found, key=lambda fault: fault.rows)


def narrowed(blocks: Blocks, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Returns where the side falls in all bands at once while the mid goes on, and comes back."""
    count = len(blocks.starts_s)
    if count < 4 * _STEP_ROWS:
        return []
    known = blocks.audible & (blocks.side > _FLOOR)
    mid = 10 * np.log10(np.maximum(blocks.mid, _FLOOR))
    ratio = np.where(known, 10 * np.log10(np.maximum(blocks.side, _FLOOR)) - mid, np.nan)
    steps = [_common_step(ratio, mid, row) for row in range(count + 1)]
    size = np.array([step[0] for step in steps])
    falls, rises = (_peaks(sign * size, tuned["narrow_db"]) for sign in (-1.0, 1.0))
    found: list[Fault] = []
    reached = 0
    for first in falls:
        last = next((row for row in rises if row > first), None)
        # A narrower image that lasts to the end may be the mix.
        if last is None or first < reached or last - first < min_s * BLOCKS_HZ:
            continue
        # What the path took away it gives back; an arrangement goes on to something else.
        if not 1 / _SIZE_RATIO <= size[last] / -size[first] <= _SIZE_RATIO:
            continue
        inner = ratio[first + 1 : last - 1]
        left = float(np.nanmedian(inner)) if np.isfinite(inner).any() else -np.inf
        # What has no side left at all has collapsed, which stereo_image reports with its ends.
        if left > tuned["narrow_left_db"]:
            found.append(Fault("narrow", (first, last), -float(size[first]), steps[first][1]))
            reached = last
    return found


def leaning(blocks: Blocks, tuned: Thresholds, min_s: float) -> list[Fault]:
    """Returns the whole programme where all that is common to both channels leans to one side."""
    sounding = blocks.audible.any(axis=1)
    if sounding.sum() < min_s * BLOCKS_HZ:
        return []
    parts = blocks.parts
    both = (blocks.left > _FLOOR) & (blocks.right > _FLOOR)
    one_source = parts.ambient <= tuned["lean_ambient"] * (parts.direct + parts.ambient)
    clear = blocks.audible & both & one_source
    if clear.sum() < tuned["lean_share"] * blocks.audible.sum():
        return []
    apart = 10 * np.log10(np.where(both, blocks.left, 1) / np.where(both, blocks.right, 1))
    values = apart[clear]
    middle = float(np.median(values))
    agree = float(np.mean(np.abs(values - middle) <= tuned["lean_spread_db"]))
    # One channel that hardly sounds is missing, which stereo_image reports.
    if not tuned["lean_db"] <= abs(middle) <= tuned["lean_most_db"] or agree < tuned["lean_agree"]:
        return []
    return [Fault("lean", (0, len(blocks.starts_s)), middle, agree)]


def _common_step(ratio: Series, mid: Series, row: int) -> tuple[float, float]:
    """Returns the step of side against mid that all bands share at a row, and how many agree."""
    before = slice(max(0, row - _STEP_ROWS), max(0, row - 1))
    after = slice(row + 1, row + _STEP_ROWS)
    if min(row, len(ratio) - row) < _STEP_ROWS:
        return 0.0, 0.0
    full = np.isfinite(ratio[before]).all(axis=0) & np.isfinite(ratio[after]).all(axis=0)
    if full.sum() < _LEAST_BANDS:
        return 0.0, 0.0
    change, louder = (
        np.median(values[after][:, full], axis=0) - np.median(values[before][:, full], axis=0)
        for values in (ratio, mid)
    )
    common = float(np.median(change))
    # The side itself must change as well: a voice that sets in changes its share alone.
    side = float(np.median(change + louder))
    step = float(np.sign(common)) * min(abs(common), max(0.0, float(np.sign(common)) * side))
    agree = float(np.mean(np.abs(change - common) <= 0.35 * abs(common)))
    return (step, agree) if agree >= _AGREE else (0.0, agree)


def _peaks(values: Series, least: float) -> list[int]:
    """Returns the rows of local maxima that reach a bound, the middle of each plateau."""
    top: NDArray[np.bool_] = np.zeros(len(values), np.bool_)
    for k in np.flatnonzero(values >= least):
        top[k] = values[k] >= values[max(0, k - _STEP_ROWS) : k + _STEP_ROWS + 1].max()
    return [(first + last - 1) // 2 for first, last in runs(top)]
