"""Runs one command so that nothing of it outlives the process that asked for it.

Started by path in a bare interpreter (`python -I -S process_guard.py [options] -- command`), so it
imports the standard library alone and costs about 10 MB. The guard leads a session of its own and
watches its standard input: end of file there means that the parent is gone, however it died.
`PR_SET_PDEATHSIG` alone would not do, because it fires when the *thread* that started the child
ends, and because it does not reach grandchildren such as TorchServe's workers.

    end of file on stdin   SIGKILL to the whole process group
    SIGTERM to the guard   SIGTERM to the command, SIGKILL to the group after the grace period
    the command exits      SIGKILL to what it left behind

In each case the folders named by --remove are deleted, and the guard exits as the command did.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

# Source: linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _kill_group(pgid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, signal.SIGKILL)


def _reap_orphans(patience_s: float = 2.0) -> None:
    """Collects the killed grandchildren, which belong to this process as their subreaper."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            time.sleep(0.01)


def _wait(child: subprocess.Popen[bytes], grace_s: float) -> None:
    """Returns when the command has exited, the parent is gone or the grace period is over."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_read, False)
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    terminated: list[float] = []

    def on_term(_signum: int, _frame: object) -> None:
        if not terminated:
            terminated.append(time.monotonic())
            child.terminate()

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda _signum, _frame: None)
    with selectors.DefaultSelector() as selector:
        selector.register(wake_read, selectors.EVENT_READ)
        selector.register(0, selectors.EVENT_READ)
        while child.poll() is None:
            timeout_s = 1.0
            if terminated:
                timeout_s = terminated[0] + grace_s - time.monotonic()
                if timeout_s <= 0:
                    return
            for key, _ in selector.select(min(timeout_s, 1.0)):
                if key.fd == 0:
                    if not os.read(0, 4096):
                        return
                else:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_read, 4096)


def run(command: Sequence[str], *, remove: Sequence[str], grace_s: float) -> int:
    """Runs `command` to its end and leaves neither process nor folder behind.

    Args:
        command: Program and arguments.
        remove: Folders to delete at the end.
        grace_s: How long the command may take to obey SIGTERM.

    Returns:
        The command's exit status; 128 plus the signal where a signal ended it.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)

    def die_with_guard() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    # The guard has one thread, so a function between fork and exec is safe here.
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, process_group=0, preexec_fn=die_with_guard
    )
    try:
        _wait(child, grace_s)
    finally:
        _kill_group(child.pid)
        status = child.wait()
        _reap_orphans()
        for folder in remove:
            shutil.rmtree(folder, ignore_errors=True)
    return status if status >= 0 else 128 - status


def main(argv: Sequence[str]) -> int:
    """Parses `[--remove DIR]... [--grace S] -- command...` and runs the command."""
    parser = argparse.ArgumentParser(description="run a command that dies with its parent")
    parser.add_argument("--remove", action="append", default=[], metavar="DIR")
    parser.add_argument("--grace", type=float, default=8.0, metavar="SECONDS")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(argv)
    return run(options.command, remove=options.remove, grace_s=options.grace)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
