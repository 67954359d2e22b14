"""Has detectors with a network look at some seconds of a stream, here or on an endpoint."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, Protocol

from defectscope.findings import Finding
from defectscope.monitor.look_config import LookConfig
from defectscope.monitor.stream_clock import PACKET_BYTES

# An endpoint that is busy for longer is of no use to an alarm, seconds.
_DEADLINE_S = 60.0
# Channels of a process take turns: networks of several at once would take all of its time.
_ONE_AT_A_TIME = threading.Lock()


class Looker(Protocol):
    """Looks at some seconds of a stream."""

    def look(self, media: bytes) -> Sequence[Finding]:
        """Returns what is found in them, in seconds from their first frame.

        Raises:
            DefectscopeError: They cannot be looked at.
        """
        ...


class LocalLooker:
    """Runs the networks in this process.

    Args:
        detectors: Names.
    """

    def __init__(self, detectors: Sequence[str]) -> None:
        self._detectors = tuple(detectors)

    def look(self, media: bytes) -> Sequence[Finding]:
        """Returns what is found in them, in seconds from their first frame.

        Raises:
            DefectscopeError: They cannot be looked at.
        """
        # Loaded at the first look: most channels have none for hours.
        from defectscope.analysis import analyze

        with _ONE_AT_A_TIME:
            return analyze(media, detectors=self._detectors).findings


class EndpointLooker:
    """Sends the seconds to a SageMaker endpoint.

    Args:
        detectors: Names of those whose findings count, whatever else the endpoint serves.
        endpoint: Its name.
        client: What calls it; None makes one.
    """

    def __init__(self, detectors: Sequence[str], endpoint: str, client: Any = None) -> None:
        self._detectors, self._endpoint = frozenset(detectors), endpoint
        self._client = client

    def look(self, media: bytes) -> Sequence[Finding]:
        """Returns what is found in them, in seconds from their first frame.

        Raises:
            DefectscopeError: The endpoint did not answer, or cannot look at them.
        """
        if self._client is None:
            # Loaded at the first look: a monitor without an endpoint needs no AWS SDK.
            from defectscope.client import Client

            self._client = Client.for_endpoint(self._endpoint)
        most = self._client.settings.max_body_bytes // PACKET_BYTES * PACKET_BYTES
        # What was noticed lies at the end.
        report = self._client.analyze(media[-most:], timeout_s=_DEADLINE_S)
        return [f for f in report.findings if f.detector in self._detectors]


def looker_of(config: LookConfig) -> Looker:
    """Returns what looks."""
    if config.endpoint:
        return EndpointLooker(config.detectors, config.endpoint)
    return LocalLooker(config.detectors)
