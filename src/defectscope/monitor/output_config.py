"""The `[[output]]` tables of channels.toml: where events go, and with which secrets.

[[output]]
type = "webhook"
url = "https://alarms.example.org/defectscope"
secret_env = "ALARM_SECRET"          # the name of a variable, never the secret itself

[[output]]
type = "sns"
topic_arn = "arn:aws:sns:eu-central-1:123456789012:alarms"

[[output]]
type = "eventbridge"
bus = "default"
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from defectscope.errors import InvalidParameterError
from defectscope.monitor.deliveries import (
    EventBridgeDelivery,
    SnsDelivery,
    WebhookDelivery,
)
from defectscope.monitor.outputs import Delivery

# What each kind needs and may have, beside `type` and `name`.
KEYS: Mapping[str, tuple[str, ...]] = {
    "webhook": ("url", "secret_env"),
    "sns": ("topic_arn",),
    "eventbridge": ("bus",),
}


@dataclass(frozen=True, slots=True)
class OutputConfig:
    """One output.

    Attributes:
        kind: `webhook`, `sns` or `eventbridge`.
        name: What it is called; its place in the stored events goes by it.
        values: What its kind needs.
    """

    kind: str
    name: str
    values: Mapping[str, str]


def delivery_of(config: OutputConfig) -> Delivery:
    """Returns what delivers to an output.

    Raises:
        InvalidParameterError: A secret is missing, or the target is none.
    """
    values = config.values
    if config.kind == "webhook":
        variable = values["secret_env"]
        secret = os.environ.get(variable, "")
        if not secret:
            raise InvalidParameterError(f"output {config.name}: the variable {variable} is not set")
        return WebhookDelivery(config.name, values["url"], secret)
    region = _region(values)
    if config.kind == "sns":
        return SnsDelivery(config.name, values["topic_arn"], _client("sns", region))
    return EventBridgeDelivery(config.name, values["bus"], _client("events", region))


def _region(values: Mapping[str, str]) -> str | None:
    """The region that an ARN names."""
    arn = values.get("topic_arn") or values.get("bus", "")
    parts = arn.split(":")
    return parts[3] if len(parts) > 4 and parts[0] == "arn" and parts[3] else None


def _client(service: Any, region: str | None) -> Any:
    # Loaded here: events on standard output need no AWS SDK.
    import boto3

    return boto3.client(service, region_name=region)
