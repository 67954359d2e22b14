"""Takes payloads from players, within bounds, and keeps them as lines of JSON."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from defectscope.errors import DefectscopeError
from defectscope.player.payload import MAX_BYTES, parse

_WINDOW_S = 60.0
_SESSIONS_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a payload was taken.

    Attributes:
        status: HTTP status: 204 taken, 202 in part, 400 bad, 403 origin, 413 size, 429 rate.
        refused: Why it, or findings of it, were refused.
    """

    status: int
    refused: tuple[str, ...] = ()


class Collector:
    """Checks payloads and hands each that passes to `keep` as one line of JSON.

    Args:
        keep: Called with a line, without its line feed.
        origins: Origins that may send; None lets all.
        most_per_minute: Payloads that one session may send in a minute.
        most_findings: Findings that one session may send altogether.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        keep: Callable[[str], None],
        *,
        origins: Collection[str] | None = None,
        most_per_minute: int = 12,
        most_findings: int = 400,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keep = keep
        self._origins = origins
        self._most_per_minute = most_per_minute
        self._most_findings = most_findings
        self._clock = clock
        # Of each session: when its minute began, payloads in it, findings altogether.
        self._sessions: OrderedDict[str, tuple[float, int, int]] = OrderedDict()

    def take(self, body: bytes, origin: str | None = None) -> Outcome:
        """Takes one payload.

        Args:
            body: What was posted.
            origin: Its `Origin` header.
        """
        if self._origins is not None and origin not in self._origins:
            return Outcome(403, ("this origin is not listed",))
        if len(body) > MAX_BYTES:
            return Outcome(413, (f"a payload has at most {MAX_BYTES} bytes",))
        try:
            batch = parse(body)
        except DefectscopeError as error:
            return Outcome(400, (str(error),))
        since, payloads, findings = self._sessions.pop(batch.session, (self._clock(), 0, 0))
        if self._clock() - since >= _WINDOW_S:
            since, payloads = self._clock(), 0
        room = max(0, self._most_findings - findings)
        kept = replace(batch, findings=batch.findings[:room])
        refused = batch.refused
        if len(kept.findings) < len(batch.findings):
            refused = (*refused, f"a session sends at most {self._most_findings} findings")
        allowed = payloads < self._most_per_minute
        taken = len(kept.findings) if allowed else 0
        self._sessions[batch.session] = (since, payloads + 1, findings + taken)
        if len(self._sessions) > _SESSIONS_KEPT:
            self._sessions.popitem(last=False)
        if not allowed:
            return Outcome(429, (f"at most {self._most_per_minute} payloads a minute",))
        line: dict[str, Any] = asdict(kept) | {"received": datetime.now(UTC).isoformat()}
        del line["refused"]
        self._keep(json.dumps(line, separators=(",", ":"), sort_keys=True))
        return Outcome(202 if refused else 204, refused)
