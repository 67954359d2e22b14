"""Says of each finding in a capture what made it: a wait, the capture itself, or the device.

A capture samples a screen. At less than twice the title's rate it shows some frames once and some
twice, where captures are missing it jumps, and its file has time stamps of its own: none of that is
the device's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from defectscope.capture.health import CaptureHealth
from defectscope.capture.waits import Waits
from defectscope.findings import Finding, Interval

Cause = Literal["start", "stall", "jump", "black", "overlay", "capture", "device"]
# Of a finding with events of several causes; the device's wins over all.
_BY_WEIGHT: tuple[Cause, ...] = ("device", "capture", "stall", "jump", "black", "overlay", "start")
# What is told from the capture's file alone says nothing of the device.
_OF_FILE = frozenset({"stream_integrity"})
# Waits are known to a capture or two, and detectors look at some frames on either side.
_REACH_S = 0.3
# Frames that are shown for one capture only can be missed by it.
_TWICE = 2.0


def cause_of(
    finding: Finding, waits: Waits, health: CaptureHealth, title_fps: float | None
) -> Cause:
    """Returns what made a finding; `device` where nothing else explains it.

    Args:
        finding: A finding in the capture.
        waits: What was measured of the capture's waits.
        health: How good the capture is.
        title_fps: Frames a second of the title; None where unknown.
    """
    if finding.detector in _OF_FILE:
        return "capture"
    whole = [finding.interval]
    wait = _wait(finding, whole, waits)
    if wait is not None:
        return wait
    events = _events(finding)
    causes: set[Cause] = {
        _event_cause(finding, event, waits, health, title_fps) for event in events
    }
    return next(cause for cause in _BY_WEIGHT if cause in causes)


def _events(finding: Finding) -> list[Interval]:
    """Returns when it happened: detectors of motion list events, others are one."""
    instants_s = finding.evidence.get("events_s")
    if not isinstance(instants_s, Sequence) or isinstance(instants_s, str) or not instants_s:
        return [finding.interval]
    return [Interval(float(at_s), float(at_s)) for at_s in instants_s]


def _event_cause(
    finding: Finding,
    event: Interval,
    waits: Waits,
    health: CaptureHealth,
    title_fps: float | None,
) -> Cause:
    wait = _wait(finding, [event], waits)
    if wait is not None:
        return wait
    if finding.detector != "stutter":
        covered_s = sum(event.intersection_s(o) for o in [*health.bad, *health.sound_gaps])
        return "capture" if covered_s > event.duration_s / 2 else "device"
    reach_s = 2 * health.resolution_s
    if health.is_bad(event.start_s - reach_s, event.end_s + reach_s):
        return "capture"
    if finding.evidence.get("kind") == "drop":
        too_slow = title_fps is None or 1 / health.resolution_s < _TWICE * title_fps
        return "capture" if too_slow else "device"
    held = [Interval(max(h.start_s - reach_s, 0.0), h.end_s + reach_s) for h in waits.holds]
    return "device" if any(h.start_s <= event.start_s <= h.end_s for h in held) else "capture"


def _wait(finding: Finding, events: Sequence[Interval], waits: Waits) -> Cause | None:
    """Returns the wait that a finding lies in by more than half, if it lies in one."""
    first_s = waits.first_frame_s
    spans: dict[Cause, list[Interval]] = {
        "start": [Interval(0.0, finding.end_s if first_s is None else first_s)],
        **waits.spans,
    }
    for event in events:
        for cause, own in spans.items():
            if any(_lies_in(event, span) for span in own):
                return cause
    return None


def _lies_in(event: Interval, span: Interval) -> bool:
    around = Interval(max(span.start_s - _REACH_S, 0.0), span.end_s + _REACH_S)
    if event.duration_s == 0.0:
        return around.start_s <= event.start_s <= around.end_s
    return around.intersection_s(event) > event.duration_s / 2
