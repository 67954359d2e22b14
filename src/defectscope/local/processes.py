"""The supervisor's processes as seen from outside: started, found, waited for, ended."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from defectscope.errors import LocalError
from defectscope.local.settings import DEFAULT_REGION, LocalSettings
from defectscope.local.supervisor import STATE_FILE

STOP_TIMEOUT_S = 30.0
"""How long a supervisor may take to end before it is killed."""

_START_TIMEOUT_S = 60.0
_LOG_FILE = "supervisor.log"


@dataclass(frozen=True)
class LocalState:
    """A running local SageMaker.

    Attributes:
        endpoint_url: Address of every AWS service; what AWS_ENDPOINT_URL is set to.
        pid: The supervisor's process id.
        region: Region to use.
        home: Folder with its state and logs.
    """

    endpoint_url: str
    pid: int
    region: str
    home: Path


def default_home() -> Path:
    """Returns the folder for the state: DEFECTSCOPE_LOCAL_HOME, or the user's own state folder."""
    chosen = os.environ.get("DEFECTSCOPE_LOCAL_HOME")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "defectscope" / "local"
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "defectscope" / "local"


def find(home: Path | None = None) -> LocalState | None:
    """Returns the state of the local SageMaker that runs with this home, or None."""
    home = (home or default_home()).absolute()
    state = read_state(home)
    if state is None or not is_supervisor(state.pid, home):
        return None
    return state


def spawn(
    home: Path, port: int, settings: LocalSettings, *, attached: bool
) -> subprocess.Popen[bytes]:
    """Starts a supervisor; `attached` ones end with this process."""
    command = [
        sys.executable,
        # The package, which is imported first, holds the supervisor already.
        *("-W", "ignore::RuntimeWarning:runpy"),
        *("-m", "defectscope.local.supervisor"),
        "--home",
        str(home),
        "--port",
        str(port),
        "--settings",
        settings.to_json(),
    ]
    with (home / _LOG_FILE).open("ab") as log:
        return subprocess.Popen(
            [*command, "--attached"] if attached else command,
            stdin=subprocess.PIPE if attached else subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def wait_until_ready(process: subprocess.Popen[bytes], home: Path) -> LocalState:
    """Waits until a supervisor answers.

    Raises:
        LocalError: It ended, or was not ready in time; the message says why.
    """
    deadline = time.monotonic() + _START_TIMEOUT_S
    # Opened now: a supervisor that fails takes its folder with it.
    with (home / _LOG_FILE).open(errors="replace") as log:
        while time.monotonic() < deadline:
            state = read_state(home)
            if state is not None:
                return state
            if process.poll() is not None:
                raise LocalError(f"the local SageMaker did not start: {_last_line(log)}")
            time.sleep(0.02)
        process.kill()
        raise LocalError(f"the local SageMaker was not ready in time: {_last_line(log)}")


def _last_line(log: IO[str]) -> str:
    lines = log.read().splitlines()
    return lines[-1] if lines else "no message"


def wait_for_the_other(home: Path) -> LocalState:
    """Waits for a supervisor that somebody else is just starting."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        state = find(home)
        if state is not None:
            return state
        time.sleep(0.05)
    raise LocalError(f"{home} belongs to a local SageMaker that does not get ready")


def read_state(home: Path) -> LocalState | None:
    """Returns what a supervisor wrote about itself; it may have died since."""
    try:
        content = json.loads((home / STATE_FILE).read_text())
        region = str(content.get("region", DEFAULT_REGION))
        return LocalState(str(content["endpoint_url"]), int(content["pid"]), region, home)
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def is_supervisor(pid: int, home: Path) -> bool:
    """Tells our supervisor from another process that got its number since."""
    try:
        arguments = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return "defectscope.local.supervisor" in arguments and str(home) in arguments


def left_behind(home: Path) -> list[psutil.Process]:
    """Finds what a killed supervisor may have left: commands of ours that name its home."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            arguments = process.cmdline()
            ours = any("defectscope" in argument for argument in arguments[:8])
            names_home = any(
                argument == str(home) or argument.startswith(f"{home}{os.sep}")
                for argument in arguments
            )
            is_guarded = "-m" in arguments or "-S" in arguments
            if ours and names_home and is_guarded and process.pid != os.getpid():
                found.append(process)
    return found


def end(process: psutil.Process) -> None:
    """Ends a process, by force where asking does not help.

    Raises:
        LocalError: It does not end.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            process.kill()
            try:
                process.wait(5.0)
            except psutil.TimeoutExpired:
                raise LocalError(f"process {process.pid} does not end") from None


def clear(home: Path) -> None:
    """Removes what a dead supervisor left, and nothing that is not a supervisor's."""
    if (home / _LOG_FILE).exists() or (home / STATE_FILE).exists():
        shutil.rmtree(home, ignore_errors=True)
