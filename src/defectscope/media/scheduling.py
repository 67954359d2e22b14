"""Keeps a thread's scheduling as it was, whatever a library does to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def scheduling_kept() -> Generator[None]:
    """Restores the calling thread's scheduling policy and priority at the end.

    SVT-AV1, where it runs as root, makes the thread that opens it a real-time one of the highest
    priority (SCHED_FIFO, 99), so that all it does later displaces every other process.
    """
    if not hasattr(os, "sched_getscheduler"):  # not on macOS, where SVT-AV1 does not do it
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            with contextlib.suppress(OSError):
                os.sched_setscheduler(0, policy, priority)
