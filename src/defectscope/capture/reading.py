"""Reads a session: the capture's health first, then waits, findings, and what the player said."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from defectscope.analysis import analyze
from defectscope.capture.activity import read_activity
from defectscope.capture.attribution import Cause, cause_of
from defectscope.capture.events import Claim, held_against
from defectscope.capture.health import CaptureHealth
from defectscope.capture.session import Session, capture_path, read_session
from defectscope.capture.sound_waits import SoundWaits, measure_sound, read_levels
from defectscope.capture.waits import Waits, measure_waits
from defectscope.findings import Finding, Report
from defectscope.media.limits import Limits
from defectscope.media.opening import open_media

SCHEMA = "defectscope/session-reading/1"
# Marks from which the wait for the first frame counts: the later one that a script gives.
_LAUNCHES = ("play", "launch")
_JUMPS = ("seek", "switch")


@dataclass(frozen=True)
class SessionReading:
    """What a session shows.

    Attributes:
        session: The session.
        health: How good its capture is.
        waits: What the viewer waited for.
        sound: The same by ear; None where no sound was recorded.
        claims: The same as the player tells it, beside what was seen.
        report: The capture's report; None where no detector was asked for.
        findings: Each finding of it and what made it.
    """

    session: Session
    health: CaptureHealth
    waits: Waits
    sound: SoundWaits | None
    claims: tuple[Claim, ...]
    report: Report | None
    findings: tuple[tuple[Finding, Cause], ...]

    def of_device(self) -> tuple[Finding, ...]:
        """Returns the findings that nothing but the device explains."""
        return tuple(finding for finding, cause in self.findings if cause == "device")

    def to_dict(self) -> dict[str, Any]:
        """Returns it as its JSON object."""
        return {
            "schema": SCHEMA,
            "device": msgspec.to_builtins(self.session.device),
            "health": self.health.to_dict(),
            "waits": self.waits.to_dict(),
            "sound": None if self.sound is None else self.sound.to_dict(),
            "player": [claim.to_dict() for claim in self.claims],
            "findings": [{"cause": cause, **asdict(found)} for found, cause in self.findings],
        }

    def to_json(self, indent: int | None = None) -> str:
        """Returns it as JSON text."""
        return json.dumps(self.to_dict(), indent=indent, allow_nan=False)


def read_captured(
    path: str | os.PathLike[str],
    *,
    detectors: Sequence[str] | None = None,
    limits: Limits | None = None,
    progress: Callable[[float], None] | None = None,
) -> SessionReading:
    """Reads a session file and its capture.

    Args:
        path: The session file.
        detectors: Names of the detectors to run over the capture; None runs all, none of them
            leaves findings out.
        limits: Bounds on what one capture may cost.
        progress: Called with the time reached, seconds.

    Raises:
        MediaError: The session or its capture cannot be read.
    """
    session = read_session(path)
    video = capture_path(path, session)
    limits = limits or Limits()
    with open_media(video, limits=limits) as reader:
        activity = read_activity(reader, session.times_s, progress=progress)
        levels = None if reader.info.audio is None else read_levels(reader)
    health = session.health()
    launches_s = [at_s for name in _LAUNCHES for at_s in session.when_s(name)[:1]]
    launched_s = launches_s[0] if launches_s else None
    waits = measure_waits(
        activity,
        launched_s=launched_s,
        jumps_s=tuple((name, at_s) for name in _JUMPS for at_s in session.when_s(name)),
        title_fps=session.device.title_fps,
    )
    # Where captures are missing, nothing says how long a frame stood.
    holds = tuple(one for one in waits.holds if not health.is_bad(one.start_s, one.end_s))
    waits = replace(waits, holds=holds)
    sound = None
    if levels is not None:
        end_s = session.times_s[-1] if waits.rests_s is None else waits.rests_s
        sound = measure_sound(levels, waits, end_s=end_s, launched_s=launched_s)
    report = None
    if detectors is None or detectors:
        report = analyze(video, detectors=detectors, limits=limits, progress=progress)
    fps = session.device.title_fps
    return SessionReading(
        session=session,
        health=health,
        waits=waits,
        sound=sound,
        claims=held_against(waits, session),
        report=report,
        findings=()
        if report is None
        else tuple((found, cause_of(found, waits, health, fps)) for found in report.findings),
    )
