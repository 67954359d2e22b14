"""Turns what the transport shows into alarms: gone, lossy, set anew, a track too few."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from defectscope.findings import Severity
from defectscope.monitor.alarms import Alarm, AlarmBook, Key
from defectscope.monitor.damage import Damage
from defectscope.monitor.psi import TrackEntry
from defectscope.monitor.transport import TransportAnalyzer

DETECTOR = "transport"
# Loss from which on a stream can hardly be watched. Source: DVB's quasi error free target is far
# below one lost packet an hour; viewers see every loss of a reference frame.
_CRITICAL_SHARE = 0.005
# Damage in a frame is seen until the next random access point; longer groups are rare.
_LONGEST_GROUP_S = 2.5
_BEFORE_S = 1.0
# A track that has been gone for so long is expected no more.
_EXPECTED_S = 3600.0
# Measures of TR 101 290 that are alarmed; the others are counted.
_ALARMED = {
    "1.1": "TS_sync_loss",
    "1.2": "Sync_byte_error",
    "1.3": "PAT_error",
    "1.5": "PMT_error",
    "2.1": "Transport_error",
    "2.2": "CRC_error",
}


class TransportWatch:
    """Looks at one channel's transport four times a second.

    Attributes:
        damage: What was damaged on the way, in programme seconds.
        lost: No data come.
    """

    def __init__(
        self,
        analyzer: TransportAnalyzer,
        alarms: AlarmBook,
        idle_s: float,
        programme_at: Callable[[float], float],
    ) -> None:
        self.damage = Damage()
        self.lost = False
        self._analyzer, self._alarms = analyzer, alarms
        self._idle_s, self._programme_at = idle_s, programme_at
        self._arrived_s: float | None = None
        self._told: dict[str, int] = {}
        self._loss_missing = self._loss_packets = self._since_loss = 0
        self._loss_open = False
        self._expected: dict[TrackEntry, float] = {}

    def arrived(self, at_s: float) -> None:
        """Notes that data came, on the clock of `time.monotonic`."""
        self._arrived_s = at_s

    def tick(self, now_s: float) -> None:
        """Looks at what has changed since the last look."""
        if self._arrived_s is None:
            return
        silent_s = now_s - self._arrived_s
        self.lost = silent_s > self._idle_s
        if self.lost:
            since_s, at_s = self._programme_at(self._arrived_s), self._programme_at(now_s)
            alarm = self._raise("signal_lost", at_s, "critical", {"silent_s": round(silent_s, 2)})
            alarm.start_s = min(alarm.start_s, since_s)
            self.damage.add(since_s - _BEFORE_S, at_s + _LONGEST_GROUP_S)
        self._losses()
        self._steps()
        self._errors(now_s)
        if not self.lost:
            self._tracks(now_s)
        self._alarms.settle(DETECTOR, self._programme_at(now_s))

    def noted(self, defect: str, at_s: float, evidence: Mapping[str, Any]) -> None:
        """Tells of a moment, programme seconds, around which other findings mean nothing."""
        self._raise(defect, at_s, "major", evidence)
        self.damage.add(at_s - _BEFORE_S, at_s + _LONGEST_GROUP_S)

    def _raise(
        self, defect: str, at_s: float, severity: Severity, evidence: Mapping[str, Any]
    ) -> Alarm:
        return self._alarms.raise_now(Key(DETECTOR, defect), at_s, severity, evidence)

    def _losses(self) -> None:
        losses = self._analyzer.losses
        is_open = any(a.key.defect == "packet_loss" for a in self._alarms.open_alarms())
        if not is_open:
            self._loss_missing = self._loss_packets = self._since_loss = 0
        while losses:
            loss = losses.popleft()
            # The rate is that from the first loss to the last.
            if loss.span is None:
                self._since_loss += loss.packets
            else:
                before, within, after = loss.span
                if self._loss_missing:
                    self._loss_packets += self._since_loss + before
                self._loss_packets += within
                self._since_loss = after
            if not loss.missing:
                continue
            self._loss_missing += loss.missing
            at_s = self._programme_at(loss.at_s)
            share = self._loss_missing / (self._loss_missing + self._loss_packets)
            evidence = {
                "missing_packets": self._loss_missing,
                "received_packets": self._loss_packets,
                "loss_share": round(share, 6),
                "measure": "1.4 Continuity_count_error",
            }
            severity: Severity = "critical" if share >= _CRITICAL_SHARE else "major"
            self._raise("packet_loss", at_s, severity, evidence)
            self.damage.add(at_s - _BEFORE_S, at_s + _LONGEST_GROUP_S)

    def _steps(self) -> None:
        while self._analyzer.steps:
            at_s, step_s = self._analyzer.steps.popleft()
            evidence = {"step_s": round(step_s, 3), "measure": "2.3b PCR_discontinuity"}
            self.noted("clock_step", self._programme_at(at_s), evidence)

    def _errors(self, now_s: float) -> None:
        errors = self._analyzer.counts.errors
        grown = {m: errors[m] - self._told.get(m, 0) for m in _ALARMED if m in errors}
        grown = {m: count for m, count in grown.items() if count > 0}
        if grown and not self.lost:
            evidence = {f"{m} {_ALARMED[m]}": errors[m] for m in grown}
            self._raise("transport_error", self._programme_at(now_s), "major", evidence)
        self._told |= {m: errors[m] for m in grown}

    def _tracks(self, now_s: float) -> None:
        named = self._analyzer.tables.entries()
        for track in named:
            if track.medium != "other":
                self._expected[track] = now_s
        gone = {track: "named, but silent" for track in self._analyzer.missing_tracks()}
        for track, seen_s in list(self._expected.items()):
            if now_s - seen_s > _EXPECTED_S:
                del self._expected[track]
            elif track not in named:
                gone[track] = "no more named by its programme"
        for track, reason in gone.items():
            evidence = {"pid": track.pid, "medium": track.medium, "reason": reason}
            if track.language:
                evidence["language"] = track.language
            key = Key(DETECTOR, "track_missing", track.pid)
            at_s = self._programme_at(now_s)
            self._alarms.raise_now(key, at_s, "critical", evidence)
            if track.medium == "audio":
                self.damage.add(at_s - 2 * _BEFORE_S, at_s + _BEFORE_S)
