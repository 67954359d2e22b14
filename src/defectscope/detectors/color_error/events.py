"""From steps to runs: which steps transform colour, and which two of them belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.detectors.color_error.steps import Steps

# What is usual about a frame is evaluated over so many frames on either side of it.
_REACH = 12
# What is abrupt is so many times as large as what is large around it.
_ABRUPT_RATIO = 1.3
# Levels count as steady over so many frames.
_STEADY = 4
# What may be left of a step by the one that undoes it: a share of its size, and so much more in the
# kind's own unit. Motion carries colour along, and a shift is measured less well than the others.
_UNDONE = {"cast": (0.3, 1.0), "illegal_range": (0.3, 0.0), "chroma_shift": (0.6, 0.01)}
# A step that motion may pass for must be undone so much more exactly, and within so many frames:
# far away one or the other fits by chance.
_EXACTLY = 0.5
_NEAR = 250
_ONLY_IN_PAIRS = ("chroma_shift", "illegal_range")


@dataclass(frozen=True, slots=True)
class Step:
    """One abrupt change of colour.

    Attributes:
        row: The first frame after it.
        kind: `cast`, `chroma_loss`, `chroma_swap`, `illegal_range` or `chroma_shift`.
        onset: Whether it must begin an error (True), end one (False), or may do either (None).
        vector: What it does, in the kind's own unit: the cast in codes, the shift in tiles, the
            logarithm of the stretch; () where there is nothing to compare.
        strength: How far it stands above what is usual, from 1 up.
        sure: Whether it is told for itself. Motion may pass for one that is not, so it counts only
            as the other end of one that is.
    """

    row: int
    kind: str
    onset: bool | None
    vector: tuple[float, ...]
    strength: float
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Error:
    """Rows [first, last) of one error, with the step that shows it best."""

    first: int
    last: int
    step: Step
    paired: bool


def around(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns what is usual and what is large around each row, without the row itself.

    Usual is the median; large is the third largest, so that a cut or the other end of an error
    near by does not hide a step.
    """
    if not len(values):
        return values, values
    padded = np.pad(values, _REACH, constant_values=np.nan)
    windows = sliding_window_view(padded, 2 * _REACH + 1)
    others = np.concatenate([windows[:, :_REACH], windows[:, _REACH + 1 :]], axis=1)
    filled = np.where(np.isnan(others), -1.0, others)
    median = np.zeros(len(values))
    some = np.any(filled >= 0, axis=1)
    if some.any():
        median[some] = np.nanmedian(others[some], axis=1)
    return median, np.maximum(np.partition(filled, -3, axis=1)[:, -3], 0.0)


def find_steps(steps: Steps, limit: Mapping[str, float]) -> list[Step]:
    """Returns the abrupt changes of colour, in order, each with the explanation that fits it."""
    baseline, largest = around(steps["as_is"])
    luma_baseline, luma_largest = around(steps["luma_left"])
    calm = steps["luma_left"] <= np.maximum(
        luma_baseline * limit["cut_ratio"] + limit["cut_code"], luma_largest * _ABRUPT_RATIO
    )
    jump = steps["as_is"]
    floor = np.maximum(limit["jump_code"], limit["jump_ratio"] * baseline)
    explained = limit["explained_share"] * jump + 0.1
    found: list[Step] = []
    # Errors of colour leave luma's contrast alone; what goes black or comes back takes both.
    kept = np.abs(steps["slope"] - 1) <= limit["kept_slope"]
    # No fade looks like an exchange of all colours, whatever moves meanwhile.
    kept |= (jump >= limit["cast_code"]) & (steps["as_swap"] <= limit["plain_swap_share"] * jump)
    # Where colour jumps to and fro, light flickers.
    once = jump >= limit["alone_ratio"] * largest
    for row in np.flatnonzero(calm & kept & once & (jump >= floor)).tolist():
        found += _explained(row, steps, float(explained[row]), float(floor[row]), limit)
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
        (slopes >= np.maximum(limit["slope_ratio"] * baseline_slope, _ABRUPT_RATIO * largest_slope))
        & (steps["luma_left"] <= luma_baseline * limit["cut_ratio"] + limit["cut_code"])
        & (steps["luma_change"] >= luma_baseline + limit["stretch_code"])
    )
    like_stretch = (
        (slopes >= limit["slope"])
        & (steps["luma_change"] >= limit["stretch_code"])
        & (np.abs(steps["pivot_change"]) <= limit["pivot_code"])
        & _gain_agrees(steps, limit)
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
    return sorted(found, key=lambda step: step.row)


def _explained(
    row: int, steps: Steps, bound: float, floor: float, limit: Mapping[str, float]
) -> list[Step]:
    """The transformation that best explains a jump, where one does."""
    at = {name: float(values[row]) for name, values in steps.items()}
    options: dict[str, float] = {}
    # Nobody sees that a frame which is nearly grey has become grey.
    if at["as_is"] >= limit["colorful_code"]:
        options["chroma_swap"] = at["as_swap"]
        if 0 <= at["gain"] <= limit["loss_gain"]:
            options["lost"] = at["as_gain"]
        if 0 <= at["gain_back"] <= limit["loss_gain"]:
            options["regained"] = at["as_gain_back"]
    cast = (at["cast_u"], at["cast_v"])
    if np.hypot(*cast) >= limit["cast_code"]:
        options["cast"] = at["as_cast"]
    if not options:
        return []
    best = min(options, key=lambda name: options[name])
    # Where one shift explains nearly all, the colour before or after it was one and the same
    # everywhere, and a gain would explain it as well.
    if options.get("cast", np.inf) <= limit["plain_cast_share"] * at["as_is"] + 0.1:
        best = "cast"
    if options[best] > bound:
        return []
    strength = at["as_is"] / max(floor, 0.1)
    if best == "cast":
        return [Step(row, "cast", None, cast, strength)]
    if best == "chroma_swap":
        return [Step(row, "chroma_swap", None, (), strength)]
    return [Step(row, "chroma_loss", best == "lost", (), strength)]


def _gain_agrees(steps: Steps, limit: Mapping[str, float]) -> NDArray[np.bool_]:
    """Whether the colour was stretched with the luma, or there is too little of it to tell."""
    ratio = (steps["gain"] - 1) / np.where(steps["slope"] == 1, 1, steps["slope"] - 1)
    colored = steps["as_swap"] >= limit["colored_code"]
    return ~colored | ((ratio >= 0.3) & (ratio <= 1.6))


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
    return errors


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
    size = float(np.sqrt(np.sum(np.square(step.vector))))
    return np.asarray(left <= share * size + more)
