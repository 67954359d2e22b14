"""Nominal frame rates: what a container's rounded or jittery clock was meant to be.

Source: SMPTE ST 12-1 (24, 25, 30 and their 1/1.001 forms), ST 12-3 (48 to 120).
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av.error

from defectscope.media.matroska import track_entries

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
# Rates that displays have; above, a rate of one frame for each tick was never counted.
_FASTEST = 240
# Packets whose time stamps tell how long frames usually stay.
_STEPS_SEEN = 150
_FALLBACK_RATE = Fraction(25)
# Steps that differ by less are one step.
_STEADY = Fraction(3, 20)
# What a mean over rounded steps may be off by.
_OF_ITSELF = Fraction(1, 1000)


@dataclass(frozen=True, slots=True)
class Pace:
    """What was seen of how long frames stay.

    Attributes:
        step_s: How long they usually do, seconds; None where no two were seen.
        own: The container says that they keep to no common duration.
    """

    step_s: Fraction | None
    own: bool = False


def pace_of(opened: Callable[[], Any], index: int, head: bytes) -> Pace | None:
    """Returns the pace of a video track, None where the container's word is good enough.

    Args:
        opened: Opens the container anew.
        index: The track's number.
        head: The beginning of the file.
    """
    stated = track_entries(head)
    container = opened()
    try:
        stream = container.streams[index]
        if stated is None and not _counts_ticks(stream):
            return None
        step_s = _typical_step_s(container, stream)
    finally:
        container.close()
    if stated is None or step_s is None or index >= len(stated):
        return Pace(step_s)
    return Pace(step_s, _keeps_own_pace(stated[index].frame_s, step_s))


def _typical_step_s(container: Any, stream: Any) -> Fraction | None:
    """Returns how long the first frames of a video stream usually stay, in seconds.

    Args:
        container: An open PyAV container that nothing was read from.
        stream: Its video stream.
    """
    stamps: list[int] = []
    try:
        for packet in container.demux(stream):
            if packet.pts is not None:
                stamps.append(packet.pts)
            if len(stamps) >= _STEPS_SEEN:
                break
    except (av.error.FFmpegError, OSError):
        pass
    stamps.sort()
    steps = [b - a for a, b in itertools.pairwise(stamps) if b > a]
    if not steps:
        return None
    typical = statistics.median_low(steps)
    # Steps of the typical length are rounded to ticks: their mean is not.
    even = [step for step in steps if abs(step - typical) <= max(1, typical * _STEADY)]
    return Fraction(sum(even), len(even)) * stream.time_base


def _counts_ticks(stream: Any) -> bool:
    """Tells whether a video stream's rate is none, or that of its clock: nobody counted frames."""
    rates = map(_sane, (stream.guessed_rate, stream.average_rate, stream.base_rate))
    rate = next((r for r in rates if r), None)
    return rate is None or (rate * stream.time_base == 1 and rate > _FASTEST)


def _keeps_own_pace(stated_s: Fraction | None, step_s: Fraction) -> bool:
    """Tells whether a stated duration of frames is none that they keep to.

    Args:
        stated_s: What the container states; None where it promises nothing.
        step_s: How long frames usually stay.
    """
    if stated_s is None:
        return True
    off = abs(stated_s / step_s - 1)
    # An average over frames that stayed and frames that did not is no standard rate.
    return off > _SWAYING or (off > _OF_ITSELF and snap(1 / stated_s) not in _STANDARD)


def nominal_rate(stream: Any, pace: Pace | None = None) -> tuple[Fraction, bool]:
    """Returns a video stream's nominal rate, and whether its frames keep to a pace of their own.

    Args:
        stream: A video stream of PyAV.
        pace: How long its frames stay, where that was looked at.
    """
    pace = pace or Pace(None)
    step_s = pace.step_s
    average = _sane(stream.average_rate)
    if average is not None and average * stream.time_base == 1:
        average = None  # one frame per tick: nobody counted
    rate = next(
        (r for r in map(_sane, (stream.guessed_rate, stream.average_rate, stream.base_rate)) if r),
        None,
    )
    tick_s = Fraction(stream.time_base)
    if step_s is not None and _sane(1 / step_s) and _counts_ticks(stream):
        return snap(1 / step_s, max(_SWAYING, tick_s / step_s)), True
    if rate is None:
        return _FALLBACK_RATE, pace.own
    base = _sane(stream.base_rate)
    # Frames that keep to no common grid are spaced by what the average says, on average.
    uneven = base is None or (average is not None and abs(average / base - 1) > _ROUNDED)
    snapped = snap(rate, _SWAYING if uneven else _ROUNDED)
    variable = average is not None and abs(average / snapped - 1) > Fraction(1, 1000)
    return snapped, pace.own or variable or (uneven and base is None)


def snap(rate: Fraction, tolerance: Fraction = _ROUNDED) -> Fraction:
    """Returns the standard rate that a measured one is nearest to, or that rate itself."""
    nearest = min(_STANDARD, key=lambda standard: abs(rate / standard - 1))
    return nearest if abs(rate / nearest - 1) <= tolerance else rate


def _sane(rate: Any) -> Fraction | None:
    return Fraction(rate) if rate and 0 < rate <= _MAX_RATE else None
