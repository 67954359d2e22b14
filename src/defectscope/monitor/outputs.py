"""Outputs: each takes events out of the store at its own pace, and never loses its place."""

from __future__ import annotations

import logging
import threading
from typing import Any, Protocol, TextIO

from defectscope.monitor.events import as_line
from defectscope.monitor.store import Store

_LOG = logging.getLogger(__name__)
_BATCH = 50
# Waiting after a failure: doubled each time, seconds.
_FIRST_DELAY_S, _LONGEST_DELAY_S = 1.0, 60.0
_STOPPING_S = 5.0


class Delivery(Protocol):
    """How events get to one place."""

    name: str

    def send(self, events: list[dict[str, Any]]) -> None:
        """Delivers events, all or none.

        Raises:
            Exception: They could not be delivered; they are tried again.
        """
        ...


class SpooledOutput:
    """Delivers what the store holds, in order, again and again until it is taken.

    Attributes:
        failures: How often a delivery failed.
    """

    def __init__(self, delivery: Delivery, store: Store) -> None:
        self.failures = 0
        self._delivery, self._store = delivery, store
        self._awake, self._stopped = threading.Event(), threading.Event()
        name = f"output-{delivery.name}"
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    @property
    def name(self) -> str:
        """Its name."""
        return self._delivery.name

    def start(self) -> None:
        """Begins to deliver."""
        self._store.reached(self._delivery.name)
        self._thread.start()

    def wake(self) -> None:
        """Says that there is something new."""
        self._awake.set()

    def stop(self) -> None:
        """Ends it after what is being delivered; what waits stays in the store."""
        self._stopped.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join(_STOPPING_S)

    def _work(self) -> None:
        name, delay_s = self._delivery.name, _FIRST_DELAY_S
        while True:
            self._awake.clear()
            waiting = self._store.after(self._store.reached(name), _BATCH)
            if not waiting:
                if self._stopped.is_set():
                    return
                self._awake.wait()
                continue
            try:
                self._delivery.send([event for _, event in waiting])
            except Exception as error:
                # Whatever the other side does, events wait for it and the channels go on.
                self.failures += 1
                _LOG.warning("%s: %s", name, type(error).__name__)
                if self._stopped.wait(delay_s):
                    return
                delay_s = min(2 * delay_s, _LONGEST_DELAY_S)
                continue
            delay_s = _FIRST_DELAY_S
            self._store.delivered(name, waiting[-1][0])


class LineDelivery:
    """Writes one event a line."""

    def __init__(self, out: TextIO, name: str = "lines") -> None:
        self.name = name
        self._out = out

    def send(self, events: list[dict[str, Any]]) -> None:
        """Writes the events."""
        for event in events:
            self._out.write(as_line(event) + "\n")
        self._out.flush()
