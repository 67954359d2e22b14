"""What a caller can watch: one event per attempt, repetition and end of a call."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

log = logging.getLogger("defectscope.client")

EventKind = Literal["attempt", "retry", "success", "failure"]


@dataclass(frozen=True, slots=True)
class CallEvent:
    """Something that happened to a call; made for metrics, free of media and credentials.

    Attributes:
        kind: `attempt` (about to be made), `retry` (failed, will be repeated after `wait_s`),
            `success` or `failure` (the end of the call).
        operation: `invoke`, `invoke_async`, `put`, `get`, `list`, `delete` or a SageMaker
            operation's name.
        target: Endpoint name or s3:// address.
        attempt: 1 for the first attempt.
        wall_s: Seconds since the call began.
        sent_bytes: Size of the body, where it is known.
        received_bytes: Size of the answer, on success.
        request_id: The service's identifier, where there is one.
        error_code: Code of the error tree, on `retry` and `failure`.
        wait_s: Seconds until the repetition, on `retry`.
    """

    kind: EventKind
    operation: str
    target: str
    attempt: int
    wall_s: float
    sent_bytes: int | None = None
    received_bytes: int | None = None
    request_id: str | None = None
    error_code: str | None = None
    wait_s: float | None = None


Hook = Callable[[CallEvent], None]


def log_event(event: CallEvent) -> None:
    """Logs an event to `defectscope.client`: retries and failures as warnings, else as debug."""
    level = logging.WARNING if event.kind in ("retry", "failure") else logging.DEBUG
    if not log.isEnabledFor(level):
        return
    log.log(
        level,
        "%s %s %s attempt=%d wall_s=%.3f request_id=%s error=%s wait_s=%s",
        event.kind,
        event.operation,
        event.target,
        event.attempt,
        event.wall_s,
        event.request_id,
        event.error_code,
        None if event.wait_s is None else round(event.wait_s, 3),
    )
