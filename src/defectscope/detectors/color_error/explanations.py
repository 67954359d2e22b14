"""What explains one abrupt change of colour or level: pure functions over steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from defectscope.detectors.color_error.steps import Steps
from defectscope.temporal.padding import between

# What is usual about a frame is evaluated over so many frames on either side of it.
_REACH = 12
# Frames whose surroundings are held at a time: 24 values of 8 bytes each make 0.8 MB.
_BLOCK_ROWS = 4096
# What is abrupt is so many times as large as what is large around it.
ABRUPT_RATIO = 1.3
# A turn of hue must leave so much less than an exchange of U and V.
_PLAINER = 1.5


@dataclass(frozen=True, slots=True)
class Step:
    """One abrupt change of colour.

    Attributes:
        row: The first frame after it.
        kind: `cast`, `chroma_loss`, `chroma_swap`, `illegal_range`, `level_gain`,
            `tone_gain` or `chroma_shift`.
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


def around(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the median and the third largest value around each row, without the row itself.

    The largest two are left out, so that a cut or the other end of an error near by does not hide
    a step.
    """
    if not len(values):
        return values, values
    padded = between(values, _REACH, np.nan)
    windows = sliding_window_view(padded, 2 * _REACH + 1)
    baseline, largest = np.empty(len(values)), np.empty(len(values))
    for first in range(0, len(values), _BLOCK_ROWS):
        block = slice(first, first + _BLOCK_ROWS)
        baseline[block], largest[block] = _baseline_and_largest(windows[block])
    return baseline, largest


def _baseline_and_largest(
    windows: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    others = np.concatenate([windows[:, :_REACH], windows[:, _REACH + 1 :]], axis=1)
    filled = np.where(np.isnan(others), -1.0, others)
    median = np.zeros(len(windows))
    some = np.any(filled >= 0, axis=1)
    if some.any():
        median[some] = _known_medians(others[some])
    return median, np.maximum(np.partition(filled, -3, axis=1)[:, -3], 0.0)


def _known_medians(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Medians of each row's numbers, each of which has some; `numpy.nanmedian` is far slower."""
    known = np.count_nonzero(~np.isnan(values), axis=1)
    ordered, each = np.sort(values, axis=1), np.arange(len(values))  # NaN goes to the end
    return (ordered[each, (known - 1) // 2] + ordered[each, known // 2]) / 2


def explained(
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
        turned = abs(at["turn"]) >= limit["turn"] and (
            1 / limit["turn_gain"] <= at["turn_gain"] <= limit["turn_gain"]
        )
        # Where colours lie on one line, an exchange is a turn as well, and the plainer word.
        if turned and at["as_swap"] > _PLAINER * at["as_turn"] + 0.1:
            options["chroma_turn"] = at["as_turn"] / limit["turn_left_share"] * bound / at["as_is"]
    cast = (at["cast_u"], at["cast_v"])
    strong = bool(np.hypot(*cast) >= limit["cast_code"])
    if strong:
        options["cast"] = at["as_cast"]
    if not options:
        return []
    best = min(options, key=lambda name: options[name])
    gone = min(at["as_flat"], at["as_flat_back"])
    # Where one shift explains nearly all, the colour before or after it was one and the same
    # everywhere, and a gain would explain it as well.
    plain = options.get("cast", np.inf) <= limit["plain_cast_share"] * at["as_is"] + 0.1
    # A white balance changes what is bright most. What was grey and goes with luma now is tinted;
    # its own colours would go their own ways.
    tinted = strong and at["as_tint"] <= limit["tint_left_share"] * at["as_is"]
    if gone <= limit["flat_left_share"] * at["as_is"] and gone + 0.1 <= at["as_cast"] / 2:
        best = "lost" if at["as_flat"] == gone else "regained"
    elif plain or tinted:
        best = "cast"
    elif options[best] > bound:
        return []
    strength = at["as_is"] / max(floor, 0.1)
    if best == "cast":
        return [Step(row, "cast", None, cast, strength)]
    if best == "chroma_turn":
        return [Step(row, best, None, (float(np.sin(at["turn"])),), strength)]
    if best == "chroma_swap":
        return [Step(row, "chroma_swap", None, (), strength)]
    return [Step(row, "chroma_loss", best == "lost", (), strength)]


def gain_agrees(steps: Steps, limit: Mapping[str, float]) -> NDArray[np.bool_]:
    """Whether the colour was stretched with the luma, or there is too little of it to tell."""
    ratio = (steps["gain"] - 1) / np.where(steps["slope"] == 1, 1, steps["slope"] - 1)
    colored = steps["as_swap"] >= limit["colored_code"]
    return ~colored | ((ratio >= 0.3) & (ratio <= 1.6))


def level_gains(steps: Steps, limit: Mapping[str, float]) -> list[Step]:
    """Returns where luma, and colour with it, is stretched or squeezed by one factor at once.

    About whatever level: a range taken for another, a gain switched in. A lamp that goes on lights
    some things more than others; a cut leaves nothing in its place.
    """
    change = steps["luma_change"]
    baseline, largest = around(change)
    abrupt = change >= np.maximum(limit["level_code"], limit["level_ratio"] * baseline)
    abrupt &= change >= ABRUPT_RATIO * largest
    most = limit["level_gain"]
    slope, gain = steps["slope"], steps["gain"]
    moderate = (slope >= 1 / most) & (slope <= most)
    lift = steps["lift"]
    pure = steps["luma_left"] <= limit["level_left_share"] * change
    # All levels alike, brighter or darker at once, are never a lamp's doing where they fit so well.
    offset = (np.abs(lift) >= limit["lift_code"]) & (
        steps["luma_left"] <= limit["lift_left_share"] * change
    )
    pure &= (np.abs(slope - 1) >= limit["slope"]) | offset
    # Colour stays what it is, or is stretched as well.
    baseline_color = limit["jump_ratio"] * around(steps["as_is"])[0]
    stays = steps["as_is"] <= np.maximum(baseline_color, limit["jump_code"])
    pure &= stays | (steps["as_gain"] <= limit["clipped_left_share"] * steps["as_is"] + 0.1)
    # Where whites clip, luma is no straight line any more; its colours still are.
    colored = steps["as_gain"] <= limit["level_left_share"] * steps["as_is"] + 0.1
    colored &= steps["as_is"] >= limit["colorful_code"]
    colored &= (np.abs(gain - 1) >= limit["slope"]) & (gain >= 1 / most) & (gain <= most)
    colored &= (np.sign(gain - 1) == np.sign(slope - 1)) & (
        steps["luma_left"] <= limit["clipped_left_share"] * change
    )
    rows = np.flatnonzero(abrupt & moderate & (pure | colored))
    signed = np.where(np.abs(lift) >= change / 2, np.sign(lift), np.sign(slope - 1)) * change
    return [
        Step(
            row,
            "level_gain",
            None,
            (float(signed[row]),),
            float(change[row] / max(limit["level_ratio"] * baseline[row], limit["level_code"])),
        )
        for row in rows.tolist()
    ]
