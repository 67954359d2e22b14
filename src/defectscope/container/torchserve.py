"""Starts a real TorchServe for one archive, knows when it can predict, and stops all of it.

TorchServe's own launcher leaves its Java process behind when it is stopped, and its `/ping` answers
200 before a model is loaded and during a crash loop. So Java is started directly, below a guard
that ends the whole process group together with the parent, and a server counts as ready when its
workers report READY.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from defectscope.container import process_guard
from defectscope.container.addresses import connection_to, free_ports, socket_folder
from defectscope.container.bodies import takes_files
from defectscope.container.connections import Connections
from defectscope.container.frontend_config import ServerConfig, quiet_log_config
from defectscope.container.java import MODEL_NAME_PATTERN, base_environment, java_command
from defectscope.container.management import Management
from defectscope.container.server_log import ServerLog, SharedLog
from defectscope.container.worker import write_launcher
from defectscope.errors import ServingError
from defectscope.serving.handover import FOLDER_VARIABLE

_MEBIBYTE = 1024 * 1024
# Java holds a body several times over: one of 0.25 of the heap passed, one of 0.30 ended in
# OutOfMemoryError.
_HEAP_SHARE = 5
# What the log says when a worker died, failed or took too long while loading. The frontend would
# try again for minutes, with the same archive.
_LOAD_FAILED = re.compile(r"Load model failed|Failed to load model|Backend worker process died")


class TorchServe:
    """One TorchServe with one model, from start to stop.

    Works as a context manager. The server listens on private Unix sockets unless `port` is given.

    Args:
        archive: A .mar file; its name without `.mar` becomes the model's name.
        environment: Variables for the server and its workers. Nothing else is inherited but what
            programs need to run at all, so that credentials of the caller never reach a model.
        port: A TCP port on loopback for inference.
        log_path: File that collects what the server and its workers complain about; without one it
            lies with the server's other files.
        share_output: Whether they complain on this process's own output instead.
        heap_mb: Java's heap limit.
        max_body_bytes: Largest request and response; see the property of that name.
        response_timeout_s: How long a prediction may take unless the archive sets its own limit.
        job_queue_size: Requests that may wait before TorchServe answers 503.
        ports: First and last port for the two that TorchServe always opens on loopback.

    Attributes:
        connections: Those for predictions that are kept from call to call.

    Raises:
        ServingError: The archive is missing or oddly named, no port is free, or Java or TorchServe
            are not there.
    """

    def __init__(
        self,
        archive: Path,
        *,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        log_path: Path | None = None,
        share_output: bool = False,
        heap_mb: int = 1024,
        max_body_bytes: int = 100 * 1024 * 1024,
        response_timeout_s: int = 3600,
        job_queue_size: int = 100,
        ports: tuple[int, int] | None = None,
    ) -> None:
        self.model_name = archive.name.removesuffix(".mar")
        if archive.suffix != ".mar" or not MODEL_NAME_PATTERN.fullmatch(self.model_name):
            raise ServingError(f"not an archive name that TorchServe can take: {archive.name!r}")
        if not archive.is_file():
            raise ServingError(f"no archive at {archive}")
        self._home = socket_folder()
        self._body_folder: Path | None = None
        if takes_files(archive):
            self._body_folder = self._home / "bodies"
        else:
            max_body_bytes = min(max_body_bytes, heap_mb * _MEBIBYTE // _HEAP_SHARE)
        try:
            first_port, second_port = free_ports(2, within=ports)
            path = log_path or self._home / "torchserve.log"
            address = f"http://127.0.0.1:{port}" if port else self._socket("inf")
            self._log = SharedLog() if share_output else ServerLog(path)
            try:
                self._start(
                    archive,
                    ServerConfig(
                        model_store=self._home / "store",
                        inference_address=address,
                        management_address=self._socket("man"),
                        metrics_address=self._socket("met"),
                        grpc_inference_port=first_port,
                        grpc_management_port=second_port,
                        max_body_bytes=max_body_bytes,
                        response_timeout_s=response_timeout_s,
                        job_queue_size=job_queue_size,
                    ),
                    environment or {},
                    heap_mb,
                )
            finally:
                self._log.started()
        except BaseException:
            shutil.rmtree(self._home, ignore_errors=True)
            raise

    def _socket(self, name: str) -> str:
        return f"unix:{self._home}/{name}.sock"

    def _start(
        self,
        archive: Path,
        config: ServerConfig,
        environment: Mapping[str, str],
        heap_mb: int,
    ) -> None:
        self._config = config
        self.connections = Connections(config.inference_address)
        self._management = Management(config.management_address, self.model_name)
        temp_dir = self._home / "tmp"
        temp_dir.mkdir()
        inner = {**base_environment(temp_dir), **environment}
        if self._body_folder is not None:
            self._body_folder.mkdir()
            inner[FOLDER_VARIABLE] = str(self._body_folder)
        config.model_store.mkdir()
        stored = config.model_store / archive.name
        try:
            os.link(archive, stored)
        except OSError:
            shutil.copyfile(archive, stored)
        config_path = self._home / "config.properties"
        config_path.write_text(config.properties())
        log_config_path = self._home / "log4j2.xml"
        log_config_path.write_text(quiet_log_config())
        command = java_command(
            config_path=config_path,
            log_config_path=log_config_path,
            model_store=config.model_store,
            model_name=self.model_name,
            temp_dir=temp_dir,
            heap_mb=heap_mb,
            # What others wrote may rely on PyTorch being there from the start.
            python=None if self._body_folder is None else write_launcher(self._home / "python"),
        )
        guard = [sys.executable, "-I", "-S", str(process_guard.__file__)]
        output, errors = self._log.streams()
        self._guard = subprocess.Popen(
            [*guard, "--remove", str(self._home), "--", *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=errors,
            cwd=self._home,
            env=inner,
            start_new_session=True,
        )

    def __enter__(self) -> TorchServe:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the frontend process is still there."""
        return self._guard.poll() is None

    @property
    def pid(self) -> int:
        """The guard's process id; the frontend is its child."""
        return self._guard.pid

    @property
    def inference_address(self) -> str:
        """Where predictions are made: `http://127.0.0.1:port` or `unix:/path`."""
        return self._config.inference_address

    @property
    def max_body_bytes(self) -> int:
        """Largest request and response.

        What was asked for, and at most a fifth of Java's heap where an archive takes no files.
        """
        return self._config.max_body_bytes

    @property
    def body_folder(self) -> Path | None:
        """Where bodies are handed over as files; None for an archive that cannot take them."""
        return self._body_folder

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """Opens a connection for predictions (`POST /invocations`); the caller closes it."""
        return connection_to(self._config.inference_address, timeout_s)

    def workers(self) -> list[dict[str, Any]]:
        """Returns the model's workers as the management API tells them: id, status, pid and more.

        Raises:
            OSError: The server does not answer yet, or no more.
            ServingError: The server knows no such model.
        """
        return cast("list[dict[str, Any]]", self._management.describe()["workers"])

    def scale(self, workers: int | None = None) -> None:
        """Asks for workers, which come while the first ones answer; see `wait_ready`.

        Two that load at once on two cores would double the time to the first answer, so an archive
        starts with its `minWorkers`.

        Args:
            workers: How many; the archive's `maxWorkers` where None.

        Raises:
            OSError: The server answers no more.
            ServingError: TorchServe refused.
        """
        if workers is None:
            described = self._management.describe()
            workers = int(described["maxWorkers"])
            if workers <= int(described["minWorkers"]):
                return
        self._management.scale(workers)

    def wait_ready(self, timeout_s: float = 300.0, *, workers: int = 1) -> None:
        """Returns once every worker, and as many as are wanted, has loaded the model.

        Raises:
            ServingError: The server exited, its workers died again and again, or time ran out. The
                message ends with what the log has to say.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if not self.running:
                raise ServingError(f"TorchServe exited while starting{self._log.last_words()}")
            try:
                found = self.workers()
            except ServingError:
                # Models are registered before the management API answers at all.
                words = self._log.last_words()
                raise ServingError(f"TorchServe refused the archive{words}") from None
            except (OSError, http.client.HTTPException, ValueError):
                found = []
            if len(found) >= workers and all(worker["status"] == "READY" for worker in found):
                return
            if _LOAD_FAILED.search(self._log.text()):
                # The traceback follows the first line in pieces.
                time.sleep(0.2)
                raise ServingError(f"the model cannot be loaded{self._log.last_words()}")
            time.sleep(0.05)
        raise ServingError(
            f"TorchServe was not ready within {timeout_s:g} s{self._log.last_words()}"
        )

    def stop(self, *, grace_s: float = 0.0) -> None:
        """Ends the server, its workers and its files; a second call does nothing.

        Args:
            grace_s: Java takes 2.4 to 3.5 s to obey SIGTERM and drops requests in flight anyway, so
                the default does not ask.
        """
        self.connections.close()
        if grace_s > 0 and self.running:
            with contextlib.suppress(ProcessLookupError):
                self._guard.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._guard.wait(grace_s)
        if self._guard.stdin is not None:
            # End of file is the guard's order to kill the group.
            self._guard.stdin.close()
        try:
            self._guard.wait(10.0)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()
        self._log.ended()
        shutil.rmtree(self._home, ignore_errors=True)
