"""Starting, finding and ending SageMaker on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from defectscope.errors import LocalError
from defectscope.local.settings import DEFAULT_REGION, Settings
from defectscope.local.supervisor import STATE_FILE

_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 30.0
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


@dataclass(frozen=True)
class LocalStatus:
    """What a local SageMaker is doing.

    Attributes:
        state: Where it runs.
        endpoints: State of each endpoint, by `region/name`.
        transform_jobs: State of each transform job, by `region/name`.
        processes: Processes that belong to it, the supervisor included.
    """

    state: LocalState
    endpoints: Mapping[str, str]
    transform_jobs: Mapping[str, str]
    processes: int


def default_home() -> Path:
    """Gives the folder for the state: DEFECTSCOPE_LOCAL_HOME, or the user's own state folder."""
    chosen = os.environ.get("DEFECTSCOPE_LOCAL_HOME")
    if chosen:
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "defectscope" / "local"
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "defectscope" / "local"


def up(*, home: Path | None = None, port: int = 0, settings: Settings | None = None) -> LocalState:
    """Starts SageMaker on this machine and returns when it answers.

    When it runs already, its state is given and nothing is started.

    Args:
        home: Private folder for state and logs; `default_home()` if left out. It is created, and
            removed again by `down`.
        port: Port to listen on; 0 takes a free one.
        settings: Limits and times.

    Raises:
        LocalError: It did not come up; the message says why.
    """
    home = (home or default_home()).absolute()
    running = find(home)
    if running is None and any(_is_supervisor(p.pid, home) for p in _left_behind(home)):
        running = _wait_for_the_other(home)
    if running is not None:
        return running
    _clear(home)
    try:
        home.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise LocalError(f"{home} is in use by something else, or just being started") from None
    process = _spawn(home, port, settings or Settings(), attached=False)
    # Should it end while this program lives, it must not stay as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return _wait_until_ready(process, home)


def find(home: Path | None = None) -> LocalState | None:
    """Gives the state of the local SageMaker that runs with this home, or None."""
    home = (home or default_home()).absolute()
    state = _read_state(home)
    if state is None or not _is_supervisor(state.pid, home):
        return None
    return state


def env(*, home: Path | None = None) -> dict[str, str]:
    """Gives the environment variables that point every AWS SDK to the local SageMaker.

    Raises:
        LocalError: None is running.
    """
    state = find(home)
    if state is None:
        raise LocalError("not running; start it with `defectscope local up`")
    return environment(state)


def environment(state: LocalState) -> dict[str, str]:
    """Gives the variables for a known state; see `env`."""
    return {
        "AWS_ENDPOINT_URL": state.endpoint_url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_REGION": state.region,
        "AWS_DEFAULT_REGION": state.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The SageMaker SDK simulates the role's policies first, which nothing here evaluates.
        "SAGEMAKER_VALIDATE_ROLE": "false",
    }


def status(*, home: Path | None = None) -> LocalStatus | None:
    """Gives what the local SageMaker is doing, or None when it does not run.

    Raises:
        LocalError: It runs but does not answer.
    """
    state = find(home)
    if state is None:
        return None
    url = f"{state.endpoint_url}/_defectscope/status"
    try:
        with urllib.request.urlopen(url, timeout=10.0) as response:
            content: dict[str, Any] = json.load(response)
    except (OSError, ValueError) as error:
        raise LocalError(f"the local SageMaker does not answer: {error}") from None
    family = 1
    with contextlib.suppress(psutil.Error):
        family += len(psutil.Process(state.pid).children(recursive=True))
    return LocalStatus(state, content["endpoints"], content["transform_jobs"], family)


def down(*, home: Path | None = None) -> bool:
    """Ends the local SageMaker: no process and no file is left, also if it was killed before.

    Returns:
        Whether there was anything to end.

    Raises:
        LocalError: A process does not end.
    """
    home = (home or default_home()).absolute()
    state = _read_state(home)
    found = home.exists()
    if state is not None and _is_supervisor(state.pid, home):
        _end(psutil.Process(state.pid))
    for process in _left_behind(home):
        _end(process)
    _clear(home)
    return found


class LocalSageMaker:
    """A local SageMaker for the time of a `with` block, in a process of its own.

    It ends with the block, and also when this process dies in whatever way.

    Args:
        settings: Limits and times.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(self, *, settings: Settings | None = None, port: int = 0) -> None:
        self._settings = settings or Settings()
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._state: LocalState | None = None

    def __enter__(self) -> LocalSageMaker:
        self._home = Path(tempfile.mkdtemp(prefix="defectscope-local-"))
        self._process = _spawn(self._home, self._port, self._settings, attached=True)
        try:
            self._state = _wait_until_ready(self._process, self._home)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop()

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None  # started attached
        process.stdin.close()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for left in _left_behind(self._home):
            _end(left)
        shutil.rmtree(self._home, ignore_errors=True)

    @property
    def state(self) -> LocalState:
        """Address, process and folder.

        Raises:
            LocalError: The block has not been entered.
        """
        if self._state is None:
            raise LocalError("LocalSageMaker is used as a context manager")
        return self._state

    @property
    def endpoint_url(self) -> str:
        """Address of every AWS service."""
        return self.state.endpoint_url

    @property
    def region(self) -> str:
        """Region to use."""
        return self.state.region

    def environment(self) -> dict[str, str]:
        """Gives the environment variables that point every AWS SDK here."""
        return environment(self.state)

    def client(self, service: str) -> Any:
        """Gives a boto3 client for a service of the local SageMaker."""
        import boto3

        return boto3.Session().client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )


def _spawn(home: Path, port: int, settings: Settings, *, attached: bool) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "defectscope.local.supervisor",
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


def _wait_until_ready(process: subprocess.Popen[bytes], home: Path) -> LocalState:
    deadline = time.monotonic() + _START_TIMEOUT_S
    last_words = "no message"
    while time.monotonic() < deadline:
        state = _read_state(home)
        if state is not None:
            return state
        with contextlib.suppress(OSError, IndexError):
            last_words = (home / _LOG_FILE).read_text(errors="replace").splitlines()[-1]
        if process.poll() is not None:
            raise LocalError(f"the local SageMaker did not start: {last_words}")
        time.sleep(0.02)
    process.kill()
    raise LocalError(f"the local SageMaker was not ready in time: {last_words}")


def _wait_for_the_other(home: Path) -> LocalState:
    """Waits for a supervisor that somebody else is just starting."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        state = find(home)
        if state is not None:
            return state
        time.sleep(0.05)
    raise LocalError(f"{home} belongs to a local SageMaker that does not get ready")


def _read_state(home: Path) -> LocalState | None:
    try:
        content = json.loads((home / STATE_FILE).read_text())
        region = str(content.get("region", DEFAULT_REGION))
        return LocalState(str(content["endpoint_url"]), int(content["pid"]), region, home)
    except (OSError, ValueError, KeyError, AttributeError):
        return None


def _is_supervisor(pid: int, home: Path) -> bool:
    """Tells our supervisor from another process that got its number since."""
    try:
        arguments = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return "defectscope.local.supervisor" in arguments and str(home) in arguments


def _left_behind(home: Path) -> list[psutil.Process]:
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


def _end(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except psutil.TimeoutExpired:
            process.kill()
            try:
                process.wait(5.0)
            except psutil.TimeoutExpired:
                raise LocalError(f"process {process.pid} does not end") from None


def _clear(home: Path) -> None:
    """Removes what a dead supervisor left, and nothing that is not a supervisor's."""
    if (home / _LOG_FILE).exists() or (home / STATE_FILE).exists():
        shutil.rmtree(home, ignore_errors=True)
