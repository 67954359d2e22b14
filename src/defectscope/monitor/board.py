"""How all channels are now: what the wall, the metrics and the status read."""

from __future__ import annotations

import base64
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from defectscope.monitor.config import MonitorConfig
from defectscope.monitor.store import Store
from defectscope.monitor.urls import masked

# Alarms that the wall shows of each channel.
_SHOWN_S = 24 * 3600.0
_MAX_ALARMS = 500
# A channel whose group has said nothing for so long is not being watched, seconds.
_STALE_S = 5.0


class Board:
    """The latest state of every channel.

    Attributes:
        configuration_error: What is wrong with the latest configuration, empty where nothing is.
        restarts: How often a group was started again.
        revision: Grows with every change.
    """

    def __init__(self) -> None:
        self.configuration_error = ""
        self.restarts = 0
        self.revision = 0
        self._lock = threading.Condition()
        self._urls: dict[str, str] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._seen_s: dict[str, float] = {}
        self._thumbnails: dict[str, bytes] = {}
        self._alarms: dict[str, deque[dict[str, Any]]] = {}
        self._processes: dict[int, Mapping[str, float]] = {}

    def configured(self, config: MonitorConfig, store: Store) -> None:
        """Takes what is watched from now on, and the alarms of the last day."""
        now_s = time.time()
        with self._lock:
            self.configuration_error = ""
            self._urls = {name: masked(c.url) for name, c in config.channels.items()}
            for table in (self._states, self._seen_s, self._thumbnails, self._alarms):
                for name in [n for n in table if n not in self._urls]:
                    del table[name]
            known = set(self._alarms)
            for name in self._urls:
                self._alarms.setdefault(name, deque(maxlen=_MAX_ALARMS))
        for event in store.recent(now_s - _SHOWN_S):
            if event["data"]["channel"] not in known:
                self.event(event)

    def event(self, event: Mapping[str, Any]) -> None:
        """Takes an event."""
        data = event["data"]
        with self._lock:
            alarms = self._alarms.get(data["channel"])
            if alarms is None:
                return
            for alarm in reversed(alarms):
                if alarm["alarm_id"] == data["alarm_id"]:
                    alarm.update(data)
                    break
            else:
                alarms.append(dict(data))
            self._changed()

    def states(
        self, group: int, states: Iterable[Mapping[str, Any]], process: Mapping[str, float]
    ) -> None:
        """Takes the states of a group's channels and of its process."""
        now_s = time.monotonic()
        with self._lock:
            for state in states:
                name = state["channel"]
                if name not in self._urls:
                    continue
                kept = dict(state)
                frame = kept.pop("thumbnail", None)
                if frame is not None:
                    self._thumbnails[name] = base64.b64decode(frame)
                before = self._states.get(name, {})
                kept["bit_rate"] = _rate(before, kept, now_s - self._seen_s.get(name, now_s))
                self._states[name] = kept
                self._seen_s[name] = now_s
            self._processes[group] = dict(process)
            self._changed()

    def _changed(self) -> None:
        self.revision += 1
        self._lock.notify_all()

    def wait(self, revision: int, timeout_s: float) -> int:
        """Waits for a revision that is another; returns the one that there is."""
        with self._lock:
            self._lock.wait_for(lambda: self.revision != revision, timeout_s)
            return self.revision

    def snapshot(self) -> dict[str, Any]:
        """Returns all of it as JSON has it, without frames."""
        now_s = time.monotonic()
        with self._lock:
            channels: list[dict[str, Any]] = []
            for name, url in self._urls.items():
                state = dict(self._states.get(name, {"channel": name, "state": "closed"}))
                if now_s - self._seen_s.get(name, -_STALE_S) >= _STALE_S:
                    state["state"] = "closed"
                state["url"] = url
                state["has_thumbnail"] = name in self._thumbnails
                state["recent"] = [dict(alarm) for alarm in self._alarms.get(name, ())]
                channels.append(state)
            return {
                "revision": self.revision,
                "configuration_error": self.configuration_error,
                "restarts": self.restarts,
                "processes": [dict(process) for process in self._processes.values()],
                "channels": channels,
            }

    def thumbnail(self, channel: str) -> bytes | None:
        """Returns a channel's latest frame as JPEG."""
        with self._lock:
            return self._thumbnails.get(channel)


def _rate(before: Mapping[str, Any], now: Mapping[str, Any], passed_s: float) -> float:
    """Bits a second since the state before."""
    grown = now.get("bytes", 0) - before.get("bytes", 0)
    return round(grown * 8 / passed_s) if passed_s > 0.2 and before and grown >= 0 else 0
