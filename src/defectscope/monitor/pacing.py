"""Hands on a transport stream at the pace of its own clock, where it comes in bursts.

Segments of HLS and DASH come at once, and then nothing does for seconds. By the time of arrival
that is an outage, tables that are missing and a queue that overruns, though nothing is wrong. What
has come waits here and not at the source, whose playlist may have forgotten it by then.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

from defectscope.monitor.stream_clock import (
    CLOCK_HZ,
    PACKET_BYTES,
    SYNC_BYTE,
    WRAP_TICKS,
    Bytes,
    pcr_rows,
    pcr_ticks,
    pids_of,
)

# Three segments of 10 s at 8 Mbit/s; a source that is further ahead has to wait.
MAX_BYTES = 32_000_000
# A sender's clock that is a little faster than ours must not fill up what waits. Where nothing
# waits any more, the pace begins anew with what comes next.
_SPEED = 1.01
# What comes so late is caught up on at once; more has been a wait for the source, seconds.
_LATE_S = 0.25
# Clocks that part by more have been set anew, seconds. They come every 0.1 s.
_JUMP_S = 1.0
# What is handed on together, seconds.
_TOGETHER_S = 0.04


class Pacer:
    """Takes a stream from one thread and hands it on from its own when it is due.

    Args:
        sink: Takes what is due.
        name: What the channel is called.
        max_bytes: What waits at most.
        now: Tells the time, seconds.
    """

    def __init__(
        self,
        sink: Callable[[bytes], None],
        name: str,
        *,
        max_bytes: int = MAX_BYTES,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sink, self._max_bytes, self._now = sink, max_bytes, now
        self._parts: deque[bytes] = deque()
        self._held_bytes = 0
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._rest = b""
        self._pid: int | None = None
        self._ticks, self._due_s = 0, -np.inf
        self._thread = threading.Thread(target=self._work, name=f"pace-{name}", daemon=True)

    @property
    def waiting_bytes(self) -> int:
        """Bytes received and not yet due."""
        return self._held_bytes

    def start(self) -> None:
        """Begins to hand on."""
        self._thread.start()

    def close(self) -> None:
        """Ends it; what waits is let go."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def push(self, data: bytes) -> None:
        """Takes what has come, nothing where a new connection begins; waits for room."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._stopped.is_set() or self._held_bytes < self._max_bytes
            )
            self._parts.append(data)
            self._held_bytes += len(data)
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped.is_set() or self._parts)
                if self._stopped.is_set():
                    return
                data = self._parts.popleft()
            if not data:
                self._rest, self._pid = b"", None
                self._sink(data)
            else:
                self._release(data)
            with self._changed:
                self._held_bytes -= len(data)
                self._changed.notify_all()

    def _release(self, data: bytes) -> None:
        """Hands on what came together, piece by piece."""
        data = self._rest + data
        count = len(data) // PACKET_BYTES
        rows = np.frombuffer(data, np.uint8)[: count * PACKET_BYTES].reshape(count, PACKET_BYTES)
        if not (rows[:, 0] == SYNC_BYTE).all():
            # Without packets there is no clock; what is wrong with them is seen behind the sink.
            self._rest, self._pid = b"", None
            self._sink(data)
            return
        self._rest = data[count * PACKET_BYTES :]
        given = 0
        for row, ticks in self._clocks(rows):
            ahead_s = self._due(ticks) - self._now()
            if ahead_s < _TOGETHER_S:
                continue
            if row > given:
                self._sink(data[given * PACKET_BYTES : row * PACKET_BYTES])
                given = row
            if self._stopped.wait(ahead_s):
                return
        if count > given:
            self._sink(data[given * PACKET_BYTES : count * PACKET_BYTES])

    def _clocks(self, rows: Bytes) -> list[tuple[int, int]]:
        """Returns packet and time, in ticks of 90 kHz, wherever one programme's clock is told."""
        which = pcr_rows(rows)
        pids = pids_of(rows)[which]
        if len(which) and not (pids == self._pid).any():
            self._pid, self._due_s = int(pids[0]), -np.inf
        which = which[pids == self._pid]
        return list(zip(which.tolist(), pcr_ticks(rows, which).tolist(), strict=True))

    def _due(self, ticks: int) -> float:
        """Returns when what comes from a clock's time on is due, seconds."""
        passed_s = (ticks - self._ticks) % WRAP_TICKS / CLOCK_HZ
        self._ticks = ticks
        now_s = self._now()
        if passed_s > _JUMP_S:
            self._due_s = now_s
        else:
            self._due_s = max(self._due_s + passed_s / _SPEED, now_s - _LATE_S)
        return self._due_s
