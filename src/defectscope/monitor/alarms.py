"""Alarms of one channel: opened when a finding lasts, cleared when it has been gone for a while.

The window slides, so that one finding is seen again and again, with a start that may move: an
alarm is known by detector, defect, track and overlap, never by start. A finding counts once two
decisions in a row have it, as the last rows of a window may be read otherwise when more follow.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from defectscope.findings import Finding, Severity, worst

State = Literal["opened", "cleared"]
# Findings of one key that are closer than this are one, seconds.
_JOIN_S = 1.0
# Decisions in a row that must have a finding.
_CONFIRMATIONS = 2
# What begins so near to the window's left edge began before it, seconds.
_EDGE_S = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a defect must last to be alarmed, and be gone to be cleared.

    Attributes:
        enter_s: An alarm opens once the defect has lasted so long, seconds.
        leave_s: It clears once the defect has been gone so long, seconds.
    """

    enter_s: float = 0.0
    leave_s: float = 2.0


@dataclass(frozen=True, slots=True)
class Key:
    """What tells alarms apart, beside their time."""

    detector: str
    defect: str
    track: int | None = None


@dataclass(slots=True)
class Alarm:
    """One event of a defect on a channel.

    Attributes:
        key: Detector, defect and track.
        start_s: When it began, programme seconds.
        end_s: Until when it was seen.
        severity: The gravest so far.
        evidence: What was measured last.
        alarm_id: Its identity in all its events.
        is_open: It was told.
        seen: How many decisions had it.
    """

    key: Key
    start_s: float
    end_s: float
    severity: Severity
    evidence: Mapping[str, Any]
    alarm_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    is_open: bool = False
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """An alarm that opened or cleared.

    Attributes:
        state: What happened.
        alarm: The alarm as it was then.
        at_s: When that was known, programme seconds.
    """

    state: State
    alarm: Alarm
    at_s: float


class AlarmBook:
    """Keeps the alarms of one channel; safe to use from several threads.

    Args:
        patience: By defect; `default` for all others.
        told: Called with every change, in order.
    """

    def __init__(self, patience: Mapping[str, Patience], told: Callable[[Change], None]) -> None:
        self._patience, self._told = dict(patience), told
        self._default = self._patience.get("default", Patience())
        self._active: list[Alarm] = []
        self._past: list[Alarm] = []
        self._lock = threading.RLock()

    def open_alarms(self) -> list[Alarm]:
        """Returns the alarms that are open now."""
        with self._lock:
            return [alarm for alarm in self._active if alarm.is_open]

    def patience_for(self, defect: str) -> Patience:
        """Returns how long a defect must last and be gone."""
        return self._patience.get(defect, self._default)

    def restore(self, alarms: Iterable[Alarm]) -> None:
        """Takes the alarms that were open when the process before this one ended."""
        with self._lock:
            self._active.extend(alarms)

    def decided(
        self,
        detector: str,
        findings: Sequence[Finding],
        *,
        first_s: float,
        edge_s: float,
        begun_s: float,
    ) -> None:
        """Takes what one detector found in the window.

        Args:
            detector: Its name; other alarms are left alone.
            findings: What it found, in programme seconds.
            first_s: Where the window begins.
            edge_s: How far the detector has measured.
            begun_s: Where measuring began after the last interruption: what touches the window's
                left edge there has no past that was missed.
        """
        with self._lock:
            matched: set[int] = set()
            for finding in sorted(findings, key=lambda f: f.start_s):
                alarm = self._taken(finding, first_s, begun_s)
                if alarm is not None:
                    matched.add(id(alarm))
                    self._ripen(alarm, edge_s)
            for alarm in [a for a in self._active if a.key.detector == detector]:
                if id(alarm) not in matched and not alarm.is_open:
                    self._active.remove(alarm)
                elif alarm.is_open and self._is_gone(alarm, edge_s):
                    self._clear(alarm, edge_s)
            self._past = [a for a in self._past if a.end_s > first_s - _JOIN_S]

    def _taken(self, finding: Finding, first_s: float, begun_s: float) -> Alarm | None:
        """The alarm that a finding is part of, a new one where there is none."""
        key = Key(finding.detector, finding.defect, finding.track)
        leave_s = self.patience_for(key.defect).leave_s
        for alarm in self._active:
            # What comes back before an open alarm is cleared goes on with it.
            within_s = max(_JOIN_S, leave_s) if alarm.is_open else _JOIN_S
            if alarm.key == key and _touch(alarm, finding, within_s):
                alarm.end_s = max(alarm.end_s, finding.end_s)
                alarm.severity = worst((alarm.severity, finding.severity)) or finding.severity
                alarm.evidence = finding.evidence
                alarm.seen += 1
                return alarm
        start_s = finding.start_s
        for past in self._past:
            if past.key == key and _touch(past, finding, _JOIN_S):
                if finding.end_s <= past.end_s + max(leave_s, _JOIN_S):
                    return None
                start_s = max(start_s, past.end_s)
        if start_s <= first_s + _EDGE_S and first_s > begun_s + _EDGE_S:
            # It was not there while its beginning was in sight: the cut made it.
            return None
        alarm = Alarm(key, start_s, finding.end_s, finding.severity, finding.evidence, seen=1)
        self._active.append(alarm)
        return alarm

    def _ripen(self, alarm: Alarm, edge_s: float) -> None:
        patience = self.patience_for(alarm.key.defect)
        lasted_s = alarm.end_s - alarm.start_s
        if alarm.is_open or alarm.seen < _CONFIRMATIONS or lasted_s < patience.enter_s:
            return
        alarm.is_open = True
        self._told(Change("opened", alarm, edge_s))

    def _is_gone(self, alarm: Alarm, edge_s: float) -> bool:
        return edge_s - alarm.end_s >= self.patience_for(alarm.key.defect).leave_s

    def _clear(self, alarm: Alarm, edge_s: float) -> None:
        self._active.remove(alarm)
        self._past.append(alarm)
        self._told(Change("cleared", alarm, edge_s))

    def raise_now(
        self, key: Key, at_s: float, severity: Severity, evidence: Mapping[str, Any]
    ) -> Alarm:
        """Opens an alarm of what the transport shows, or goes on with the one that is open."""
        with self._lock:
            for alarm in self._active:
                if alarm.key == key and alarm.is_open:
                    alarm.end_s = max(alarm.end_s, at_s)
                    alarm.evidence = evidence
                    return alarm
            alarm = Alarm(key, at_s, at_s, severity, evidence, is_open=True)
            self._active.append(alarm)
            self._told(Change("opened", alarm, at_s))
            return alarm

    def settle(self, detector: str, now_s: float) -> None:
        """Clears a detector's alarms that nothing has gone on with for long enough."""
        with self._lock:
            for alarm in [a for a in self._active if a.key.detector == detector]:
                if self._is_gone(alarm, now_s):
                    self._clear(alarm, now_s)


def _touch(alarm: Alarm, finding: Finding, within_s: float) -> bool:
    return finding.start_s <= alarm.end_s + within_s and finding.end_s >= alarm.start_s - within_s
