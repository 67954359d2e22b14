"""Chooses the seconds of a channel that networks look at, within a share of the programme.

Suspects come first: what made a measured detector raise an alarm. Of what suspects leave, some is
spent on seconds that nobody suspects, as no measure sees all that a network does.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from defectscope.errors import DefectscopeError
from defectscope.findings import Finding
from defectscope.monitor.look_config import LookConfig
from defectscope.monitor.lookers import Looker

_LOG = logging.getLogger(__name__)
# Looks that may be saved up, and how many are left for suspects.
_MOST_SAVED, _FOR_SUSPECTS = 5.0, 3.0
_MAX_BYTES = 32_000_000
# A defect that began long ago is looked at where it was noticed.
_LONGEST_S = 8.0

Found = Callable[[Sequence[Finding], float], None]


@dataclass(slots=True)
class _Pending:
    """Seconds that are still coming."""

    from_s: float
    until_s: float
    parts: list[bytes] = field(default_factory=list[bytes])


class Looks:
    """Holds the latest seconds of one channel, and has some of them looked at.

    Attributes:
        looked: How often it was looked.
        failures: How often looking failed.
    """

    def __init__(self, config: LookConfig, looker: Looker, found: Found, name: str) -> None:
        """Prepares to look.

        Args:
            config: What is looked at.
            looker: Who looks.
            found: Takes findings, and when the first data came that they are counted from, on the
                clock of `push`.
            name: The channel's name.
        """
        self.looked = self.failures = 0
        self._config, self._looker, self._found, self._name = config, looker, found, name
        self._length_s = config.before_s + config.after_s
        self._saved_s = self._length_s
        self._counted_s: float | None = None
        self._held: deque[tuple[float, bytes]] = deque()
        self._held_bytes = 0
        self._pending: _Pending | None = None
        self._lock, self._awake = threading.Lock(), threading.Condition()
        self._ready: _Pending | None = None
        self._closed = self._busy = False
        self._thread = threading.Thread(target=self._work, name=f"looks-{name}", daemon=True)
        self._thread.start()

    def push(self, data: bytes, at_s: float) -> None:
        """Takes bytes of the stream that came at an instant of `time.monotonic`."""
        with self._lock:
            self._held.append((at_s, data))
            self._held_bytes += len(data)
            oldest_s = at_s - _LONGEST_S
            while self._held and (self._held[0][0] < oldest_s or self._held_bytes > _MAX_BYTES):
                self._held_bytes -= len(self._held.popleft()[1])
            if self._pending is not None and at_s <= self._pending.until_s:
                self._pending.parts.append(data)

    def suspect(self, begun_s: float, now_s: float) -> bool:
        """Has seconds looked at that something was noticed in, where there is room for it.

        Args:
            begun_s: When what was noticed began to come, on the clock of `push`.
            now_s: When it was noticed.
        """
        return self._take(begun_s, now_s, least=1.0)

    def tick(self, now_s: float, *, resting: bool) -> None:
        """Hands on what is complete, and spends what suspects do not need.

        Args:
            now_s: The instant, on the clock of `push`.
            resting: This machine cannot keep up: nothing is looked at.
        """
        with self._lock:
            passed_s = 0.0 if self._counted_s is None else now_s - self._counted_s
            self._counted_s = now_s
            most_s = _MOST_SAVED * self._length_s
            self._saved_s = min(most_s, self._saved_s + self._config.share * passed_s)
            if resting:
                self._pending = None
                return
            done = self._pending if self._pending and now_s > self._pending.until_s else None
            if done is not None:
                self._pending = None
        if done is not None and done.parts:
            with self._awake:
                self._ready, self._busy = done, True
                self._awake.notify()
        self._take(now_s, now_s, least=1.0 + _FOR_SUSPECTS)

    def close(self) -> None:
        """Ends it; a look that is going on is left to itself."""
        with self._awake:
            self._closed = True
            self._awake.notify()
        self._thread.join(1.0)

    def _take(self, begun_s: float, now_s: float, *, least: float) -> bool:
        with self._lock:
            if self._pending is not None or self._busy:
                return False
            if self._saved_s < least * self._length_s or not self._held:
                return False
            from_s = max(begun_s, now_s - _LONGEST_S) - self._config.before_s
            kept = [(at_s, data) for at_s, data in self._held if at_s >= from_s]
            if not kept:
                return False
            until_s = now_s + self._config.after_s
            self._pending = _Pending(kept[0][0], until_s, [data for _, data in kept])
            self._saved_s -= until_s - kept[0][0]
            return True

    def _work(self) -> None:
        while True:
            with self._awake:
                self._awake.wait_for(lambda: self._closed or self._ready is not None)
                if self._closed:
                    return
                ready, self._ready = self._ready, None
            assert ready is not None
            try:
                found = self._looker.look(b"".join(ready.parts))
                self.looked += 1
                if found and not self._closed:
                    self._found(found, ready.from_s)
            except DefectscopeError as error:
                self.failures += 1
                _LOG.warning("%s: not looked at (%s)", self._name, error.message)
            except Exception as error:
                # Whatever a network or an endpoint does, it costs this look alone.
                self.failures += 1
                _LOG.warning("%s: not looked at (%s)", self._name, type(error).__name__)
            finally:
                self._busy = False
