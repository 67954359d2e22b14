"""Keeps one process per group of channels running, and hears what they have to say."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_LOG = logging.getLogger(__name__)
# A process that ended is started again after a while, doubled each time it ends soon, seconds.
_FIRST_DELAY_S, _LONGEST_DELAY_S, _SOON_S = 0.5, 30.0, 60.0
_STOPPING_S = 5.0
# Threads of numerical libraries would fight for the cores that channels share.
_QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# glibc: few heaps. Frames that are held, of 720 lines and more, are mapped by themselves and go
# back when they are let go: in a heap they would leave holes. What is smaller comes and goes many
# times a second: pages given back each time cost 3 to 10 % of a channel's processor time.
# Large pages, where the system gives them on request, spare decoding alone 8 %. What an operator
# has set stays.
HEAPS = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_ARENA_MAX": "2",
    "MALLOC_MMAP_THRESHOLD_": "900000",
    "MALLOC_TRIM_THRESHOLD_": "4000000",
}

Receive = Callable[[int, Mapping[str, Any]], None]
Assign = Callable[[int], Mapping[str, Any]]


class _Process:
    """One group's process, started again for as long as it is wanted."""

    def __init__(self, number: int, assignment: Assign, receive: Receive) -> None:
        self.number = number
        self.restarts = 0
        self._assignment, self._receive = assignment, receive
        self._child: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"group-{number}", daemon=True)
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its process, None between two."""
        child = self._child
        return None if child is None else child.pid

    def start(self) -> None:
        self._thread.start()

    def assign(self) -> None:
        """Tells it anew what it watches."""
        with self._lock:
            child = self._child
            if child is not None and child.stdin is not None:
                try:
                    child.stdin.write(json.dumps(self._assignment(self.number)) + "\n")
                    child.stdin.flush()
                except OSError:
                    # It has just ended; the next one is told when it starts.
                    return

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            child = self._child
            if child is not None and child.stdin is not None:
                try:
                    child.stdin.close()
                except OSError:
                    _LOG.debug("group %d had ended", self.number)
        self._thread.join(_STOPPING_S)
        if child is not None and child.poll() is None:
            child.kill()

    def _work(self) -> None:
        delay_s = _FIRST_DELAY_S
        while not self._stopped.is_set():
            began_s = time.monotonic()
            child = subprocess.Popen(
                [sys.executable, "-m", "defectscope.monitor.group"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                env={**HEAPS, **os.environ, **_QUIET},
            )
            self._child = child
            self.assign()
            assert child.stdout is not None
            with child.stdout:
                for line in child.stdout:
                    self._receive(self.number, json.loads(line))
            child.wait()
            self._child = None
            if self._stopped.is_set():
                return
            self.restarts += 1
            _LOG.error("group %d ended with %s; it is started again", self.number, child.returncode)
            if time.monotonic() - began_s > _SOON_S:
                delay_s = _FIRST_DELAY_S
            self._stopped.wait(delay_s)
            delay_s = min(2 * delay_s, _LONGEST_DELAY_S)


class Supervisor:
    """Spreads channels over processes; a channel stays where it is while others come and go.

    Args:
        groups: How many processes.
        assignment: Returns what a group is told, by its number.
        receive: Takes a group's number and message.
    """

    def __init__(self, groups: int, assignment: Assign, receive: Receive) -> None:
        self._processes = [_Process(n, assignment, receive) for n in range(groups)]

    def start(self) -> None:
        """Starts all groups."""
        for process in self._processes:
            process.start()

    def assign(self) -> None:
        """Tells all groups anew what they watch."""
        for process in self._processes:
            process.assign()

    def stop(self) -> None:
        """Ends all groups."""
        for process in self._processes:
            process.stop()

    def pids(self) -> list[int]:
        """Returns the processes that run now."""
        return [process.pid for process in self._processes if process.pid is not None]

    @property
    def restarts(self) -> int:
        """How often a group had to be started again."""
        return sum(process.restarts for process in self._processes)


def spread(channels: Sequence[str], groups: int, before: Mapping[str, int]) -> dict[str, int]:
    """Returns the group of every channel: where it was, else the one with the fewest.

    Args:
        channels: Names.
        groups: How many there are.
        before: Where channels were.
    """
    found = {name: before[name] for name in channels if name in before and before[name] < groups}
    counts = [list(found.values()).count(group) for group in range(groups)]
    for name in channels:
        if name not in found:
            group = min(range(groups), key=lambda g: counts[g])
            found[name] = group
            counts[group] += 1
    return found
