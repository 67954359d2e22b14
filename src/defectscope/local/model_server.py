"""One model in one TorchServe, as endpoints and transform jobs use it."""

from __future__ import annotations

import contextlib
import http.client
import logging
import shutil
import tempfile
import threading
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO

from defectscope.container.bodies import STAND_IN, copy, handing_over, kept_in, write_blocks
from defectscope.container.messages import BodyLimitExceededError, BodyReader
from defectscope.container.torchserve import TorchServe
from defectscope.errors import LocalError, OverloadedError, ServingError
from defectscope.local.archives import ModelSpec, fetch_archive
from defectscope.local.exchange import ModelAnswer, exchange
from defectscope.local.settings import ACCOUNT_ID
from defectscope.local.workplace import Workplace

_LOG = logging.getLogger(__name__)

_WATCH_S = 0.5


class ModelTimeoutError(LocalError):
    """The model did not answer in time."""


class ModelUnreachableError(LocalError):
    """The model's server is gone or refuses connections."""


class ModelBusyError(LocalError):
    """As many invocations as the server takes are in flight."""


class ModelServer:
    """Starts a TorchServe for a model from S3, keeps it alive and passes invocations to it.

    Args:
        workplace: Shared surroundings.
        region: Region that the model and its data are in.
        spec: The model.
        log_path: File for what the server complains about.
        environment: Variables on top of the model's own.
        capacity: Invocations in flight; one more raises ModelBusyError.
        max_body_bytes: Largest request and response of the server.
        start_timeout_s: How long loading the model may take.

    Raises:
        ModelUnavailableError: The model's data cannot be had.
        ServingError: TorchServe cannot load it.
    """

    def __init__(
        self,
        workplace: Workplace,
        region: str,
        spec: ModelSpec,
        *,
        log_path: Path,
        environment: Mapping[str, str] | None = None,
        capacity: int,
        max_body_bytes: int,
        start_timeout_s: float | None = None,
    ) -> None:
        self._workplace = workplace
        self._log_path = log_path
        self._capacity = capacity
        self._max_body_bytes = max_body_bytes
        self._start_timeout_s = start_timeout_s or workplace.settings.start_timeout_s
        self._environment = {
            **_container_environment(workplace.url, region),
            **spec.environment,
            **(environment or {}),
        }
        self._changed = threading.Condition()
        self._in_flight = 0
        self._stopped = False
        self._server: TorchServe | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="model-", dir=workplace.folder))
        try:
            self._archive = fetch_archive(workplace.moto, region, spec, self._folder)
            self._server = self._start()
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        threading.Thread(target=self._keep_alive, daemon=True).start()

    def _start(self) -> TorchServe:
        with self._workplace.starts:
            server = TorchServe(
                self._archive,
                environment=self._environment,
                log_path=self._log_path,
                heap_mb=self._workplace.settings.heap_mb,
                max_body_bytes=self._max_body_bytes,
                job_queue_size=self._capacity + 8,
            )
            try:
                server.wait_ready(self._start_timeout_s)
                server.scale()
            except BaseException:
                server.stop()
                raise
            return server

    def _keep_alive(self) -> None:
        """Replaces a server that died, as SageMaker does, and a replacement that did not start."""
        while not self._stopped:
            server = self._server
            if server is None or not server.running:
                self._replace(server)
            with self._changed:
                self._changed.wait_for(lambda: self._stopped, _WATCH_S)

    def _replace(self, dead: TorchServe | None) -> None:
        # First: requests that came while it is being ended would find no folder for their bodies.
        self._server = None
        if dead is not None:
            dead.stop()
        try:
            fresh = self._start()
        except (ServingError, OSError) as error:
            _LOG.warning("the model's server cannot be restarted, trying again: %s", error)
            return
        with self._changed:
            if not self._stopped:
                self._server, fresh = fresh, None
        if fresh is not None:
            fresh.stop()

    @property
    def in_flight(self) -> int:
        """Invocations that are being answered now."""
        return self._in_flight

    @contextlib.contextmanager
    def slot(self) -> Generator[None]:
        """Holds one of the places for invocations.

        Raises:
            ModelBusyError: All places are taken.
        """
        with self._changed:
            if self._in_flight >= self._capacity:
                raise ModelBusyError("as many invocations as the instance takes are in flight")
            self._in_flight += 1
        try:
            yield
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def receiving(self, body: BodyReader, limit: int) -> Generator[tuple[IO[bytes] | Path, int]]:
        """Receives the body of a request, where the model can be handed it without another copy.

        Args:
            body: The request's.
            limit: Largest size in bytes.

        Returns:
            What to pass to `invoke`, and its size.

        Raises:
            BodyLimitExceededError: The body exceeds `limit`.
            ModelBusyError: The disk has no room for it.
            ModelUnreachableError: The server went away.
            FaultError: The body is incomplete or malformed.
        """
        server = self._server
        folder = None if server is None else server.body_folder
        with contextlib.ExitStack() as kept:
            if folder is None or body.length is None:
                file, size = body.spool(limit)
                yield kept.enter_context(file), size
                return
            if body.length > limit:
                raise BodyLimitExceededError(f"the body has {body.length} bytes, not {limit}")
            try:
                path = kept.enter_context(
                    kept_in(folder, lambda f: write_blocks(f, body.blocks(), limit))
                )
            except OverloadedError as error:
                raise ModelBusyError(error.message) from None
            except FileNotFoundError:
                # It ended a moment ago, and its folder with it.
                raise ModelUnreachableError("the model's server is being restarted") from None
            yield path, body.length

    def invoke(
        self,
        body: IO[bytes] | bytes | Path,
        size: int,
        headers: Mapping[str, str],
        *,
        timeout_s: float,
        answer_limit: int | None = None,
    ) -> ModelAnswer:
        """Posts one body to the model's /invocations.

        Args:
            body: What to send, or the file that `receiving` gave.
            size: Its size in bytes.
            headers: Header fields, passed on as spelled.
            timeout_s: Time for the whole exchange.
            answer_limit: Largest answer in bytes.

        Raises:
            ModelTimeoutError: No complete answer within `timeout_s`.
            ModelUnreachableError: The server went away.
            AnswerTooLargeError: The answer exceeds `answer_limit`.
        """
        server = self._server
        if server is None:
            raise ModelUnreachableError("the model's server is being restarted")
        deadline = time.monotonic() + timeout_s
        fields = list(headers.items())
        connection = server.connections.lend(timeout_s)
        response: http.client.HTTPResponse | None = None
        with contextlib.ExitStack() as kept:
            try:
                if server.body_folder is not None and not isinstance(body, Path):
                    given = body
                    body = kept.enter_context(kept_in(server.body_folder, lambda f: copy(given, f)))
                if isinstance(body, Path):
                    fields = handing_over(body, fields)
                    body, size = STAND_IN, len(STAND_IN)
                answer, response = exchange(connection, body, size, fields, deadline, answer_limit)
                return answer
            except OverloadedError as error:
                raise ModelBusyError(error.message) from None
            except TimeoutError:
                raise ModelTimeoutError(f"no answer within {timeout_s:g} s") from None
            except (OSError, http.client.HTTPException) as error:
                raise ModelUnreachableError(f"the model's server went away: {error}") from None
            finally:
                server.connections.give_back(connection, response)

    def stop(self, *, drain_s: float = 0.0) -> None:
        """Ends the server; what is in flight may finish within `drain_s` seconds."""
        deadline = time.monotonic() + drain_s
        with self._changed:
            while self._in_flight and time.monotonic() < deadline:
                self._changed.wait(deadline - time.monotonic())
            self._stopped = True
            server, self._server = self._server, None
            self._changed.notify_all()
        if server is not None:
            server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _container_environment(url: str, region: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The user's own profiles must not reach a model that believes to be in AWS.
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_ACCOUNT_ID": ACCOUNT_ID,
    }
