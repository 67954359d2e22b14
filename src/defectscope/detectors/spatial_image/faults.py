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
    size, agree = _common_steps(ratio, mid)
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
            found.append(Fault("narrow", (first, last), -float(size[first]), float(agree[first])))
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


def _common_steps(ratio: Series, mid: Series) -> tuple[Series, Series]:
    """Returns the step of side against mid that all bands share at each row, and how many agree.

    Args:
        ratio: (rows, bands) of side to mid, dB; NaN where a band does not sound.
        mid: (rows, bands) level, dB.
    """
    size, agree = np.zeros(len(ratio) + 1), np.zeros(len(ratio) + 1)
    # At row r the rows r - S to r - 2 are held against r + 1 to r + S - 1.
    at = np.arange(_STEP_ROWS, len(ratio) - _STEP_ROWS + 1)
    ratios, mids = (
        np.median(np.lib.stride_tricks.sliding_window_view(values, _STEP_ROWS - 1, axis=0), axis=-1)
        for values in (ratio, mid)
    )
    change, louder = (values[at + 1] - values[at - _STEP_ROWS] for values in (ratios, mids))
    full = np.isfinite(change)
    bands = full.sum(axis=1)
    enough = bands >= _LEAST_BANDS
    at, change, louder, full = at[enough], change[enough], louder[enough], full[enough]
    if not len(at):
        return size, agree
    common = _medians(change, full)
    # The side itself must change as well: a voice that sets in changes its share alone.
    side = _medians(change + louder, full)
    step = np.sign(common) * np.minimum(np.abs(common), np.maximum(0.0, np.sign(common) * side))
    near = full & (np.abs(change - common[:, None]) <= 0.35 * np.abs(common)[:, None])
    agree[at] = near.sum(axis=1) / full.sum(axis=1)
    size[at] = np.where(agree[at] >= _AGREE, step, 0.0)
    return size, agree


def _medians(values: Series, known: NDArray[np.bool_]) -> Series:
    """Returns the median of what is known of each row, at least one value."""
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    count, rows = known.sum(axis=1), np.arange(len(values))
    return (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2


def _peaks(values: Series, least: float) -> list[int]:
    """Returns the rows of local maxima that reach a bound, the middle of each plateau."""
    top: NDArray[np.bool_] = np.zeros(len(values), np.bool_)
    for k in np.flatnonzero(values >= least):
        top[k] = values[k] >= values[max(0, k - _STEP_ROWS) : k + _STEP_ROWS + 1].max()
    return [(first + last - 1) // 2 for first, last in runs(top)]
