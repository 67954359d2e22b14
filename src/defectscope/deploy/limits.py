"""One setting for time and one for size, and every place that has to know them.

SageMaker, the container, TorchServe, a transform job and the client each keep a limit of their
own; when they disagree the smallest one wins, with the least helpful message. So all of them are
derived here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from defectscope.client.settings import MAX_BODY_TAG, TIMEOUT_TAG
from defectscope.errors import InvalidParameterError

Kind = Literal["realtime", "serverless", "async", "batch"]

# Source: Amazon SageMaker API reference and developer guide. Seconds: InvokeEndpoint (60),
# InvokeEndpointAsync and ModelClientConfig (3600). Bytes: botocore's model of InvokeEndpoint
# (6 MiB), serverless endpoints (4 MB), asynchronous inference (1 GB), MaxPayloadInMB (100).
LONGEST_S: dict[Kind, int] = {"realtime": 60, "serverless": 60, "async": 3600, "batch": 3600}
LARGEST_BYTES: dict[Kind, int] = {
    "realtime": 6 * 1024 * 1024,
    "serverless": 4 * 1024 * 1024,
    "async": 1024**3,
    "batch": 100 * 1024 * 1024,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How long one answer may take and how large one body may be.

    Attributes:
        kind: What the limits are for; decides what SageMaker itself allows.
        timeout_s: Seconds for one answer.
        max_body_bytes: Largest request and response.
    """

    kind: Kind
    timeout_s: int
    max_body_bytes: int

    @classmethod
    def of(
        cls, kind: Kind, *, timeout_s: int | None = None, max_body_bytes: int | None = None
    ) -> Limits:
        """Returns the limits of a kind of deployment, SageMaker's own where none are given.

        Raises:
            InvalidParameterError: A limit is above what SageMaker allows, or not positive.
        """
        chosen_s = LONGEST_S[kind] if timeout_s is None else timeout_s
        chosen_bytes = LARGEST_BYTES[kind] if max_body_bytes is None else max_body_bytes
        if not 1 <= chosen_s <= LONGEST_S[kind]:
            raise InvalidParameterError(
                f"timeout_s is 1 to {LONGEST_S[kind]} for {kind}, not {chosen_s}"
            )
        if not 1 <= chosen_bytes <= LARGEST_BYTES[kind]:
            raise InvalidParameterError(
                f"max_body_bytes is 1 to {LARGEST_BYTES[kind]:,} for {kind}, not {chosen_bytes:,}"
            )
        return cls(kind, chosen_s, chosen_bytes)

    def environment(self) -> dict[str, str]:
        """Returns the container's environment: the worker, TorchServe and AWS's own image."""
        # The worker ends an analysis before anything around it gives up, so that the answer
        # names the limit instead of a broken connection.
        inner_s = max(1, self.timeout_s - max(1, self.timeout_s // 20))
        return {
            "DEFECTSCOPE_TIME_LIMIT_S": str(inner_s),
            "DEFECTSCOPE_MAX_BODY_BYTES": str(self.max_body_bytes),
            "TS_DEFAULT_RESPONSE_TIMEOUT": str(self.timeout_s),
            "TS_MAX_REQUEST_SIZE": str(self.max_body_bytes),
            "TS_MAX_RESPONSE_SIZE": str(self.max_body_bytes),
            "SAGEMAKER_MODEL_SERVER_TIMEOUT": str(self.timeout_s),
        }

    def tags(self) -> dict[str, str]:
        """Returns the tags from which `Client.for_endpoint` takes its own limits."""
        return {TIMEOUT_TAG: str(self.timeout_s), MAX_BODY_TAG: str(self.max_body_bytes)}

    @property
    def max_payload_mb(self) -> int:
        """The size as a transform job states it, in whole MB."""
        return max(1, self.max_body_bytes // (1024 * 1024))
