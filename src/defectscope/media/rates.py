"""Nominal frame rates: what a container's rounded or jittery clock was meant to be.

Source: SMPTE ST 12-1 (24, 25, 30 and their 1/1.001 forms), ST 12-3 (48 to 120).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

_STANDARD = (
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48000, 1001),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
    Fraction(100),
    Fraction(120000, 1001),
    Fraction(120),
)
# 24 and 23.976 differ by 0.1 %: a steady clock that is nearer than half of that to one of them was
# rounded from it (1 ms in Matroska).
_ROUNDED = Fraction(1, 2000)
# A clock of frames at their own pace sways by as much and is still meant to be standard.
_SWAYING = Fraction(1, 100)
# A rate above this is a time base mistaken for a rate.
_MAX_RATE = 1000
_FALLBACK_RATE = Fraction(25)


def nominal_rate(stream: Any) -> tuple[Fraction, bool]:
    """Returns a video stream's nominal rate, and whether its frames keep to a pace of their own.

    Args:
        stream: A video stream of PyAV.
    """
    average = _sane(stream.average_rate)
    if average is not None and average * stream.time_base == 1:
        average = None  # one frame per tick: nobody counted
    rate = next(
        (r for r in map(_sane, (stream.guessed_rate, stream.average_rate, stream.base_rate)) if r),
        None,
    )
    if rate is None:
        return _FALLBACK_RATE, False
    base = _sane(stream.base_rate)
    # Frames that keep to no common grid are spaced by what the average says, on average.
    uneven = base is None or (average is not None and abs(average / base - 1) > _ROUNDED)
    snapped = snap(rate, _SWAYING if uneven else _ROUNDED)
    variable = average is not None and abs(average / snapped - 1) > Fraction(1, 1000)
    return snapped, variable or (uneven and base is None)


def snap(rate: Fraction, tolerance: Fraction = _ROUNDED) -> Fraction:
    """Returns the standard rate that a measured one is nearest to, or that rate itself."""
    nearest = min(_STANDARD, key=lambda standard: abs(rate / standard - 1))
    return nearest if abs(rate / nearest - 1) <= tolerance else rate


def _sane(rate: Any) -> Fraction | None:
    return Fraction(rate) if rate and 0 < rate <= _MAX_RATE else None
