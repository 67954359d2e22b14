"""Where motion stands, where it jumps, and which rhythm of standing is meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.detection.spans import runs

Series = NDArray[np.float64]
Flags = NDArray[np.bool_]
Rows = tuple[int, int]

# Pictures on either side that say how much motion there is.
_REACH = 8
# Longest rhythm that is taken for a cadence: film on twos to sixes, 3:2, 25 in 30, 30 in 25, ...
_LONGEST_CADENCE = 12
# A rhythm holds where so many of the pictures around agree with the one a period earlier.
_CADENCE_REACH = 30
_CADENCE_AGREEMENT = 0.75
_LONG_SHARE = 0.2
# What keeps company with a step is at least so large beside it.
_COMPANY_SHARE = 0.75
# From this share of standing pictures on, standing may be a rhythm.
_HELD_SHARE = 0.3
_JUMP_REACH = 3
# Steps of a still picture, by coding alone.
_STRIDE_NOISE_CODE = 0.03
# How jerky motion is by nature, over so long on either side: one step in ten is longer.
_JERK_REACH_S = 2.0
_JERK_QUANTILE = 0.9


@dataclass(frozen=True, slots=True)
class Motion:
    """How far each picture is from the one before, 8-bit-equivalent codes, (n,) each.

    Attributes:
        mean: Mean absolute difference.
        peak: That of the tile that changed most.
        low: Lower quartile of the tiles': large only where the whole picture moved.
        luma: Mean luma of the picture itself.
        tiles: How far the mean luma of tiles moved, mean over all of them.
        rows: Likewise of narrow bands across the picture.
        columns: Likewise of narrow bands down the picture.
    """

    mean: Series
    peak: Series
    low: Series
    luma: Series
    tiles: Series
    rows: Series
    columns: Series


def around(values: Series, reach: int) -> Series:
    """Gives each value with its neighbours, (n, 2 reach + 1); ends repeat."""
    if not len(values):
        return np.empty((0, 2 * reach + 1))
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)


def standing(motion: Motion, thresholds: Mapping[str, float]) -> Flags:
    """Tells which pictures repeat the one before although there is motion around.

    A repeated picture is not always equal: an encoder refines it, a key frame changes it a little.
    """
    level = np.quantile(around(motion.peak, _REACH), 0.85, axis=1)
    bar = np.minimum(thresholds["still_code"], level * thresholds["still_ratio"])
    still = (motion.peak <= bar) & (level >= thresholds["motion_code"])
    if len(still):
        still[0] = False  # nothing came before it
    return still


def cadence(still: Flags, longest_hold_frames: int) -> tuple[Flags, Flags]:
    """Finds rhythms of standing pictures that repeat, and where they break.

    Args:
        still: (n,) bool.
        longest_hold_frames: Pictures that repeat for longer belong to no cadence.

    Returns:
        (n,) bool: pictures inside a rhythm; and of these, those that break it.
    """
    count = len(still)
    inside, broken = np.zeros(count, bool), np.zeros(count, bool)
    best = np.zeros(count)
    values = still.astype(np.float64)
    share = around(values, _CADENCE_REACH).mean(axis=1) if count else values
    for period in range(2, min(_LONGEST_CADENCE, count - 1) + 1):
        agree = np.ones(count)
        agree[period:] = still[period:] == still[:-period]
        lasting = around(agree, _CADENCE_REACH).mean(axis=1)
        # A multiple of the period agrees as well; it must be better to be taken.
        better = lasting > best + 0.02
        best = np.where(better, lasting, best)
        broken = np.where(better, agree == 0, broken)
    held = np.zeros(count)
    for first, last in runs(still):
        held[first:last] = last - first > longest_hold_frames
    if count:
        best = np.where(around(held, _CADENCE_REACH).mean(axis=1) > _LONG_SHARE, 0.0, best)
    inside = (best >= _CADENCE_AGREEMENT) & (share >= _HELD_SHARE) & (share <= 0.9)
    return inside, broken & inside


def held_runs(
    motion: Motion, still: Flags, longest_hold_frames: int, thresholds: Mapping[str, float]
) -> list[Rows]:
    """Gives the runs of repeated pictures that interrupt motion by accident.

    The programme goes on under an accident: the picture that ends it is further away than others.
    Where things just come to rest, or a drawing is held, it is not. Rhythms are not looked at.
    """
    found: list[Rows] = []
    light = light_share(motion)
    periodic = _periodic(still, 4)
    for first, last in runs(still):
        if first < 2 or last >= len(still):
            continue
        if last - first <= longest_hold_frames and periodic[first:last].all():
            continue
        near = slice(max(0, first - _CADENCE_REACH), last + _CADENCE_REACH)
        # Pictures that end a hold do not say how fast things usually move.
        free = ~still[near]
        free[1:] &= ~still[near][:-1]
        moving = motion.mean[near][free] if free.sum() >= 3 else motion.mean[near][~still[near]]
        usual = float(np.median(moving))
        step = float(motion.mean[last])
        cut = step > thresholds["cut_code"] or step > 2 * thresholds["cut_ratio"] * usual
        if cut or light[last] > thresholds["light_share"]:
            continue
        # Nothing at all has changed amid a picture full of motion and noise: that is a copy.
        copied = (
            usual >= thresholds["copy_code"]
            and float(np.max(motion.mean[first:last])) <= thresholds["copy_ratio"] * usual
        )
        ratio = thresholds["moving_ratio" if copied else "resume_ratio"]
        resumed = step >= ratio * usual
        moved = motion.mean[first - 1] >= thresholds["moving_ratio"] * usual
        if resumed and moved and usual >= thresholds["least_code"]:
            found.append((first, last))
    return found


def light_share(motion: Motion) -> Series:
    """Gives how much of each picture's difference is a change of its mean luma, 0 to 1."""
    step = np.abs(np.diff(motion.luma, prepend=motion.luma[:1]))
    return step / np.maximum(motion.mean, 1e-6)


def jumps(motion: Motion, still: Flags, rate_fps: float, thresholds: Mapping[str, float]) -> Series:
    """Gives how clearly each picture jumps, 1 and more beyond what the motion does; 0 for not.

    A jump is one step alone that is longer than its neighbours and than the programme's own steps
    around it usually are, not a cut (which would be longer still), not a change of light, and not
    part of a rhythm.
    """
    mean, ratio = motion.mean, strides(motion)
    cut = (mean > thresholds["cut_code"]) | (
        (_alone(mean, 0.2) > thresholds["cut_ratio"]) & (mean > thresholds["cut_code"] / 3)
    )
    stands = around(still.astype(np.float64), 2).any(axis=1)
    # Some motion is jerky by nature: its steps are spread widely.
    near = around(ratio, max(_JUMP_REACH, round(_JERK_REACH_S * rate_fps)))
    usual, long = np.quantile(near, [0.5, _JERK_QUANTILE], axis=1)
    spread = np.log(np.maximum(long, 1e-3) / np.maximum(usual, 1e-3))
    clear = np.log(np.maximum(ratio, 1e-3) / np.maximum(long, thresholds["least_long"]))
    clear = clear / np.maximum(spread, thresholds["least_spread"])
    wanted = (
        (ratio >= thresholds["jump_ratio"])
        & (clear >= thresholds["jump_clear"])
        & (motion.tiles >= thresholds["jump_code"])
        & (light_share(motion) <= thresholds["light_share"])
        & ~cut
        & ~stands
    )
    wanted &= ~_in_rhythm(ratio, 3)
    wanted[: _JUMP_REACH + 1] = False
    wanted[len(wanted) - _JUMP_REACH :] = False
    return np.where(wanted, clear, 0.0)


def strides(motion: Motion) -> Series:
    """Gives how long each picture's step is, beside the longest of three on either side.

    Differences of samples stop growing once things have moved by their own size. Means over tiles
    and bands of the picture go on, and hardly know noise; three kinds of them agree where the
    picture really jumped.
    """
    moves = (motion.tiles, motion.rows, motion.columns)
    logs = [np.log(np.maximum(_alone(each, _STRIDE_NOISE_CODE), 1e-3)) for each in moves]
    return np.exp(np.mean(logs, axis=0))


def _alone(values: Series, noise: float) -> Series:
    """How much each value exceeds the largest of three on either side."""
    windows = np.array(around(values, _JUMP_REACH))
    windows[:, _JUMP_REACH] = 0.0
    return values / (windows.max(axis=1) + noise)


def _periodic(flags: Flags, least: int) -> Flags:
    """Tells which set flags have company at `least` of four multiples of one distance."""
    return _in_rhythm(flags.astype(np.float64), least) & flags


def _in_rhythm(values: Series, least: int) -> Flags:
    """Tells which values have company at `least` of four multiples of one distance.

    Company is nearly as large. The four lie before, after or on both sides, so that a rhythm holds
    up to its ends.
    """
    count, margin = len(values), 4 * _LONGEST_CADENCE
    found = np.zeros(count, bool)
    padded = np.pad(values, margin)
    base = np.arange(count) + margin
    bar = np.maximum(_COMPANY_SHARE * values, 1e-9)
    for period in range(2, _LONGEST_CADENCE + 1):
        company = {k: padded[base + k * period] >= bar for k in (-4, -3, -2, -1, 1, 2, 3, 4)}
        for places in ((-4, -3, -2, -1), (-2, -1, 1, 2), (1, 2, 3, 4)):
            found |= np.sum([company[k] for k in places], axis=0) >= least
    return found
