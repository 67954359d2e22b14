"""Ctrl-C ends a command at once, also while it waits for native code or for its processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager

# How long a command may take to put things away by itself.
GRACE_S = 0.5
INTERRUPTED = 130
_ANNOUNCED = threading.Event()


@contextmanager
def ending_at_once(grace_s: float = GRACE_S) -> Generator[None]:
    """Ends this process and those that it started when ctrl-C has not ended it by itself soon.

    Python raises KeyboardInterrupt when native code returns, and then waits for threads and
    processes. The signal's number comes through a socket at once, whatever the main thread does.

    Args:
        grace_s: How long it may take by itself, seconds.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told, received = socket.socketpair()
    told.setblocking(False)
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    over = threading.Event()
    threading.Thread(target=_watch, args=(received, over, grace_s), daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        # Still being watched: what is put away from here on may take too long.
        raise
    except BaseException:
        _let_go(over, told, before)
        raise
    else:
        _let_go(over, told, before)


def say_interrupted() -> None:
    """Says so, once."""
    if not _ANNOUNCED.is_set():
        _ANNOUNCED.set()
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write("defectscope: interrupted\n")
            sys.stderr.flush()


def _let_go(over: threading.Event, told: socket.socket, before: int) -> None:
    over.set()
    signal.set_wakeup_fd(before)
    told.close()


def _watch(received: socket.socket, over: threading.Event, grace_s: float) -> None:
    with received:
        while number := received.recv(1):
            if number[0] != signal.SIGINT:
                continue
            if over.wait(grace_s):
                return
            for process in multiprocessing.active_children():
                process.kill()
            say_interrupted()
            os._exit(INTERRUPTED)
