"""CloudWatch's embedded metric format: lines of the log that become metrics.

Source: Amazon CloudWatch, embedded metric format specification.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TextIO

from defectscope.monitor.board import Board

_NAMESPACE = "Defectscope/Live"
# CloudWatch's standard resolution is a minute.
_EVERY_S = 60.0


class EmbeddedMetrics:
    """Writes a line for every channel; its dimension is the channel's name."""

    _UNITS: ClassVar[Mapping[str, str]] = {
        "LagSeconds": "Seconds",
        "MissingPackets": "Count",
        "BitRate": "Bits/Second",
        "Alarms": "Count",
        "Lost": "Count",
    }

    def __init__(self, out: TextIO, now: Callable[[], float] = time.time) -> None:
        self._out, self._now = out, now
        self._missing: dict[str, int] = {}

    def write(self, channels: Sequence[Mapping[str, Any]]) -> None:
        """Writes a line for every channel."""
        for channel in channels:
            name = channel["channel"]
            missing = int(channel.get("missing_packets", 0))
            grown = max(0, missing - self._missing.get(name, missing))
            self._missing[name] = missing
            values = {
                "LagSeconds": channel.get("lag_s", 0.0),
                "MissingPackets": grown,
                "BitRate": channel.get("bit_rate", 0),
                "Alarms": len(channel.get("alarms", ())),
                "Lost": int(channel.get("state") in ("lost", "closed")),
            }
            metrics = [{"Name": each, "Unit": unit} for each, unit in self._UNITS.items()]
            directive = {
                "Namespace": _NAMESPACE,
                "Dimensions": [["Channel"]],
                "Metrics": metrics,
            }
            stamp_ms = int(self._now() * 1000)
            line = {
                "_aws": {"Timestamp": stamp_ms, "CloudWatchMetrics": [directive]},
                "Channel": name,
                **values,
            }
            self._out.write(json.dumps(line, separators=(",", ":")) + "\n")
        self._out.flush()


class MetricLines:
    """Writes the metrics of all channels once a minute."""

    def __init__(self, board: Board, out: TextIO, every_s: float = _EVERY_S) -> None:
        self._board, self._every_s = board, every_s
        self._metrics = EmbeddedMetrics(out)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="metric-lines", daemon=True)

    def start(self) -> None:
        """Begins to write."""
        self._thread.start()

    def wake(self) -> None:
        """Takes no notice of events: metrics have a pace of their own."""

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(self._every_s):
            self._metrics.write(self._board.snapshot()["channels"])
