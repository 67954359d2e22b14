"""Watches the channels of a configuration until the process is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Any, Protocol

from defectscope.errors import DefectscopeError
from defectscope.monitor.board import Board
from defectscope.monitor.config import MonitorConfig, read_config
from defectscope.monitor.config_source import ConfigSource
from defectscope.monitor.output_config import delivery_of
from defectscope.monitor.outputs import SpooledOutput
from defectscope.monitor.store import Store
from defectscope.monitor.supervisor import Supervisor, spread

_LOG = logging.getLogger(__name__)


class Output(Protocol):
    """What hears of events; it asks the store for them."""

    def start(self) -> None:
        """Begins to deliver."""
        ...

    def wake(self) -> None:
        """Says that there is something new."""
        ...

    def stop(self) -> None:
        """Ends it."""
        ...


class Monitor:
    """All channels of a configuration, in as many processes as are wanted.

    Args:
        source: Where the configuration is, which is read again when it changes.
        store: Where events are kept.
        groups: Processes; None takes one per core, and no more than channels.
        endpoint: SageMaker endpoint for suspicious seconds; empty for what the configuration says.
    """

    def __init__(
        self, source: ConfigSource, store: Store, groups: int | None = None, endpoint: str = ""
    ) -> None:
        self.board = Board()
        self._source, self._store = source, store
        self._endpoint = endpoint
        self._outputs: list[Output] = []
        self._lock = threading.Lock()
        self._text, self._stamp = source.read()
        self._config: MonitorConfig = read_config(self._text, source.name)
        count = groups or max(1, min(os.cpu_count() or 1, len(self._config.channels)))
        self._groups = count
        self._where = spread(tuple(self._config.channels), count, {})
        self._supervisor = Supervisor(count, self._assignment, self._received)
        self._stopped = threading.Event()
        for output in self._config.outputs:
            self._outputs.append(SpooledOutput(delivery_of(output), store))

    def add_output(self, output: Output) -> None:
        """Has an output hear of events."""
        self._outputs.append(output)

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Watches until `stop`."""
        self.board.configured(self._config, self._store)
        for output in self._outputs:
            output.start()
        self._supervisor.start()
        if ready is not None:
            ready()
        try:
            while not self._stopped.wait(self._source.every_s):
                self._reload()
        finally:
            self._supervisor.stop()
            for output in self._outputs:
                output.stop()

    def stop(self) -> None:
        """Ends it."""
        self._stopped.set()

    def pids(self) -> list[int]:
        """Returns the processes of the groups."""
        return self._supervisor.pids()

    def _assignment(self, group: int) -> Mapping[str, Any]:
        with self._lock:
            names = [name for name, place in self._where.items() if place == group]
            return {
                "config": self._text,
                "endpoint": self._endpoint,
                "channels": names,
                "begun": {name: self._store.begun(name) for name in names},
                "alarms": {name: self._store.open_alarms(name) for name in names},
            }

    def _received(self, group: int, message: Mapping[str, Any]) -> None:
        event = message.get("event")
        if event is not None:
            if self._store.add(event, time.time()):
                self.board.event(event)
                for output in self._outputs:
                    output.wake()
            return
        self.board.states(group, message.get("states", ()), message.get("process", {}))
        self.board.restarts = self._supervisor.restarts

    def _reload(self) -> None:
        """Reads the configuration again where it has changed; a bad one changes nothing."""
        try:
            text, stamp = self._source.read()
            if stamp == self._stamp:
                return
            self._stamp = stamp
            config = read_config(text, self._source.name)
        except DefectscopeError as error:
            _LOG.error("%s; what was running goes on", error.message)
            self.board.configuration_error = error.message
            return
        with self._lock:
            self._text, self._config = text, config
            self._where = spread(tuple(config.channels), self._groups, self._where)
        self.board.configured(config, self._store)
        self._supervisor.assign()


def until_stopped(monitor: Monitor, ready: Callable[[], None] | None = None) -> None:
    """Watches until SIGTERM or SIGINT."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        monitor.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    monitor.run(ready)
