"""moto behind the local server: its process, the way through to it, and clients for our own use."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import boto3
from botocore.config import Config

from defectscope.container import process_guard
from defectscope.container.forwarding import forward
from defectscope.container.messages import HttpRequest, Reply
from defectscope.errors import LocalError

_START_TIMEOUT_S = 60.0

# Members that AWS leaves out where there is nothing to say, such as VpcConfig and
# DataCaptureConfig, moto gives as empty objects; the SageMaker SDK's types refuse these.
_TIDIED_TARGETS = "SageMaker.Describe"


class MotoBackend:
    """Runs moto in a process of its own, or takes one that runs already, and talks to it.

    Args:
        folder: Private folder for the address file, moto's log and large objects.
        address: `127.0.0.1:port` of a moto that somebody else started and will end.

    Raises:
        LocalError: moto did not come up.
    """

    def __init__(self, folder: Path, *, address: str | None = None) -> None:
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()
        self._guard: subprocess.Popen[bytes] | None = None
        if address is not None:
            self._address = address
            _require_answer(self.url)
            return
        folder.mkdir(parents=True)
        address_file = folder / "port"
        log_path = folder / "moto.log"
        guard = [sys.executable, "-I", "-S", str(process_guard.__file__), "--"]
        environment = {name: value for name, value in os.environ.items() if name[:4] != "AWS_"}
        with log_path.open("ab") as log:
            self._guard = subprocess.Popen(
                [
                    *guard,
                    sys.executable,
                    "-m",
                    "defectscope.local.moto_process",
                    str(address_file),
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**environment, "TMPDIR": str(folder)},
                start_new_session=True,
            )
        try:
            self._address = f"127.0.0.1:{_wait_for_port(self._guard, address_file, log_path)}"
        except BaseException:
            self.stop()
            raise

    @property
    def url(self) -> str:
        """Moto's own address, for calls that must not pass through the local server."""
        return f"http://{self._address}"

    def client(self, service: str, region: str) -> Any:
        """Returns a boto3 client for moto; clients are made once and may be shared by threads."""
        with self._lock:
            key = (service, region)
            if key not in self._clients:
                self._clients[key] = boto3.Session().client(
                    service,
                    region_name=region,
                    endpoint_url=self.url,
                    aws_access_key_id="local",
                    aws_secret_access_key="local",
                    config=Config(
                        max_pool_connections=64,
                        retries={"max_attempts": 2},
                        s3={"addressing_style": "path"},
                        ignore_configured_endpoint_urls=True,
                    ),
                )
            return self._clients[key]

    def forward(self, request: HttpRequest) -> Reply:
        """Passes a request on to moto and its answer back, in blocks, without looking inside.

        Raises:
            FaultError: moto cannot be reached.
        """
        connection = http.client.HTTPConnection(self._address, timeout=120.0)
        reply = forward(connection, request, server="moto")
        if not (request.header("X-Amz-Target") or "").startswith(_TIDIED_TARGETS):
            return reply
        with contextlib.closing(connection):
            described = b"".join(cast("Iterator[bytes]", reply.body))
        return Reply(reply.status, _tidied(described), reply.headers)

    def stop(self) -> None:
        """Ends moto unless it is somebody else's; a second call does nothing."""
        if self._guard is None:
            return
        if self._guard.stdin is not None:
            self._guard.stdin.close()
        self._guard.wait(10.0)


def _require_answer(url: str) -> None:
    try:
        with urllib.request.urlopen(f"{url}/moto-api/", timeout=5.0):
            return
    except (OSError, ValueError) as error:
        raise LocalError(f"no moto server at {url}: {error}") from None


def _wait_for_port(process: subprocess.Popen[bytes], address_file: Path, log_path: Path) -> int:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        if address_file.exists():
            return int(address_file.read_text())
        if process.poll() is not None:
            lines = log_path.read_text(errors="replace").strip().splitlines()
            raise LocalError(f"moto exited while starting: {lines[-1] if lines else ''}")
        time.sleep(0.02)
    raise LocalError(f"moto was not ready within {_START_TIMEOUT_S:g} s")


def _tidied(body: bytes) -> bytes:
    """Drops what a description holds only as an empty object or null."""
    try:
        described = json.loads(body)
    except ValueError:
        return body
    if not isinstance(described, dict):
        return body
    members = cast("dict[str, Any]", described).items()
    return json.dumps({k: v for k, v in members if v is not None and v != {}}).encode()
