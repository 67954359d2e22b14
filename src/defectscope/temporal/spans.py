"""Turns per-row scores into events, and events into findings on the frame grid."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Curve, Finding
from defectscope.media.stream import StreamInfo
from defectscope.media.timecode import frame_at

# A report's curve never holds more points than a wide screen has columns.
MAX_CURVE_POINTS = 2000

Rows = tuple[int, int]
_DRAWN: ContextVar[bool] = ContextVar("drawn", default=True)


def logistic(log_odds: Any) -> NDArray[np.float64]:
    """Returns probabilities of log odds, of any size without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, np.float64)))


def runs(flags: NDArray[np.bool_]) -> list[Rows]:
    """Returns the maximal runs of true rows as half-open row ranges."""
    padded = np.zeros(len(flags) + 2, np.bool_)
    padded[1:-1] = flags
    edges: list[int] = np.flatnonzero(padded[1:] != padded[:-1]).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def hysteresis(scores: NDArray[Any], enter: float, leave: float) -> list[Rows]:
    """Returns runs of scores that stay at or above `leave` and reach `enter` somewhere."""
    return [(a, b) for a, b in runs(scores >= leave) if np.max(scores[a:b]) >= enter]


def bridge(
    spans: Iterable[Rows], starts: NDArray[Any], ends: NDArray[Any], gap: float
) -> list[Rows]:
    """Joins spans that are at most `gap` apart, in the unit of `starts` and `ends`."""
    joined: list[Rows] = []
    for first, last in spans:
        if joined and starts[first] - ends[joined[-1][1] - 1] <= gap:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def row_ends(starts_s: NDArray[np.float64], nominal_s: float) -> NDArray[np.float64]:
    """Returns when each row's frame leaves the screen: when the next one comes."""
    if not len(starts_s):
        return starts_s
    return np.append(starts_s[1:], starts_s[-1] + nominal_s)


@contextmanager
def without_curves() -> Generator[None]:
    """Has `curve` draw nothing inside: who decides twice a second looks at findings alone."""
    token = _DRAWN.set(False)
    try:
        yield
    finally:
        _DRAWN.reset(token)


def curve(times_s: NDArray[Any], values: NDArray[Any]) -> Curve:
    """Decimates a score to its minimum and maximum per step, at most 2,000 steps.

    Inside `without_curves` it is empty.
    """
    if not len(times_s) or not _DRAWN.get():
        return Curve(1.0, (), ())
    span_s = float(times_s[-1] - times_s[0])
    count = min(MAX_CURVE_POINTS, len(times_s))
    step_s = max(span_s / max(count - 1, 1), 1e-6)
    # The grid starts at t = 0, so that a curve needs no offset to be drawn; what comes before it
    # in a damaged file is drawn there.
    index = np.clip(times_s / step_s, 0, MAX_CURVE_POINTS * 2).astype(np.int64)
    size = int(index[-1]) + 1
    if size > MAX_CURVE_POINTS:
        step_s = float(times_s[-1]) / (MAX_CURVE_POINTS - 1)
        index = np.maximum(times_s / step_s, 0).astype(np.int64)
        size = int(index[-1]) + 1
    low = np.full(size, np.inf)
    high = np.full(size, -np.inf)
    good = np.isfinite(values)
    np.minimum.at(low, index[good], values[good])
    np.maximum.at(high, index[good], values[good])
    # A step without a row keeps what was last known: 0 would be a peak on a scale of decibels.
    finite = np.isfinite(low)
    if not finite.any():
        return Curve(round(step_s, 6), (0.0,) * size, (0.0,) * size)
    known = np.maximum.accumulate(np.where(finite, np.arange(size), int(np.argmax(finite))))
    low, high = low[known], high[known]
    return Curve(
        round(step_s, 6), tuple(np.round(low, 4).tolist()), tuple(np.round(high, 4).tolist())
    )


def on_grid(findings: Sequence[Finding], stream: StreamInfo) -> tuple[Finding, ...]:
    """Returns findings ordered by start, with frames and timecodes on the nominal-rate grid."""
    # A microsecond is finer than any sample; it hides what seconds as floats cannot hold.
    rounded = [replace(f, start_s=round(f.start_s, 6), end_s=round(f.end_s, 6)) for f in findings]
    ordered = sorted(rounded, key=lambda f: (f.start_s, f.end_s, f.detector, f.defect))
    video, origin = stream.video, stream.start_timecode
    if video is None or origin is None:
        return tuple(ordered)
    placed: list[Finding] = []
    for finding in ordered:
        first = frame_at(finding.start_s, video.frame_rate)
        last = max(first, frame_at(finding.end_s, video.frame_rate))
        placed.append(
            replace(
                finding,
                start_frame=first,
                end_frame=last,
                start_timecode=str(origin + first),
                end_timecode=str(origin + last),
            )
        )
    return tuple(placed)
