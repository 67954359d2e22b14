"""The limits and times that SageMaker on this machine keeps, in one place."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from defectscope.errors import InvalidParameterError

ACCOUNT_ID = "123456789012"
"""The account that everything local belongs to; moto uses the same one."""

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """Limits of the local SageMaker; the defaults are AWS's where AWS documents one.

    Attributes:
        region: Region of requests that carry no signature.
        realtime_body_bytes: Largest body of an invocation and of its answer.
            Source: API_runtime_InvokeEndpoint, Body: 6,291,456 bytes.
        serverless_body_bytes: The same on serverless variants.
            Source: serverless-endpoints page, "4 MB".
        async_body_bytes: Largest input object of an asynchronous invocation.
            Source: async-inference page, "1 GB".
        async_inline_body_bytes: Largest body sent with an asynchronous invocation itself.
            Source: botocore's model of InvokeEndpointAsync.
        realtime_timeout_s: A model must answer an invocation within this time.
            Source: API_runtime_InvokeEndpoint, "60 seconds".
        concurrent_invocations: Invocations in flight per instance; above it 503 is answered.
        max_connections: Open connections; above it new ones get 503 at once.
        idle_timeout_s: A connection that sends nothing for so long is closed.
        start_timeout_s: How long TorchServe may take to load a model.
        drain_s: How long a replaced or deleted server may finish what is in flight.
        heap_mb: Java heap of each TorchServe.
        moto_address: `127.0.0.1:port` of a moto server to use; buckets, models and configurations
            then outlive this process, endpoints and jobs do not. One is started if left out.
    """

    region: str = DEFAULT_REGION
    realtime_body_bytes: int = 6_291_456
    serverless_body_bytes: int = 4 * 1024 * 1024
    async_body_bytes: int = 1024**3
    async_inline_body_bytes: int = 128_000
    realtime_timeout_s: float = 60.0
    concurrent_invocations: int = 64
    max_connections: int = 256
    idle_timeout_s: float = 65.0
    start_timeout_s: float = 300.0
    drain_s: float = 10.0
    heap_mb: int = 1024
    moto_address: str | None = None

    def to_json(self) -> str:
        """Returns the settings as JSON, for the supervisor's command line."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> LocalSettings:
        """Reads what `to_json` wrote.

        Raises:
            InvalidParameterError: The text is no JSON object or names an unknown setting.
        """
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise InvalidParameterError(f"local settings: {error}") from None


def arn(region: str, kind: str, name: str) -> str:
    """Returns the ARN of a SageMaker resource, for example of kind `endpoint`."""
    return f"arn:aws:sagemaker:{region}:{ACCOUNT_ID}:{kind}/{name.lower()}"
