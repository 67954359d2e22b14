"""Where motion stands, and where it jumps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detectors.stutter.rhythm import catching_up, conversion, in_rhythm, periodic
from defectscope.detectors.stutter.windows import around, window_quantiles
from defectscope.temporal.differences import alone
from defectscope.temporal.order import median, quantile
from defectscope.temporal.spans import runs

Series = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = tuple[int, int]

# Frames on either side that say how much motion there is.
_REACH = 8
_MOVING_QUANTILE = 0.85
# Frames on either side of a hold that say how fast things usually move.
_NEAR = 30
_JUMP_REACH = 3
_PEAK_NOISE_CODE = 0.2
# Frames on either side of a leap whose steps it is compared with, the least that these count for,
# and the share of the leaps of a disturbance that must be longer.
_NEIGHBOURS, _LEAST_NEIGHBOUR_CODE, _MOST_OF_THEM = 5, 0.05, 0.5
# How jerky motion is by nature, over so long on either side: one step in ten is longer.
_JERK_REACH_S = 1.0
_JERK_QUANTILE = 0.9


@dataclass(frozen=True, slots=True)
class Motion:
    """How far each frame is from the one before, 8-bit-equivalent codes, (n,) each.

    Attributes:
        mean: Mean absolute difference.
        peak: That of the tile that changed most.
        luma: Mean luma of the frame itself.
        tiles: How far the mean luma of tiles moved, mean over all of them.
        drift: How far the mean luma of the tile moved that moved most, but for 15 of 96.
        apart: Mean difference as a share of what two frames of these tones have that share
            nothing else: about 1 at a cut.
        leap: How much better motion goes on if frames are missing before this one, a logarithm.
        way: How much the step goes the way of its neighbours, a cosine.
    """

    mean: Series
    peak: Series
    luma: Series
    tiles: Series
    drift: Series
    apart: Series
    leap: Series
    way: Series


def standing(motion: Motion, thresholds: Mapping[str, float]) -> Flags:
    """Tells which frames repeat the one before although there is motion around.

    A repeated frame is not always equal: an encoder refines it, a key frame changes it a little.
    """
    (level,) = window_quantiles(around(motion.peak, _REACH), [0.85])
    bar = np.minimum(thresholds["still_code"], level * thresholds["still_ratio"])
    still = (motion.peak <= bar) & (level >= thresholds["motion_code"])
    if len(still):
        still[0] = False  # nothing came before it
    return still


def held_runs(
    motion: Motion, still: Flags, longest_hold_frames: int, thresholds: Mapping[str, float]
) -> list[Rows]:
    """Returns the runs of repeated frames that interrupt motion by accident.

    The programme goes on under an accident: the frame that ends it is further away than others.
    Where things just come to rest, or a drawing is held, it is not. Rhythms are not looked at.
    """
    found: list[Rows] = []
    light = light_share(motion)
    rhythm = periodic(still, 4) & ~catching_up(still, motion.tiles)
    for first, last in runs(still):
        if first < 2 or last >= len(still):
            continue
        if last - first <= longest_hold_frames and rhythm[first:last].all():
            continue
        if not _moves_on_both_sides(motion.peak, first, last, thresholds):
            continue
        near = slice(max(0, first - _NEAR), last + _NEAR)
        # Frames that end a hold do not say how fast things usually move.
        free = ~still[near]
        free[1:] &= ~still[near][:-1]
        if free.sum() < 3:
            free = ~still[near]
        baseline = median(motion.mean[near][free])
        if median(light[near][free]) > thresholds["flicker_share"]:
            # Where lamps flicker, two frames in the same light look like one that stands.
            continue
        step = float(motion.mean[last])
        # What ends a hold comes from further on: it may be far away, though not another scene.
        far = step > thresholds["cut_code"] or step > 2 * thresholds["cut_ratio"] * baseline
        cut = far and motion.apart[last] > thresholds["held_apart"]
        cut |= step > 3 * baseline and motion.apart[last] > thresholds["new_apart"]
        if cut or light[last] > thresholds["light_share"]:
            continue
        # Nothing at all has changed amid a frame full of motion and noise: that is a copy.
        copied = (
            baseline >= thresholds["copy_code"]
            and float(np.max(motion.mean[first:last])) <= thresholds["copy_ratio"] * baseline
        )
        ratio = thresholds["moving_ratio" if copied else "resume_ratio"]
        if float(np.max(motion.mean[first:last])) > thresholds["held_share"] * baseline:
            continue  # one tile of a frame that moved much does not make the others stand
        resumed = step >= ratio * baseline
        moved = motion.mean[first - 1] >= thresholds["moving_ratio"] * baseline
        if resumed and moved and baseline >= thresholds["least_code"]:
            found.append((first, last))
    return found


def _moves_on_both_sides(
    peak: Series, first: int, last: int, thresholds: Mapping[str, float]
) -> bool:
    """Tells whether there is motion before a hold and after it: else things came to rest."""
    sides = peak[max(1, first - _REACH) : first], peak[last : last + _REACH]
    level = min(quantile(side, _MOVING_QUANTILE) for side in sides)
    return level >= thresholds["motion_code"]


def light_share(motion: Motion) -> Series:
    """Returns how much of each frame's difference is a change of its mean luma, 0 to 1."""
    step = np.abs(np.diff(motion.luma, prepend=motion.luma[:1]))
    return step / np.maximum(motion.mean, 1e-6)


def jumps(motion: Motion, still: Flags, rate_fps: float, thresholds: Mapping[str, float]) -> Series:
    """Returns how clearly frames are missing before each frame; 0 where none seem to be.

    Motion on both sides of such a frame goes on in one curve if more time has passed between.
    Hands and heads that move in fits and starts look like that at times, too, so a frame counts
    by what it exceeds the longest tenth around; and a conversion drops frames in a rhythm. Cuts,
    changes of light and what is next to a hold are told apart before.
    """
    cut = cuts(motion, thresholds)
    near = around(cut.astype(np.float64), _JUMP_REACH).any(axis=1)
    leap = np.where(near, 0.0, motion.leap)
    leap = leap - np.log(conversion(np.exp(leap)))
    reach = max(_JUMP_REACH, round(_JERK_REACH_S * rate_fps))
    (baseline,) = window_quantiles(around(leap, reach), [_JERK_QUANTILE])
    clear = leap - thresholds["jerk_share"] * np.maximum(baseline, 0.0)
    stands = around(still.astype(np.float64), 2).any(axis=1)
    wanted = (
        (clear >= thresholds["leap"])
        & (motion.tiles >= thresholds["jump_code"])
        & (light_share(motion) <= thresholds["drop_light_share"])
        & (motion.way >= thresholds["turns_back"])
        & ~near
        & ~stands
        & _may_be_motion(motion, thresholds)
        & ~in_rhythm(np.maximum(leap, 0.0), 3)
    )
    return np.where(wanted, clear, 0.0)


def _may_be_motion(motion: Motion, thresholds: Mapping[str, float]) -> Flags:
    """Tells which steps the motion beside them would make if some frames were missing.

    A cut within a scene, or a caption that changes, is further than anything moves in so short a
    time, or has motion on one side only.
    """
    near = around(motion.tiles, _JUMP_REACH)
    before = np.median(near[:, :_JUMP_REACH], axis=1)
    after = np.median(near[:, _JUMP_REACH + 1 :], axis=1)
    baseline = np.sqrt(before * after)
    even = np.minimum(before, after) >= thresholds["alike_share"] * np.maximum(before, after)
    return even & (motion.tiles <= thresholds["most_missing"] * baseline)


def same_way(
    drops: Sequence[tuple[int, int, str, float]], motion: Motion, thresholds: Mapping[str, float]
) -> bool:
    """Tells whether the steps of a disturbance go on, on the whole, as the motion beside them does.

    A frame that is cut out round a face that somebody follows leaps to and fro, by a little.
    Several of which one would do by itself may go anywhere: much was missing. So may several that
    are far longer than any step beside them: leaps of a crop are one among others of their size.
    """
    if not drops:
        return False
    rows = [row for row, *_ in drops]
    if len(drops) > 1:
        clearest = max(clear for *_, clear in drops)
        if clearest >= thresholds["lone_clear"]:
            return True
        beyond = _beyond_neighbours(motion.tiles, rows) >= thresholds["beyond"]
        if clearest >= thresholds["beyond_clear"] and np.mean(beyond) > _MOST_OF_THEM:
            return True
    return float(np.mean(motion.way[rows])) >= thresholds["same_way"]


def _beyond_neighbours(steps: Series, rows: Sequence[int]) -> Series:
    """Returns how many times each of some steps is the longest of those beside it."""
    near = around(steps, _NEIGHBOURS)[list(rows)]
    longest = np.delete(near, _NEIGHBOURS, axis=1).max(axis=1)
    return steps[list(rows)] / np.maximum(longest, _LEAST_NEIGHBOUR_CODE)


def cuts(motion: Motion, thresholds: Mapping[str, float]) -> Flags:
    """Tells which frames begin another scene."""
    mean = motion.mean
    by_itself = alone(mean, _PEAK_NOISE_CODE)
    cut = mean > thresholds["cut_code"]
    # Somebody cut out of an interview moves by more than anybody drops.
    far = (mean > thresholds["cut_code"] / 3) | (motion.apart > thresholds["edit_apart"])
    cut |= (by_itself > thresholds["cut_ratio"]) & far
    # Another scene has nothing in common with the last; nor has very fast motion, which goes on.
    other = (motion.apart > thresholds["cut_apart"]) & (by_itself > thresholds["cut_alone"])
    return cut | (other & (motion.way < thresholds["goes_on"]))
