"""Which way a request takes: in the call, through S3, or through the asynchronous endpoint."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Generator
from pathlib import PurePosixPath

from defectscope.client import film
from defectscope.client.jobs import AsyncJob
from defectscope.client.media import Source
from defectscope.client.records import Options, Span, encode, named, read_report, record
from defectscope.client.retry import Deadline
from defectscope.client.settings import ClientSettings
from defectscope.client.transport import JSON, Invocation, QueuedInvocation
from defectscope.client.wire import Wire
from defectscope.errors import EndpointError, PayloadTooLargeError, UsageError
from defectscope.findings import Report

# Source: botocore's service model of InvokeEndpointAsync.
_MAX_INLINE_ASYNC_BYTES = 128_000
# Source: Amazon SageMaker API reference, InvokeEndpointAsync: at most one hour.
_MAX_ASYNC_S = 3600
# Source: Amazon SageMaker API reference, InvokeEndpoint: custom attributes, in ASCII characters.
_MAX_ATTRIBUTES = 1024


class Routes:
    """The ways to one deployment: a real-time endpoint, an asynchronous one, or both."""

    def __init__(
        self,
        wire: Wire,
        settings: ClientSettings,
        endpoint_name: str | None,
        async_endpoint_name: str | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._wire = wire
        self._settings = settings
        self._endpoint_name = endpoint_name
        self._async_endpoint_name = async_endpoint_name
        self._sleep = sleep

    def travels_in_call(self, item: Source) -> bool:
        """Says whether the media itself can be the body of a real-time call."""
        return (
            self._endpoint_name is not None
            and item.size_bytes is not None
            and item.size_bytes <= self._settings.max_body_bytes
        )

    def in_body(
        self, item: Source, options: Options, span: Span | None, deadline: Deadline
    ) -> Report:
        """Returns the report on media that is sent in the call, with its options.

        Raises:
            UsageError: The options are longer than SageMaker's custom attributes may be.
        """
        fields = record(
            None,
            options,
            start_s=span.start_s if span else None,
            end_s=span.end_s if span else None,
        )
        attributes = encode(fields, ascii_only=True).decode() if fields else None
        if attributes is not None and len(attributes) > _MAX_ATTRIBUTES:
            raise UsageError(
                f"options beside a body have at most {_MAX_ATTRIBUTES} characters of JSON: put "
                "the media into S3 and pass its address"
            )
        return named(
            self._real_time(item.read(), item.content_type, deadline, attributes), item.label
        )

    def at(
        self,
        uri: str,
        options: Options,
        span: Span | None,
        segment_s: float | None,
        deadline: Deadline,
    ) -> Report:
        """Returns the report on media at an address, in one call or interval by interval."""
        length_s = self._settings.segment_s if segment_s is None else segment_s
        if span is not None:
            fields = record(uri, options, start_s=span.start_s, end_s=span.end_s)
            return self.call(encode(fields), deadline)
        if segment_s is None and self._async_endpoint_name is not None:
            return self._queued(encode(record(uri, options)), deadline)
        if length_s == 0:
            return self.call(encode(record(uri, options)), deadline)
        return film.analyze(
            uri,
            options,
            self.call,
            segment_s=length_s,
            concurrency=self._settings.concurrency,
            max_body_bytes=self._settings.max_body_bytes,
            deadline=deadline,
        )

    def call(self, body: bytes, deadline: Deadline) -> Report:
        """Sends one JSON request: at once where it fits, else queued.

        Raises:
            PayloadTooLargeError: It does not fit and there is no asynchronous endpoint.
        """
        if self._endpoint_name and len(body) <= self._settings.max_body_bytes:
            return self._real_time(body, JSON, deadline)
        if self._async_endpoint_name:
            return self._queued(body, deadline)
        raise PayloadTooLargeError(
            f"a request of {len(body):,} bytes is over the endpoint's "
            f"{self._settings.max_body_bytes:,}: use longer segments or fewer detectors, or name "
            "an asynchronous endpoint"
        )

    def submit(self, body: bytes, deadline: Deadline, inference_id: str | None = None) -> AsyncJob:
        """Queues one JSON request: in S3 where there is a place, else inline.

        Raises:
            UsageError: It is too large to go inline and there is no place.
        """
        name = self._async_endpoint_name or self._endpoint_name
        if name is None:
            raise UsageError("no endpoint is named")
        input_uri: str | None = None
        inline: bytes | None = body
        if self._settings.staging_uri is not None:
            input_uri, inline = self._staged(".json"), None
            self._wire.put(input_uri, body, content_type=JSON, deadline=deadline)
        elif len(body) > _MAX_INLINE_ASYNC_BYTES:
            raise UsageError("a request this large needs a place in S3: pass staging_uri=")
        call = QueuedInvocation(
            endpoint_name=name,
            content_type=JSON,
            input_uri=input_uri,
            body=inline,
            invocation_timeout_s=_MAX_ASYNC_S,
            inference_id=inference_id,
        )
        ticket = self._wire.invoke_async(call, deadline=deadline)
        return AsyncJob(self._wire, ticket, sleep=self._sleep)

    @contextlib.contextmanager
    def at_address(self, item: Source, deadline: Deadline) -> Generator[str]:
        """Lends media an address for as long as it is needed."""
        if item.uri is not None:
            yield item.uri
            return
        uri = self.upload(item, deadline)
        try:
            yield uri
        finally:
            # An object left behind is a cost, not a reason to lose the report.
            with contextlib.suppress(EndpointError):
                self._wire.delete(uri)

    def upload(self, item: Source, deadline: Deadline) -> str:
        """Puts media under the staging prefix and gives its address."""
        uri = self._staged(PurePosixPath(item.label).suffix if item.data is None else "")
        body = item.data if item.data is not None else item.path or item.stream
        if body is None:
            raise UsageError(f"{item.label} is at an address already")
        self._wire.put(uri, body, content_type=item.content_type, deadline=deadline)
        return uri

    def _real_time(
        self, body: bytes, content_type: str, deadline: Deadline, attributes: str | None = None
    ) -> Report:
        if self._endpoint_name is None:
            raise UsageError("no real-time endpoint is named")
        call = Invocation(
            endpoint_name=self._endpoint_name,
            body=body,
            content_type=content_type,
            custom_attributes=attributes,
        )
        reply = self._wire.invoke(call, deadline=deadline, timeout_s=self._settings.timeout_s)
        return read_report(reply.body, request_id=reply.request_id)

    def _queued(self, body: bytes, deadline: Deadline) -> Report:
        job = self.submit(body, deadline)
        left_s = None if deadline.at_s is None else deadline.left_s(float("inf"))
        return job.result(timeout_s=left_s)

    def _staged(self, suffix: str) -> str:
        if self._settings.staging_uri is None:
            raise UsageError(
                f"this cannot travel in the call (at most {self._settings.max_body_bytes:,} "
                "bytes): pass staging_uri='s3://bucket/prefix'"
            )
        return f"{self._settings.staging_uri.rstrip('/')}/{uuid.uuid4().hex}{suffix}"
