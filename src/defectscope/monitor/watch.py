"""Watches the channels of a configuration until the process is told to stop."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any, TextIO

from defectscope.monitor.channel import Channel
from defectscope.monitor.config import MonitorConfig
from defectscope.monitor.events import as_line
from defectscope.monitor.urls import udp_address

# How often the transport of every channel is looked at, seconds.
_TICK_S = 0.25


def watch(config: MonitorConfig, out: TextIO) -> None:
    """Watches until SIGTERM or SIGINT; writes one event a line."""
    stopped = threading.Event()
    lock = threading.Lock()

    def emit(event: dict[str, Any]) -> None:
        with lock:
            out.write(as_line(event) + "\n")
            out.flush()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    channels = [Channel(c, udp_address(c.url), emit) for c in config.channels.values()]
    for channel in channels:
        channel.start()
    try:
        while not stopped.wait(_TICK_S):
            for channel in channels:
                channel.tick(time.monotonic())
    finally:
        for channel in channels:
            channel.close()
