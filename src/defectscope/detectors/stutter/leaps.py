"""How much better motion goes on if frames are missing between two that follow each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Series = NDArray[np.float64]

# Frames before the one in question, and after it, that are looked at.
BEFORE, AFTER = 3, 2
_WINDOW = BEFORE + 1 + AFTER
# Places in time that a step may span: 1 for no frame missing. Longer gaps are found by these too.
_SPANS = (1, 2, 3, 4)
# Frames on either side, degree of the curve that things follow through them, and what it counts.
# A line through two and two sees the step of the moment, a cubic bears with motion that turns.
_CURVES = ((2, 1, 0.5), (3, 3, 0.5))
# What means of tiles and bands hold beside motion: coding and noise.
_NOISE_CODE = 0.1
# Frames with less contrast between their parts are not stretched to have more.
_LEAST_CONTRAST_CODE = 2.0


@dataclass(frozen=True, slots=True)
class Leaps:
    """What is known of some frames, (n,) each.

    Attributes:
        leap: How much less a curve leaves if frames are missing before this one, a natural
            logarithm; negative if it leaves more.
        way: How much the step to this frame goes the way of the two before and the two after, a
            cosine.
    """

    leap: Series
    way: Series


class LeapMeter:
    """Compares, frame by frame, a step in time with one that left frames out.

    Content follows smooth curves. Where frames are missing, values on both sides lie on one
    curve only if more time has passed between them.
    """

    def __init__(self) -> None:
        self._last: list[Series] = []
        self._contrasts: list[Series] = []
        self._seen = 0

    def push(self, kinds: Sequence[Series]) -> Leaps:
        """Takes the next frames and tells of those that have their neighbours.

        The last `AFTER` frames wait for others. Of the first `BEFORE` nothing is known: 0.

        Args:
            kinds: (n, values) each: means over parts of the frame, codes, in several ways.
        """
        # A lamp that is turned up or down moves everything, and goes no way.
        even = [each - each.mean(axis=1, keepdims=True) for each in kinds]
        contrasts = [np.maximum(each.std(axis=1), _LEAST_CONTRAST_CODE) for each in even]
        even = [each / by[:, None] for each, by in zip(even, contrasts, strict=True)]
        if self._last:
            even = [np.concatenate(both) for both in zip(self._last, even, strict=True)]
            both = zip(self._contrasts, contrasts, strict=True)
            contrasts = [np.concatenate(each) for each in both]
        waiting = min(self._seen, AFTER)
        fresh = len(kinds[0])
        self._seen += fresh
        self._last = [each[1 - _WINDOW :].copy() for each in even]
        self._contrasts = [each[1 - _WINDOW :].copy() for each in contrasts]
        ready = max(0, waiting + fresh - AFTER)
        leap, way = np.zeros(ready), np.zeros(ready)
        known = len(even[0]) - _WINDOW + 1
        if known > 0:
            leap[ready - known :], way[ready - known :] = _measured(even, contrasts, known)
        return Leaps(leap, way)


def residual_form(side: int, degree: int, span: int) -> Series:
    """Returns the quadratic form of what a curve leaves of values on either side of a step.

    Args:
        side: Values before the step, and after it.
        degree: Degree of the polynomial in time that is fitted to them.
        span: Places in time from the last value before the step to the first after it.

    Returns:
        (2 side, 2 side): values^T form values is the sum of the squares left over.
    """
    times = np.concatenate([np.arange(-side, 0), np.arange(side) + span - 1.0])
    # Far from 0 the powers would be nearly parallel.
    middle = times - times.mean()
    basis, _ = np.linalg.qr(np.vander(middle / np.abs(middle).max(), degree + 1))
    return np.eye(2 * side) - basis @ basis.T


def _in_window(form: Series) -> Series:
    """Returns a form over the whole window from one over its middle."""
    return np.pad(form, (_WINDOW - len(form)) // 2)


_FORMS = tuple(
    (2 * side - degree - 1, weight, [_in_window(residual_form(side, degree, g)) for g in _SPANS])
    for side, degree, weight in _CURVES
)
_STEP = np.array([0.0, 0.0, -1.0, 1.0, 0.0, 0.0])
# Two steps before and two after, their mean.
_NOISE_FLOOR = np.array([-1.0, 0.0, 1.0, -1.0, 0.0, 1.0]) / 4


def _measured(
    kinds: Sequence[Series], contrasts: Sequence[Series], count: int
) -> tuple[Series, Series]:
    """Returns leaps and ways of the frames that have a whole window."""
    logs = [np.zeros((len(_SPANS), count)) for _ in _FORMS]
    way = np.zeros(count)
    for values, contrast in zip(kinds, contrasts, strict=True):
        lags = [
            np.einsum("ij,ij->i", values[: len(values) - lag], values[lag:])
            for lag in range(_WINDOW)
        ]
        noise = values.shape[1] * (_NOISE_CODE / contrast[BEFORE : BEFORE + count]) ** 2
        scale = contrast[BEFORE : BEFORE + count] ** 2
        for (left_over, _, forms), into in zip(_FORMS, logs, strict=True):
            for number, form in enumerate(forms):
                # Rounding may leave less than nothing.
                left = np.maximum(_form_of(lags, form, count), 0.0) + left_over * noise
                into[number] += np.log(left * scale) / len(kinds)
        lengths = [
            _form_of(lags, np.outer(each, each), count) + noise / 4
            for each in (_STEP, _NOISE_FLOOR)
        ]
        along = _form_of(lags, np.outer(_STEP, _NOISE_FLOOR), count)
        way += along / np.sqrt(np.maximum(lengths[0] * lengths[1], 1e-12)) / len(kinds)
    leap = np.zeros(count)
    for (_, weight, _), each in zip(_FORMS, logs, strict=True):
        leap += weight * (each[0] - each[1:].min(axis=0))
    return leap, way


def _form_of(lags: Sequence[Series], form: Series, count: int) -> Series:
    """Returns a quadratic form of the frames of each window from their inner products."""
    total = np.zeros(count)
    for row in range(_WINDOW):
        for other in range(_WINDOW):
            if form[row, other]:
                at = min(row, other)
                total += form[row, other] * lags[abs(row - other)][at : at + count]
    return total
