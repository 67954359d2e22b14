"""From steps to runs: which steps transform colour, and which two of them belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.detectors.color_error.explanations import (
    ABRUPT_RATIO,
    Step,
    around,
    explained,
    gain_agrees,
    level_gains,
)
from defectscope.detectors.color_error.steps import Steps
from defectscope.detectors.color_error.tones import range_steps

# Levels count as steady over so many frames.
_STEADY = 4
# What may be left of a step by the one that undoes it: a share of its size, and so much more in the
# kind's own unit. Motion carries colour along, and a shift is measured less well than the others.
_UNDONE = {
    "cast": (0.3, 1.0),
    "chroma_turn": (0.3, 0.1),
    "illegal_range": (0.3, 0.0),
    "level_gain": (0.3, 1.5),
    "chroma_shift": (0.6, 0.01),
    "tone_gain": (0.3, 1.0),
}
# A step that motion may pass for must be undone so much more exactly, and within so many frames:
# far away one or the other fits by chance.
_EXACTLY = 0.5
_NEAR = 250
_ONLY_IN_PAIRS = ("chroma_shift", "illegal_range", "level_gain", "tone_gain")
# A player that waits dims the picture that stands; so many frames on either side say how it moves.
_LEVELS = ("illegal_range", "level_gain", "tone_gain")
_NEIGHBOURS = 12
# Two errors that share so much of what they cover are one, seen in two ways.
_SAME_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Error:
    """Rows [first, last) of one error, with the step that shows it best."""

    first: int
    last: int
    step: Step
    paired: bool


def find_steps(steps: Steps, limit: Mapping[str, float]) -> list[Step]:
    """Returns the abrupt changes of colour, in order, each with the explanation that fits it."""
    baseline, largest = around(steps["as_is"])
    luma_baseline, luma_largest = around(steps["luma_left"])
    calm = steps["luma_left"] <= np.maximum(
        luma_baseline * limit["cut_ratio"] + limit["cut_code"], luma_largest * ABRUPT_RATIO
    )
    jump = steps["as_is"]
    floor = np.maximum(limit["jump_code"], limit["jump_ratio"] * baseline)
    within = limit["explained_share"] * jump + 0.1
    found: list[Step] = []
    # Errors of colour leave luma's contrast alone; what goes black or comes back takes both.
    kept = np.abs(steps["slope"] - 1) <= limit["kept_slope"]
    # No fade looks like an exchange of all colours, whatever moves meanwhile.
    kept |= (jump >= limit["cast_code"]) & (steps["as_swap"] <= limit["plain_swap_share"] * jump)
    # Where colour jumps to and fro, light flickers.
    once = jump >= limit["alone_ratio"] * largest
    # A white balance changes luma as well, and clips it: there, an explanation must be plainer.
    within = np.where(calm, within, limit["uncalm_share"] * jump)
    # Another scene, or a pattern, changes luma far more.
    able = calm | (steps["luma_left"] <= limit["uncalm_luma_share"] * jump)
    for row in np.flatnonzero(able & kept & once & (jump >= floor)).tolist():
        told = explained(row, steps, float(within[row]), float(floor[row]), limit)
        # A cut to a grey scene, too, leaves no colour.
        found += [s for s in told if calm[row] or s.kind != "chroma_loss"]
    taken = {step.row for step in found}
    alone = calm & kept & (jump >= np.maximum(limit["shift_code"], limit["shift_ratio"] * baseline))
    alone &= jump >= limit["shift_peak_ratio"] * largest
    # One displacement must explain it: a key frame colours every block a little differently.
    alone &= steps["shift_left"] <= limit["shift_left_share"]
    # Where luma jumps as well, it is the frame that moved, or a lamp that went on or off.
    lit = around(steps["luma_change"])[1]
    alone &= steps["luma_left"] <= luma_largest * limit["shift_luma_ratio"] + 0.1
    alone &= steps["luma_change"] <= lit * limit["shift_luma_ratio"] + 0.1
    slopes = np.abs(steps["slope"] - 1)
    # A still frame shows a stretch purely; in motion it must stand above what motion does.
    pure = steps["luma_left"] <= limit["stretch_left_share"] * steps["luma_change"]
    baseline_slope, largest_slope = around(slopes)
    standing_out = (
        (slopes >= np.maximum(limit["slope_ratio"] * baseline_slope, ABRUPT_RATIO * largest_slope))
        & (steps["luma_left"] <= luma_baseline * limit["cut_ratio"] + limit["cut_code"])
        & (steps["luma_change"] >= luma_baseline + limit["stretch_code"])
    )
    like_stretch = (
        (slopes >= limit["slope"])
        & (steps["luma_change"] >= limit["stretch_code"])
        & (np.abs(steps["pivot_change"]) <= limit["pivot_code"])
        & gain_agrees(steps, limit)
    )
    stretched = (like_stretch & (pure | standing_out)) | (calm & _left_range(steps, limit))
    for row in np.flatnonzero(like_stretch | stretched).tolist():
        if row not in taken:
            slope = float(np.log(max(steps["slope"][row], 1e-3)))
            strength = 1 + abs(slope) / limit["slope"]
            sure = bool(stretched[row])
            found.append(Step(row, "illegal_range", slope > 0, (slope,), strength, sure))
            if sure:
                taken.add(row)
    for row in np.flatnonzero(alone).tolist():
        if row not in taken:
            strength = float(jump[row] / max(limit["shift_ratio"] * baseline[row], 0.1))
            vector = (float(steps["shift_x"][row]), float(steps["shift_y"][row]))
            found.append(Step(row, "chroma_shift", None, vector, strength))
    known = {step.row for step in found if step.sure}
    found += [step for step in level_gains(steps, limit) if step.row not in known]
    # These find their other ends among themselves, whatever else has been told there.
    return sorted([*found, *range_steps(steps, limit)], key=lambda step: step.row)


def _left_range(steps: Steps, limit: Mapping[str, float]) -> NDArray[np.bool_]:
    """Where levels leave the legal range at once, or come back, as luma is stretched or shrunk.

    Motion hides a stretch, but not that black has suddenly gone below black.
    """
    outside = steps["outside_share"]
    count = len(outside)
    out = np.zeros(count, np.bool_)
    if count <= 2 * _STEADY:
        return out
    windows = sliding_window_view(outside, _STEADY)
    least, most = windows.min(axis=1), windows.max(axis=1)
    rows = np.arange(_STEADY, count - _STEADY + 1)
    before, after = rows - _STEADY, rows
    bounds = limit["outside_least"], limit["outside_usual_ratio"]
    up = (least[after] >= bounds[0]) & (least[after] >= bounds[1] * most[before])
    down = (least[before] >= bounds[0]) & (least[before] >= bounds[1] * most[after])
    slope = steps["slope"][rows]
    stretched = (up & (slope >= 1 + limit["outside_slope"])) | (
        down & (slope <= 1 - limit["outside_slope"])
    )
    out[rows] = stretched & (np.abs(steps["pivot_change"][rows]) <= limit["pivot_code"])
    return out


def pair(steps: Sequence[Step], rows: int) -> list[Error]:
    """Joins each step that may begin an error with the first later one that undoes it.

    A step that nothing undoes splits the programme in two: an onset lasts to the end, an end comes
    from the beginning, and where either is possible the shorter part is the error. Shifts and
    runs that nothing undoes are dropped: motion and light may look like one of them.
    """
    errors: list[Error] = []
    left: list[Step] = []
    for kind in sorted({step.kind for step in steps}):
        found, alone = _paired([step for step in steps if step.kind == kind])
        errors += found
        left += alone
    for step in left:
        if step.kind not in _ONLY_IN_PAIRS:
            from_here = step.onset if step.onset is not None else rows - step.row <= step.row
            span = (step.row, rows) if from_here else (0, step.row)
            errors.append(Error(*span, step, paired=False))
    return _distinct(errors)


def dims_a_stall(error: Error, steps: Steps, limit: Mapping[str, float]) -> bool:
    """Tells whether a moving picture stands for as long as it is darker.

    That is a player that waits: it dims the frame that it holds, often below a spinner, and the
    freeze is what a viewer sees. A picture that moves on, or stands before and after as well, is
    darker by an error of level.
    """
    first, last = error.first, error.last
    if error.step.kind not in _LEVELS or not error.paired or steps["slope"][first] >= 1:
        return False
    change = steps["luma_change"]
    inside = change[first + 1 : last]
    neighbours = np.concatenate(
        [change[max(0, first - _NEIGHBOURS) : first], change[last + 1 : last + 1 + _NEIGHBOURS]]
    )
    if not len(inside) or not len(neighbours):
        return False
    moves = float(np.median(neighbours))
    return moves >= limit["stall_code"] and bool(np.median(inside) <= limit["stall_share"] * moves)


def _distinct(errors: Sequence[Error]) -> list[Error]:
    """Leaves out what another error covers that is told by more; keeps the order.

    Motion hardly changes the tones of a whole frame, so where these tell other ends, they are
    right; where they tell the same, the other kind tells more.
    """
    told = {(e.first, e.last) for e in errors if e.paired and e.step.kind != "tone_gain"}
    errors = [e for e in errors if e.step.kind != "tone_gain" or (e.first, e.last) not in told]
    kept: list[Error] = []
    for each in sorted(
        errors, key=lambda e: (not e.paired, e.step.kind != "tone_gain", -e.step.strength)
    ):
        shares = (
            (min(each.last, e.last) - max(each.first, e.first))
            / max(1, max(each.last, e.last) - min(each.first, e.first))
            for e in kept
        )
        if all(share < _SAME_SHARE for share in shares):
            kept.append(each)
    return [error for error in errors if error in kept]


def _paired(steps: Sequence[Step]) -> tuple[list[Error], list[Step]]:
    """Returns the errors of one kind that two steps bound, and the sure steps that are left."""
    sure = [step for step in steps if step.sure]
    free = np.array([step.onset is not True for step in sure])
    used = np.zeros(len(sure), np.bool_)
    vectors = np.array([step.vector for step in sure], np.float64)
    errors: list[Error] = []
    for number, step in enumerate(sure):
        if used[number] or step.onset is False:
            continue
        fits = (free & ~used)[number + 1 :] & _undone(step, vectors[number + 1 :])
        if fits.any():
            other = number + 1 + int(np.argmax(fits))
            used[[number, other]] = True
            errors.append(Error(step.row, sure[other].row, step, paired=True))
    left: list[Step] = []
    possible = [step for step in steps if not step.sure]
    for step in (s for s, gone in zip(sure, used, strict=True) if not gone):
        fits = [p for p in possible if p.onset is not step.onset and _may_end(step, p)]
        # No error encloses one that is told for sure.
        fits = [p for p in fits if not any(_between(e, step, p) for e in errors)]
        if fits:
            other = min(fits, key=lambda p: float(np.sum(np.add(p.vector, step.vector) ** 2)))
            first, last = sorted((step.row, other.row))
            errors.append(Error(first, last, step, paired=True))
        else:
            left.append(step)
    return errors, left


def _may_end(step: Step, other: Step) -> bool:
    """Whether a step lies on the side where an error's other end is wanted, and undoes it."""
    later, near = other.row > step.row, abs(other.row - step.row) <= _NEAR
    return (
        near
        and later == step.onset
        and bool(_undone(step, np.array([other.vector], np.float64), _EXACTLY)[0])
    )


def _between(error: Error, one: Step, other: Step) -> bool:
    first, last = sorted((one.row, other.row))
    return error.first < last and first < error.last


def _undone(step: Step, others: NDArray[np.float64], exactly: float = 1.0) -> NDArray[np.bool_]:
    """Which of the (n, size) vectors take back what a step did, to so much of what may be left."""
    share, more = (exactly * bound for bound in _UNDONE.get(step.kind, (0.0, 0.0)))
    left = np.sqrt(np.sum((others + np.asarray(step.vector)) ** 2, axis=1))
    size: Any = np.sqrt(np.sum(np.square(step.vector)))
    if step.kind not in _ONLY_IN_PAIRS:
        # Either is reported anyway, so the larger of both says what may be left: what clips makes
        # one of them smaller.
        size = np.maximum(size, np.sqrt(np.sum(others**2, axis=1)))
    return np.asarray(left <= share * size + more)
