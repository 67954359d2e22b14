"""Custom metrics as CloudWatch reads them out of a container's log.

Each record is one line of JSON in the embedded metric format: CloudWatch makes metrics of it where
the line arrives by itself, without a logger's prefix. Findings are counted by defect and errors by
code; findings per hour are the sum of Findings over the sum of ProgrammeSeconds.

Source: Amazon CloudWatch user guide, "Specification: Embedded metric format".
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from defectscope.serving.settings import ServingSettings

_LOG = logging.getLogger("defectscope.serving")
_STATM = Path("/proc/self/statm")
# Two lines must not be torn apart by threads that write at the same time.
_LOCK = threading.Lock()


def resident_bytes() -> int:
    """Returns the memory that this process holds now; its peak where the system does not say."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class Metrics:
    """Writes metrics of one worker.

    Args:
        settings: Where they go and under which namespace.
        model: Name of the served archive; a dimension of every metric.
    """

    def __init__(self, settings: ServingSettings, model: str) -> None:
        self._target = settings.metrics
        self._namespace = settings.metrics_namespace
        self._model = model

    def analyzed(self, report: Mapping[str, Any], *, wall_s: float, request_id: str | None) -> None:
        """Counts one analyzed asset: its length, its cost, its findings by defect.

        Args:
            report: The report as a JSON object.
            wall_s: What the request took, seconds.
            request_id: Of the request.
        """
        timing = report["timing"]
        programme_s = timing["realtime_factor"] * timing["wall_s"]
        self._emit(
            {
                "Assets": (1, "Count"),
                "ProgrammeSeconds": (round(programme_s, 3), "Seconds"),
                "WallSeconds": (round(wall_s, 4), "Seconds"),
                "RealTimeFactor": (round(programme_s / max(wall_s, 1e-6), 3), "None"),
                "ResidentMemory": (resident_bytes(), "Bytes"),
            },
            {},
            request_id,
        )
        for defect, count in sorted(Counter(f["defect"] for f in report["findings"]).items()):
            self._emit({"Findings": (count, "Count")}, {"Defect": defect}, request_id)

    def failed(self, code: str, request_id: str | None) -> None:
        """Counts one error by its code."""
        self._emit({"Errors": (1, "Count")}, {"Code": code}, request_id)

    def _emit(
        self,
        values: dict[str, tuple[float, str]],
        dimensions: dict[str, str],
        request_id: str | None,
    ) -> None:
        if self._target == "off":
            return
        every = {"Model": self._model, **dimensions}
        record: dict[str, Any] = {
            "_aws": {
                "Timestamp": int(time.time() * 1000),
                "CloudWatchMetrics": [
                    {
                        "Namespace": self._namespace,
                        "Dimensions": [list(every)],
                        "Metrics": [
                            {"Name": name, "Unit": unit} for name, (_, unit) in values.items()
                        ],
                    }
                ],
            },
            **every,
            **{name: value for name, (value, _) in values.items()},
            "request_id": request_id,
        }
        self._write(json.dumps(record) + "\n")

    def _write(self, line: str) -> None:
        """Writes one record. What cannot be written is lost; no request fails for it."""
        with _LOCK:
            if self._target != "stdout":
                try:
                    # One write of a short line to a file opened for appending stays whole between
                    # processes too.
                    with open(self._target, "a", encoding="utf-8") as file:
                        file.write(line)
                    return
                except OSError as error:
                    _LOG.warning("metrics go to stdout: %s: %s", self._target, error.strerror)
                    self._target = "stdout"
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.write(line)
                sys.stdout.flush()
