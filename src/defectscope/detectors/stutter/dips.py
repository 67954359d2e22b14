"""Frames that hardly move amid motion, in one rhythm: 24 frames a second shown at 25.

A repeated frame that is encoded again is refined, so that it is not equal to the one before it, and
in a conversion motion does not catch up. One such frame may be motion that pauses; one in every
second, at one distance, is a converter.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stutter.motion import Motion
from defectscope.detectors.stutter.windows import around

Series = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Frames on either side that a dip is compared with.
_REACH = 3
# Shorter rhythms are cadences; slower ones than this are not one disturbance to anybody.
_SHORTEST_FRAMES, _LONGEST_S = 13, 3.0
_LEAST_CHAIN = 3
# How many of the dips within a chain may lie off its rhythm.
_ON_CHAIN_SHARE = 0.7


def dips(motion: Motion, thresholds: Mapping[str, float]) -> Flags:
    """Returns the frames that move by far less than each of the frames on either side.

    By the means of tiles, by the mean difference, by the tile that changed most and, where most of
    the frame moves, by that of all tiles but a few: noise, light and coding move one of them.
    """
    ratio = thresholds["dip_ratio"]
    low = np.ones(len(motion.mean), bool)
    for values, least in (
        (motion.tiles, thresholds["dip_tiles_code"]),
        (motion.mean, thresholds["least_code"]),
        (motion.peak, thresholds["motion_code"]),
    ):
        sides, neighbours = _around(values)
        # Neither neighbour is a dip itself: a hold is something else.
        low &= (values <= ratio * sides) & (values <= 1.5 * ratio * neighbours) & (sides >= least)
    sides, _ = _around(motion.drift)
    low &= (motion.drift <= ratio * sides) | (sides < thresholds["dip_tiles_code"])
    low[:1] = False
    return low


def _around(values: Series) -> tuple[Series, Series]:
    """Returns the lower median of either side, and the lower of both neighbours."""
    near = around(values, _REACH)
    before, after = near[:, :_REACH], near[:, _REACH + 1 :]
    sides = np.minimum(np.median(before, axis=1), np.median(after, axis=1))
    return sides, np.minimum(before[:, -1], after[:, 0])


def chains(flags: Flags, rate_fps: float) -> list[list[int]]:
    """Returns rows at one distance from each other, three or more, where hardly others lie between.

    Args:
        flags: (n,) frames that may belong to one.
        rate_fps: Frames a second, which bounds the distance.
    """
    rows = np.flatnonzero(flags)
    taken: set[int] = set()
    there = set(rows.tolist())
    found: list[list[int]] = []
    longest = _LONGEST_S * rate_fps
    for number, row in enumerate(rows.tolist()):
        if row in taken:
            continue
        best: list[int] = []
        for other in rows[number + 1 :].tolist():
            period = other - row
            if period > longest:
                break
            if period < _SHORTEST_FRAMES:
                continue
            chain = _followed(row, period, there)
            inside = rows[(rows >= row) & (rows <= chain[-1])]
            if len(chain) > len(best) and len(chain) >= _ON_CHAIN_SHARE * len(inside):
                best = chain
        if len(best) >= _LEAST_CHAIN:
            taken.update(best)
            found.append(best)
    return found


def _followed(row: int, period: int, there: set[int]) -> list[int]:
    """Returns the rows at multiples of a period from one on; one in a row may hide in a cut."""
    chain, missed, at = [row], 0, row
    while missed <= 1:
        at += period
        hit = next((at + k for k in (0, -1, 1) if at + k in there), None)
        if hit is None:
            missed += 1
        else:
            chain.append(hit)
            missed, at = 0, hit
    return chain
