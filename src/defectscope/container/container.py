"""What stands at a container's port: /ping, /invocations, and an end that loses nothing.

    port 8080 ── Container ── Unix socket ── TorchServe ── workers

TorchServe by itself drops what is in flight when it is told to stop, answers /ping whatever its
model does, and refuses large bodies without a word. So it listens on a private socket, and this
passes invocations on.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace

from defectscope.container.faults import FaultError
from defectscope.container.forwarding import forward
from defectscope.container.health import Health, predict_sample
from defectscope.container.http_server import HttpServer
from defectscope.container.messages import BodyLimitExceededError, HttpRequest, Reply
from defectscope.container.torchserve import TorchServe
from defectscope.errors import BodyTooLargeError, DefectscopeError, OverloadedError
from defectscope.serving.codec import JSON, encode_error, to_text

# Above the longest prediction that SageMaker allows, an hour.
_INVOCATION_TIMEOUT_S = 3700.0
_SAMPLE_TIMEOUT_S = 50.0
_MAX_CONNECTIONS = 256
_IDLE_TIMEOUT_S = 65.0
# Source: SageMaker, "How Containers Serve Requests": SIGKILL follows SIGTERM after 30 s.
_DRAIN_S = 25.0
# Requests that are on their way when the end is told still arrive within this.
_GRACE_S = 1.0


class Container:
    """Serves one TorchServe at a port until told to stop.

    Args:
        server: The TorchServe, ready.
        host: Interface to listen on.
        port: Port; 0 takes a free one.
        max_body_bytes: Largest request body, where the server takes as much; above it the answer
            is 413 `body_too_large`.
        health_interval_s: How old the last prediction may be before the sample is analyzed again.

    Raises:
        ServingError: The model does not predict.
    """

    def __init__(
        self,
        server: TorchServe,
        *,
        host: str = "0.0.0.0",
        port: int = 8080,
        max_body_bytes: int = 100 * 1024 * 1024,
        health_interval_s: float = 30.0,
    ) -> None:
        self._server = server
        self._max_body_bytes = min(max_body_bytes, server.max_body_bytes)
        self._told_to_stop = threading.Event()
        self._stopped = threading.Event()
        self.health = Health(self._predict, interval_s=health_interval_s)
        self._predict()
        self._http = HttpServer(
            host,
            port,
            self.answer,
            max_connections=_MAX_CONNECTIONS,
            idle_timeout_s=_IDLE_TIMEOUT_S,
        )
        for job in (lambda: self.health.watch(self._stopped), self._listen):
            threading.Thread(target=job, daemon=True).start()

    @property
    def url(self) -> str:
        """The address it listens at."""
        return self._http.url

    def _listen(self) -> None:
        self._http.serve_forever(0.1)

    def _predict(self) -> None:
        predict_sample(self._server.connect(_SAMPLE_TIMEOUT_S))

    def answer(self, request: HttpRequest) -> Reply:
        """Returns the reply to a request.

        Raises:
            FaultError: There is nothing at that path, or TorchServe went away.
        """
        if request.path == "/ping" and request.method == "GET":
            well = self.health.healthy and not self._told_to_stop.is_set()
            state = {"status": "Healthy" if well else "Unhealthy"}
            return Reply(200 if well else 503, json.dumps(state).encode(), _HEADERS)
        if request.path != "/invocations":
            raise FaultError(404, "NotFound", "there are /ping and /invocations here")
        if request.method != "POST":
            raise FaultError(405, "MethodNotAllowed", "invocations are made with POST")
        if self._stopped.is_set():
            return _refused(OverloadedError("this container is stopping"), request)
        if (request.body.length or 0) > self._max_body_bytes:
            message = f"the body has more than {self._max_body_bytes} bytes"
            return _refused(BodyTooLargeError(message), request)
        return self._invoke(request)

    def _invoke(self, request: HttpRequest) -> Reply:
        self.health.began()
        try:
            folder, kept = self._server.body_folder, self._server.connections
            if folder is None:
                connection, lender = self._server.connect(_INVOCATION_TIMEOUT_S), None
            else:
                connection, lender = kept.lend(_INVOCATION_TIMEOUT_S), kept
            reply = forward(
                connection,
                request,
                server="the model's server",
                body_limit=self._max_body_bytes,
                folder=folder,
                lender=lender,
            )
        except (BodyLimitExceededError, BodyTooLargeError) as error:
            self.health.ended(predicted=False)
            return _refused(BodyTooLargeError(error.message), request)
        except OverloadedError as error:
            self.health.ended(predicted=False)
            return _refused(error, request)
        except BaseException:
            self.health.ended(predicted=False)
            raise
        answered = reply.on_sent or connection.close

        def sent() -> None:
            answered()
            self.health.ended(predicted=reply.status < 500)

        return replace(reply, on_sent=sent)

    def stop(self, *, drain_s: float = _DRAIN_S, grace_s: float = _GRACE_S) -> bool:
        """Says so at /ping, then takes no more requests and waits for those in flight.

        Args:
            drain_s: How long they may take.
            grace_s: How long requests are still taken after /ping has said so.

        Returns:
            Whether all of them were answered.
        """
        self._told_to_stop.set()
        time.sleep(grace_s)
        self._stopped.set()
        self._http.shutdown()
        self._http.server_close()
        return self.health.wait_idle(drain_s)


_HEADERS = [("Content-Type", JSON)]


def _refused(error: DefectscopeError, request: HttpRequest) -> Reply:
    body = to_text(encode_error(error, request.request_id, None))
    return Reply(error.http_status, body.encode(), _HEADERS)
