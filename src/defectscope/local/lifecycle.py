"""Starting, finding and ending SageMaker on this machine."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from defectscope.errors import LocalError
from defectscope.local.processes import (
    STOP_TIMEOUT_S,
    LocalState,
    clear,
    default_home,
    end,
    find,
    is_supervisor,
    left_behind,
    read_state,
    spawn,
    wait_for_the_other,
    wait_until_ready,
)
from defectscope.local.settings import LocalSettings


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


def up(
    *, home: Path | None = None, port: int = 0, settings: LocalSettings | None = None
) -> LocalState:
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
    if running is None and any(is_supervisor(p.pid, home) for p in left_behind(home)):
        running = wait_for_the_other(home)
    if running is not None:
        return running
    clear(home)
    try:
        home.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise LocalError(f"{home} is in use by something else, or just being started") from None
    process = spawn(home, port, settings or LocalSettings(), attached=False)
    # Should it end while this program lives, it must not stay as a zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return wait_until_ready(process, home)


def env(*, home: Path | None = None) -> dict[str, str]:
    """Returns the environment variables that point every AWS SDK to the local SageMaker.

    Raises:
        LocalError: None is running.
    """
    state = find(home)
    if state is None:
        raise LocalError("not running; start it with `defectscope local up`")
    return environment(state)


def environment(state: LocalState) -> dict[str, str]:
    """Returns the variables for a known state; see `env`."""
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
    """Returns what the local SageMaker is doing, or None when it does not run.

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
    state = read_state(home)
    found = home.exists()
    if state is not None and is_supervisor(state.pid, home):
        end(psutil.Process(state.pid))
    for process in left_behind(home):
        end(process)
    clear(home)
    return found


class LocalSageMaker:
    """A local SageMaker for the time of a `with` block, in a process of its own.

    It ends with the block, and also when this process dies in whatever way.

    Args:
        settings: Limits and times.
        port: Port to listen on; 0 takes a free one.
    """

    def __init__(self, *, settings: LocalSettings | None = None, port: int = 0) -> None:
        self._settings = settings or LocalSettings()
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._state: LocalState | None = None

    def __enter__(self) -> LocalSageMaker:
        self._home = Path(tempfile.mkdtemp(prefix="defectscope-local-"))
        self._process = spawn(self._home, self._port, self._settings, attached=True)
        try:
            self._state = wait_until_ready(self._process, self._home)
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
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for left in left_behind(self._home):
            end(left)
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
        """Returns the environment variables that point every AWS SDK here."""
        return environment(self.state)

    def client(self, service: str) -> Any:
        """Returns a boto3 client for a service of the local SageMaker."""
        import boto3

        return boto3.Session().client(
            service,
            region_name=self.region,
            endpoint_url=self.endpoint_url,
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )
