"""Events: what happened to an alarm, as CloudEvents 1.0 in structured JSON.

Source: CNCF CloudEvents 1.0.2, JSON event format.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from defectscope.monitor.alarms import Change

TYPE_PREFIX = "org.defectscope.alarm."
SCHEMA_URI = "https://github.com/defectscope/defectscope/schemas/live-event/1"
_SCHEMA_PATH = Path(__file__).with_name("event.schema.json")


@dataclass(frozen=True, slots=True)
class Clock:
    """Where programme time and wall time meet.

    Attributes:
        programme_s: An instant of the programme, seconds.
        wall_s: When its data came, seconds since 1970.
    """

    programme_s: float
    wall_s: float

    def wall_at(self, programme_s: float) -> float:
        """Returns the wall time of an instant of the programme, seconds since 1970."""
        return self.wall_s + programme_s - self.programme_s


def iso(wall_s: float) -> str:
    """Returns an instant as RFC 3339 with milliseconds, in UTC."""
    moment = datetime.fromtimestamp(wall_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event_of(channel: str, change: Change, clock: Clock, now_s: float) -> dict[str, Any]:
    """Returns the event of a change, as CloudEvents has it.

    Args:
        channel: The channel's name.
        change: What happened.
        clock: How programme time becomes wall time.
        now_s: Wall time of the event, seconds since 1970.
    """
    alarm = change.alarm
    data: dict[str, Any] = {
        "alarm_id": alarm.alarm_id,
        "channel": channel,
        "detector": alarm.key.detector,
        "defect": alarm.key.defect,
        "state": change.state,
        "severity": alarm.severity,
        "start_s": round(alarm.start_s, 3),
        "start_time": iso(clock.wall_at(alarm.start_s)),
        "evidence": dict(alarm.evidence),
    }
    if alarm.key.track is not None:
        data["track"] = alarm.key.track
    if change.state == "cleared":
        data["end_s"] = round(alarm.end_s, 3)
        data["end_time"] = iso(clock.wall_at(alarm.end_s))
        data["duration_s"] = round(alarm.end_s - alarm.start_s, 3)
    return {
        "specversion": "1.0",
        "id": f"{alarm.alarm_id}-{change.state}",
        "source": f"/defectscope/monitor/channels/{channel}",
        "type": TYPE_PREFIX + change.state,
        "subject": alarm.key.defect,
        "time": iso(now_s),
        "datacontenttype": "application/json",
        "dataschema": SCHEMA_URI,
        "data": data,
    }


def as_line(event: dict[str, Any]) -> str:
    """Returns an event as one line of JSON."""
    return json.dumps(event, allow_nan=False, separators=(",", ":"))


@cache
def schema() -> dict[str, Any]:
    """Returns the JSON Schema of an event."""
    return json.loads(_SCHEMA_PATH.read_text("utf-8"))
