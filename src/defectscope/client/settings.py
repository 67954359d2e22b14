"""A client's settings: arguments first, then the environment, then these defaults."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from defectscope.errors import UsageError

# Tags that `create_endpoint` writes and `Client.for_endpoint` reads: one setting for time-outs
# and one for body size reach the server, the container, the job and the caller alike.
TIMEOUT_TAG = "defectscope:timeout_s"
MAX_BODY_TAG = "defectscope:max_body_bytes"
STAGING_TAG = "defectscope:staging_uri"


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """Limits and places that every call of a client keeps to.

    Attributes:
        timeout_s: Longest wait for the answer to one attempt, in seconds. A little more than the
            60 s that SageMaker gives a container, so that its own message arrives.
            Source: Amazon SageMaker API reference, InvokeEndpoint.
        max_body_bytes: Bodies above this go through S3.
            Source: botocore's service model of InvokeEndpoint (6 MiB).
        upload_timeout_s: Longest wait for one attempt at an upload.
        staging_uri: s3:// prefix for what is too large for a body; None for no such place.
        segment_s: Media at an address is analyzed in intervals of this many seconds of programme
            when the endpoint is a real-time one; 0 analyzes it in one call.
        concurrency: Calls in flight at once, within one film or over many.
    """

    timeout_s: float = 65.0
    max_body_bytes: int = 6 * 1024 * 1024
    upload_timeout_s: float = 900.0
    staging_uri: str | None = None
    segment_s: float = 60.0
    concurrency: int = 4

    def __post_init__(self) -> None:
        if self.timeout_s <= 0 or self.upload_timeout_s <= 0:
            raise UsageError("time-outs must be positive")
        if self.max_body_bytes < 1 or self.concurrency < 1 or self.segment_s < 0:
            raise UsageError(
                "max_body_bytes and concurrency must be positive, segment_s not below 0"
            )
        if self.staging_uri is not None and not self.staging_uri.startswith("s3://"):
            raise UsageError("staging_uri is an s3:// prefix")


def settings(given: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> ClientSettings:
    """Returns the settings in force.

    Reads DEFECTSCOPE_TIMEOUT_S, DEFECTSCOPE_MAX_BODY_BYTES and DEFECTSCOPE_STAGING_URI for what
    was not given (or given as None).

    Raises:
        UsageError: A value makes no sense.
    """
    chosen: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    for name, variable, kind in (
        ("timeout_s", "DEFECTSCOPE_TIMEOUT_S", float),
        ("max_body_bytes", "DEFECTSCOPE_MAX_BODY_BYTES", int),
        ("staging_uri", "DEFECTSCOPE_STAGING_URI", str),
    ):
        text = environ.get(variable)
        if name not in chosen and text:
            try:
                chosen[name] = kind(text)
            except ValueError:
                raise UsageError(f"{variable}={text!r} is no number") from None
    return ClientSettings(**chosen)


def deployed_with(tags: Mapping[str, str]) -> dict[str, Any]:
    """Returns the settings that an endpoint's tags tell.

    Args:
        tags: The endpoint's tags; others are left alone.
    """
    found: dict[str, Any] = {}
    if TIMEOUT_TAG in tags:
        # The container's own limit comes first, so that its message arrives.
        found["timeout_s"] = float(tags[TIMEOUT_TAG]) + 5.0
    if MAX_BODY_TAG in tags:
        found["max_body_bytes"] = int(tags[MAX_BODY_TAG])
    if STAGING_TAG in tags:
        found["staging_uri"] = tags[STAGING_TAG]
    return found
