"""Where events go beside a file: a webhook, SNS, EventBridge.

Every delivery raises when the other side has not taken the events; the output that holds it tries
again, with the same ids. Targets come from the configuration alone, never from a stream.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from defectscope.errors import InvalidParameterError, MediaUnavailableError
from defectscope.monitor.events import as_line

_TIMEOUT_S = 10.0
_BATCH_TYPE = "application/cloudevents-batch+json"
# Entries of one call. Source: Amazon EventBridge, PutEvents; Amazon SNS, PublishBatch.
_PER_CALL = 10


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A target is what the configuration says, and not where that points to."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Refuses."""
        return


class WebhookDelivery:
    """Posts batches of CloudEvents, signed as Standard Webhooks asks for.

    The receiver recomputes HMAC-SHA256 over `id.timestamp.body` with the shared secret, and drops
    events whose id it has. Source: Standard Webhooks 1.0; CloudEvents HTTP binding, batched mode.

    Args:
        name: What the output is called; its place in the store goes by it.
        url: `https://` of anybody, `http://` of this machine.
        secret: Shared with the receiver.
        now: Wall time, seconds since 1970.
    """

    def __init__(
        self, name: str, url: str, secret: str, now: Callable[[], float] = time.time
    ) -> None:
        parts = urlsplit(url)
        local = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise InvalidParameterError("a webhook is https://, or http:// on this machine")
        if not parts.hostname or len(secret) < 16:
            raise InvalidParameterError("a webhook needs a host, and a secret of 16 characters")
        self.name = name
        self._url, self._secret, self._now = url, secret.encode(), now
        # What a proxy's variables say is the operator's business; redirects are nobody's.
        self._opener = urllib.request.build_opener(_NoRedirects)

    def send(self, events: list[dict[str, Any]]) -> None:
        """Posts the events as one batch.

        Raises:
            MediaUnavailableError: The receiver did not answer with 2xx.
        """
        body = json.dumps(events, separators=(",", ":")).encode()
        batch = hashlib.sha256(" ".join(e["id"] for e in events).encode()).hexdigest()[:32]
        stamp = str(int(self._now()))
        headers = {
            "Content-Type": _BATCH_TYPE,
            "User-Agent": "defectscope-monitor",
            "webhook-id": batch,
            "webhook-timestamp": stamp,
            "webhook-signature": signature(self._secret, batch, stamp, body),
        }
        request = urllib.request.Request(self._url, body, headers, method="POST")
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                answer.read(1024)
        except urllib.error.HTTPError as error:
            error.close()
            raise MediaUnavailableError(f"{self.name}: answered {error.code}") from None
        except OSError:
            raise MediaUnavailableError(f"{self.name}: does not answer") from None


def signature(secret: bytes, batch: str, stamp: str, body: bytes) -> str:
    """Returns the signature of a delivery, `v1,` and base64 of the HMAC."""
    signed = f"{batch}.{stamp}.".encode() + body
    digest = hmac.new(secret, signed, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode("ascii")


class SnsDelivery:
    """Publishes each event to a topic, with channel, defect and state as attributes to filter by.

    A FIFO topic gets the channel as group and the event's id against duplicates.
    """

    def __init__(self, name: str, topic_arn: str, client: Any) -> None:
        self.name = name
        self._arn, self._client = topic_arn, client

    def send(self, events: list[dict[str, Any]]) -> None:
        """Publishes the events.

        Raises:
            MediaUnavailableError: The topic did not take all of them.
        """
        for first in range(0, len(events), _PER_CALL):
            entries = [self._entry(k, e) for k, e in enumerate(events[first : first + _PER_CALL])]
            answer = self._client.publish_batch(
                TopicArn=self._arn, PublishBatchRequestEntries=entries
            )
            if answer.get("Failed"):
                raise MediaUnavailableError(f"{self.name}: {len(answer['Failed'])} were refused")

    def _entry(self, number: int, event: Mapping[str, Any]) -> dict[str, Any]:
        data = event["data"]
        entry: dict[str, Any] = {
            "Id": str(number),
            "Subject": f"{data['channel']}: {data['defect']} {data['state']}"[:100],
            "Message": as_line(dict(event)),
            "MessageAttributes": {
                key: {"DataType": "String", "StringValue": str(data[key])}
                for key in ("channel", "defect", "state", "severity")
            },
        }
        if self._arn.endswith(".fifo"):
            entry |= {"MessageGroupId": data["channel"], "MessageDeduplicationId": event["id"]}
        return entry


class EventBridgeDelivery:
    """Puts each event on a bus; `detail` is the CloudEvent."""

    def __init__(self, name: str, bus: str, client: Any) -> None:
        self.name = name
        self._bus, self._client = bus, client

    def send(self, events: list[dict[str, Any]]) -> None:
        """Puts the events.

        Raises:
            MediaUnavailableError: The bus did not take all of them.
        """
        for first in range(0, len(events), _PER_CALL):
            entries = [
                {
                    "EventBusName": self._bus,
                    "Source": "org.defectscope.monitor",
                    "DetailType": f"Live alarm {event['data']['state']}",
                    "Detail": as_line(event),
                }
                for event in events[first : first + _PER_CALL]
            ]
            answer = self._client.put_events(Entries=entries)
            if answer.get("FailedEntryCount"):
                raise MediaUnavailableError(f"{self.name}: {answer['FailedEntryCount']} refused")
