"""What the client asks of the network, as one small protocol.

`Client` never touches boto3: it speaks to a `Transport`. `AwsTransport` is the real one,
`FakeTransport` the one for tests; a caller can substitute a third.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

JSON = "application/json"
JSON_LINES = "application/jsonlines"

Body = bytes | Path | BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A call of a real-time endpoint.

    Attributes:
        endpoint_name: The endpoint.
        body: What to send.
        content_type: What the body is.
        custom_attributes: Options that travel beside the body.
    """

    endpoint_name: str
    body: bytes
    content_type: str
    custom_attributes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedInvocation:
    """A call of an asynchronous endpoint: exactly one of `body` and `input_uri` is set.

    Attributes:
        endpoint_name: The endpoint.
        content_type: What the body is.
        body: What to send, inline.
        input_uri: s3:// address of what to send.
        invocation_timeout_s: How long the model may take, in seconds.
        inference_id: The caller's name for the invocation.
    """

    endpoint_name: str
    content_type: str
    body: bytes | None = None
    input_uri: str | None = None
    invocation_timeout_s: int | None = None
    inference_id: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """An endpoint's answer to a call that succeeded.

    Attributes:
        body: The answer's bytes.
        request_id: The service's identifier of the call.
        variant: Which production variant answered, where the service says so.
    """

    body: bytes
    request_id: str | None = None
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """Where the answer to an asynchronous invocation will appear.

    Attributes:
        inference_id: The service's name for the invocation.
        output_uri: S3 object that appears when it succeeded.
        failure_uri: S3 object that appears when it failed; None where the endpoint has none.
        request_id: The service's identifier of the call that made it.
    """

    inference_id: str
    output_uri: str
    failure_uri: str | None = None
    request_id: str | None = None


class Transport(Protocol):
    """Calls that may be lost, repeated or refused.

    Every method raises the error tree of `defectscope.errors` and nothing else, makes exactly one
    attempt (repeating is the client's business), and gives up after `timeout_s` seconds. Methods
    are called from several threads at once.
    """

    def invoke(self, call: Invocation, *, timeout_s: float) -> Reply:
        """Returns a real-time endpoint's answer."""
        ...

    def invoke_async(self, call: QueuedInvocation, *, timeout_s: float) -> Ticket:
        """Queues an invocation of an asynchronous endpoint."""
        ...

    def put(self, uri: str, body: Body, *, content_type: str, timeout_s: float) -> None:
        """Writes an object at an s3:// address."""
        ...

    def get(self, uri: str, *, timeout_s: float) -> bytes | None:
        """Returns an object's bytes, None when there is no such object."""
        ...

    def list(self, prefix: str, *, timeout_s: float) -> Iterator[tuple[str, int]]:
        """Returns the address and the size in bytes of every object under an s3:// prefix."""
        ...

    def delete(self, uri: str, *, timeout_s: float) -> None:
        """Removes an object; one that is not there counts as removed."""
        ...

    def sagemaker(
        self, operation: str, request: Mapping[str, Any], *, timeout_s: float
    ) -> dict[str, Any]:
        """Returns the answer of a SageMaker control-plane call, named as in boto3."""
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...


def split_s3(uri: str) -> tuple[str, str]:
    """Returns the bucket and the key of an s3:// address.

    Raises:
        ValueError: It is not such an address.
    """
    scheme, separator, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not separator or not bucket:
        raise ValueError(f"not an s3:// address: {uri!r}")
    return bucket, key
