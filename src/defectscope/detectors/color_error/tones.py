"""How the tones of a whole frame change: a range taken for another moves all of them at once.

Things that move take their tones along, so the histogram of a shot stays nearly as it is from
frame to frame, however fast it moves. A limited range taken for full, or the reverse, takes every
tone x to a x + b in one frame, and back in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.color_error.explanations import ABRUPT_RATIO, Step, around
from defectscope.detectors.color_error.steps import PIVOT_CODE, Steps

# Shares of the samples below each tone; the darkest and brightest are of a few things only.
_SHARES = np.arange(0.06, 0.95, 0.04)
# Where codes end, tones clip: those say nothing of the factor, and so many others must be left.
_CLIPPED_CODES = (1.0, 252.0)
_LEAST_TONES = 9
# Variance of tones, codes squared, below which a frame is too flat to tell a factor by.
_LEAST_SPREAD = 16.0
# Codes by which a fit may always be off: codes are whole, and a quantile lies between two.
_ROUGH_CODE = 0.2
# What a factor does to tones so far from the middle is compared with what an offset does.
_REACH_CODE = 50.0


def tones_of(histogram: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the codes below which fixed shares of each frame's samples lie.

    Args:
        histogram: (frames, 256) samples of each code.

    Returns:
        (frames, tones) codes, between two where a share ends within one.
    """
    below = np.cumsum(histogram, axis=1, dtype=np.int64)
    shares = below / np.maximum(below[:, -1:], 1)
    rows, edges = np.concatenate([np.zeros((len(shares), 1)), shares], axis=1), np.arange(257) - 0.5
    return np.array([np.interp(_SHARES, row, edges) for row in rows]).reshape(-1, len(_SHARES))


def tone_steps(tones: NDArray[np.float64]) -> Steps:
    """Returns how each frame's tones differ from those of the frame before it.

    Args:
        tones: (frames + 1, tones) codes; the first row is the frame before.

    Returns:
        Each (frames,): `tone_change`, the mean difference in codes; `tone_gain` and `tone_lift`,
        the factor about the middle of the range and the codes added to it that most nearly take
        the last tones to these; `tone_left`, the mean difference in codes that they leave. Where
        there is nothing to tell a factor by, it is 1.
    """
    before, after = tones[:-1] - PIVOT_CODE, tones[1:] - PIVOT_CODE
    low, high = (code - PIVOT_CODE for code in _CLIPPED_CODES)
    told = (before > low) & (before < high) & (after > low) & (after < high)
    count = np.maximum(told.sum(axis=1), 1)

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((values * told).sum(axis=1) / count)

    mean0, mean1 = mean(before), mean(after)
    d0, d1 = before - mean0[:, None], after - mean1[:, None]
    spread = mean(d0 * d0)
    enough = (told.sum(axis=1) >= _LEAST_TONES) & (spread >= _LEAST_SPREAD)
    gain = np.where(enough, mean(d0 * d1) / np.maximum(spread, _LEAST_SPREAD), 1.0)
    return {
        "tone_change": np.abs(after - before).mean(axis=1),
        "tone_gain": gain,
        "tone_lift": mean1 - gain * mean0,
        "tone_left": mean(np.abs(d1 - gain[:, None] * d0)),
    }


def range_steps(steps: Steps, limit: Mapping[str, float]) -> list[Step]:
    """Returns where all tones are taken to others by one factor at once, and things stay.

    A lamp that goes on lights some things more than others; in another scene, other things are
    in their places.
    """
    change, gain = steps["tone_change"], steps["tone_gain"]
    baseline, largest = around(change)
    floor = np.maximum(limit["tone_code"], limit["tone_ratio"] * baseline)
    told = (change >= floor) & (change >= ABRUPT_RATIO * largest)
    told &= steps["tone_left"] <= limit["tone_left_share"] * change + _ROUGH_CODE
    most = limit["tone_most_gain"]
    told &= (np.abs(gain - 1) >= limit["tone_gain"]) & (gain >= 1 / most) & (gain <= most)
    # What is left of the tiles' luma is what motion leaves of it, and what clips.
    moved = limit["tone_moved_ratio"] * around(steps["luma_left"])[0]
    told &= steps["luma_left"] <= limit["clipped_left_share"] * steps["luma_change"] + moved
    # Colour stays what it is, or is stretched as well.
    stays = np.maximum(limit["jump_ratio"] * around(steps["as_is"])[0], limit["jump_code"])
    moved = limit["tone_moved_ratio"] * around(steps["as_gain"])[0]
    stretched = limit["clipped_left_share"] * steps["as_is"] + 0.1 + moved
    told &= (steps["as_is"] <= stays) | (steps["as_gain"] <= stretched)
    rows = np.flatnonzero(told)
    factors = np.clip(gain[rows], 1 / most, most)
    # Of what takes a step back, both are the same with the other sign.
    vectors = np.stack(
        [_REACH_CODE * np.log(factors), steps["tone_lift"][rows] / np.sqrt(factors)], axis=1
    )
    return [
        Step(
            row, "tone_gain", None, (float(gained), float(lifted)), float(change[row] / floor[row])
        )
        for row, (gained, lifted) in zip(rows.tolist(), vectors, strict=True)
    ]
