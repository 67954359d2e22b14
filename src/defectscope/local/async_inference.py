"""Asynchronous invocations: from S3 to the model and back to S3, with notifications."""

from __future__ import annotations

import datetime
import io
import json
import logging
import queue
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from defectscope.container.faults import FaultError
from defectscope.container.messages import BodyLimitExceededError, HttpRequest, Reply
from defectscope.errors import LocalError
from defectscope.local.endpoint_api import Endpoints
from defectscope.local.endpoints import Endpoint
from defectscope.local.exchange import ModelAnswer
from defectscope.local.faults import runtime_validation
from defectscope.local.s3_objects import ObjectUnavailableError, fetch, parse_uri, store
from defectscope.local.settings import ACCOUNT_ID
from defectscope.local.workplace import Workplace

_log = logging.getLogger(__name__)

# Source: API_runtime_InvokeEndpointAsync: defaults and ranges of the two times.
_DEFAULT_TIMEOUT_S = 900
_TIMEOUT_RANGE_S = (1, 3600)
_DEFAULT_TTL_S = 21_600
_TTL_RANGE_S = (60, 21_600)
# Source: API_AsyncInferenceClientConfig: SageMaker chooses a value; here one at a time.
_DEFAULT_CONCURRENCY = 1
# Requests that may wait per endpoint, so that a runaway caller cannot fill the memory.
_QUEUE_LENGTH = 100_000


class InvocationFailedError(LocalError):
    """An invocation ended without an output object."""


@dataclass(frozen=True)
class Invocation:
    """One queued request.

    Attributes:
        inference_id: The caller's or our own identifier.
        input_location: s3:// address of the input; None with an inline body.
        inline_body: The input where it came with the request.
        content_type: What the input is.
        headers: Header fields for the container.
        output_location: Where the answer goes.
        failure_location: Where the failure goes, if the configuration names a place.
        timeout_s: Time for the model.
        expires: Wall-clock time after which the request is no longer started.
        received: Wall-clock time of the request.
    """

    inference_id: str
    input_location: str | None
    inline_body: bytes | None
    content_type: str | None
    headers: Mapping[str, str]
    output_location: str
    failure_location: str | None
    timeout_s: int
    expires: float
    received: float


class AsyncInference:
    """Takes asynchronous invocations and works them off, per endpoint in the order they came."""

    def __init__(self, workplace: Workplace, endpoints: Endpoints) -> None:
        self._workplace = workplace
        self._endpoints = endpoints
        self._lock = threading.Lock()
        self._queues: dict[int, queue.Queue[Invocation]] = {}

    def invoke(self, request: HttpRequest, region: str, endpoint_name: str) -> Reply:
        """InvokeEndpointAsync: queues the request and says where its output will be.

        Raises:
            FaultError: ValidationError for an endpoint that is not asynchronous or a bad header.
        """
        endpoint = self._endpoints.serving(region, endpoint_name)
        config = endpoint.async_config
        if not config:
            raise runtime_validation(
                f"Endpoint {endpoint_name} of account {ACCOUNT_ID} has no AsyncInferenceConfig."
            )
        invocation = self._parse(request, config["OutputConfig"])
        try:
            self._queue(endpoint).put_nowait(invocation)
        except queue.Full:
            raise FaultError(503, "ServiceUnavailable", "The endpoint's queue is full.") from None
        headers = [
            ("Content-Type", "application/json"),
            ("X-Amzn-SageMaker-OutputLocation", invocation.output_location),
        ]
        if invocation.failure_location:
            headers.append(("X-Amzn-SageMaker-FailureLocation", invocation.failure_location))
        content = json.dumps({"InferenceId": invocation.inference_id}).encode()
        return Reply(202, content, headers)

    def _parse(self, request: HttpRequest, output: Mapping[str, Any]) -> Invocation:
        inline_limit = self._workplace.settings.async_inline_body_bytes
        try:
            inline = request.body.read(inline_limit)
        except BodyLimitExceededError:
            raise runtime_validation(
                f"An inline body holds at most {inline_limit} bytes; use InputLocation."
            ) from None
        location = request.header("X-Amzn-SageMaker-InputLocation")
        if bool(location) == bool(inline):
            raise runtime_validation("Give either InputLocation or a body.")
        if location:
            try:
                parse_uri(location)
            except ObjectUnavailableError as error:
                raise runtime_validation(f"InputLocation: {error.message}") from None
        name = str(uuid.uuid4())
        content_type = request.header("X-Amzn-SageMaker-Content-Type")
        inference_id = request.header("X-Amzn-SageMaker-Inference-Id") or str(uuid.uuid4())
        container = {
            "Content-Type": content_type or "application/octet-stream",
            "Accept": request.header("X-Amzn-SageMaker-Accept"),
            "X-Amzn-SageMaker-Custom-Attributes": request.header(
                "X-Amzn-SageMaker-Custom-Attributes"
            ),
            "X-Amzn-SageMaker-Inference-Id": inference_id,
        }
        now = time.time()
        ttl_s = _seconds(request, "RequestTTLSeconds", _DEFAULT_TTL_S, _TTL_RANGE_S)
        return Invocation(
            inference_id=inference_id,
            input_location=location,
            inline_body=None if location else inline,
            content_type=content_type,
            headers={key: value for key, value in container.items() if value},
            output_location=_output_location(request, str(output["S3OutputPath"]), name),
            failure_location=(
                f"{str(output['S3FailurePath']).rstrip('/')}/{name}-error.out"
                if output.get("S3FailurePath")
                else None
            ),
            timeout_s=_seconds(
                request, "InvocationTimeoutSeconds", _DEFAULT_TIMEOUT_S, _TIMEOUT_RANGE_S
            ),
            expires=now + ttl_s,
            received=now,
        )

    def _queue(self, endpoint: Endpoint) -> queue.Queue[Invocation]:
        """Returns the endpoint's queue; the first use starts the threads that work it off."""
        with self._lock:
            found = self._queues.get(id(endpoint))
            if found is None:
                found = queue.Queue(_QUEUE_LENGTH)
                self._queues[id(endpoint)] = found
                client = (endpoint.async_config or {}).get("ClientConfig") or {}
                per_instance = client.get("MaxConcurrentInvocationsPerInstance")
                instances = max(1, *(v.desired_count for v in endpoint.variants.values()))
                for _ in range(int(per_instance or _DEFAULT_CONCURRENCY) * instances):
                    worker = threading.Thread(target=self._work, args=(endpoint, found))
                    worker.daemon = True
                    worker.start()
            return found

    def _work(self, endpoint: Endpoint, invocations: queue.Queue[Invocation]) -> None:
        while endpoint.status != "Deleting":
            try:
                invocation = invocations.get(timeout=0.5)
            except queue.Empty:
                continue
            try:
                self._run(endpoint, invocation)
            except Exception:
                _log.exception("asynchronous invocation on %s broke", endpoint.name)
        # A deleted endpoint's queue is forgotten with it, as its description says.
        with self._lock:
            self._queues.pop(id(endpoint), None)

    def _run(self, endpoint: Endpoint, invocation: Invocation) -> None:
        s3 = self._workplace.moto.client("s3", endpoint.region)
        try:
            answer = self._ask(endpoint, invocation, s3)
            content_type = answer.headers.get("content-type", "application/octet-stream")
            if 200 <= answer.status < 300:
                with answer.body:
                    store(s3, invocation.output_location, answer.body, content_type=content_type)
            else:
                text = answer.read().decode(errors="replace")
                who = "server" if answer.status >= 500 else "client"
                raise InvocationFailedError(
                    f"Received {who} error ({answer.status}) from model with message {text!r}"
                )
        except LocalError as error:
            self._fail(endpoint, invocation, s3, error)
            return
        self._notify(
            endpoint,
            invocation,
            "SuccessTopic",
            {
                "invocationStatus": "Completed",
                "responseParameters": {
                    "contentType": content_type,
                    "outputLocation": invocation.output_location,
                },
            },
        )

    def _ask(self, endpoint: Endpoint, invocation: Invocation, s3: Any) -> ModelAnswer:
        found = self._endpoints.wait_for_server(
            endpoint, None, time.monotonic() + invocation.expires - time.time()
        )
        if found is None:
            raise InvocationFailedError("the request expired before an instance could take it")
        _, server = found
        if invocation.input_location:
            limit = self._workplace.settings.async_body_bytes
            body, size = fetch(s3, invocation.input_location, limit=limit)
        else:
            inline = invocation.inline_body or b""
            body, size = io.BytesIO(inline), len(inline)
        with body, server.slot():
            return server.invoke(body, size, invocation.headers, timeout_s=invocation.timeout_s)

    def _fail(self, endpoint: Endpoint, invocation: Invocation, s3: Any, error: LocalError) -> None:
        if invocation.failure_location:
            try:
                store(s3, invocation.failure_location, error.message.encode())
            except ObjectUnavailableError as failure:
                _log.warning("failure of %s: %s", invocation.inference_id, failure)
        details: dict[str, Any] = {"invocationStatus": "Failed", "failureReason": error.message}
        if invocation.failure_location:
            details["responseParameters"] = {"failureLocation": invocation.failure_location}
        self._notify(endpoint, invocation, "ErrorTopic", details)

    def _notify(
        self, endpoint: Endpoint, invocation: Invocation, topic: str, details: Mapping[str, Any]
    ) -> None:
        """Publishes what became of an invocation.

        Source: async-inference-check-predictions page, the notification's JSON.
        """
        config = (endpoint.async_config or {}).get("OutputConfig") or {}
        arn = (config.get("NotificationConfig") or {}).get(topic)
        if not arn:
            return
        message = {
            "awsRegion": endpoint.region,
            "eventTime": _iso(time.time()),
            "receivedTime": _iso(invocation.received),
            "requestParameters": {
                "contentType": invocation.content_type,
                "endpointName": endpoint.name,
                "inputLocation": invocation.input_location,
            },
            "inferenceId": invocation.inference_id,
            "eventVersion": "1.0",
            "eventSource": "aws:sagemaker",
            "eventName": "InferenceResult",
            **details,
        }
        try:
            sns = self._workplace.moto.client("sns", endpoint.region)
            sns.publish(TopicArn=arn, Message=json.dumps(message))
        except Exception as error:
            # A topic that is gone must not take the invocation's result with it.
            _log.warning("cannot publish to %s: %s", arn, error)


def _output_location(request: HttpRequest, base: str, name: str) -> str:
    extension = (request.header("X-Amzn-SageMaker-S3OutputPathExtension") or "").strip("/")
    filename = request.header("X-Amzn-SageMaker-Filename") or f"{name}.out"
    return "/".join(part for part in (base.rstrip("/"), extension, filename) if part)


def _seconds(request: HttpRequest, name: str, default: int, within: tuple[int, int]) -> int:
    text = request.header(f"X-Amzn-SageMaker-{name}")
    if text is None:
        return default
    if not text.isdecimal() or not within[0] <= int(text) <= within[1]:
        raise runtime_validation(f"{name} must be between {within[0]} and {within[1]}.")
    return int(text)


def _iso(when: float) -> str:
    moment = datetime.datetime.fromtimestamp(when, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
