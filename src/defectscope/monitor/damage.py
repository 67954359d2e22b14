"""What damage on the way explains: a torn frame in a lossy stream is the loss, told once.

A defect of its own, a long black or a silence, is told whatever the network does.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from defectscope.findings import Finding

# How long these must last to be no consequence of damage, seconds; nothing else survives it.
_OWN_S = {
    "black_frames": 1.0,
    "freeze": 2.0,
    "audio_dropout": 1.5,
    "test_pattern": 2.0,
    "loudness": 0.0,
    "phase_inversion": 2.0,
    "mono_collapse": 2.0,
    "channel_imbalance": 2.0,
    "channel_missing": 2.0,
}
# Share of a finding that lies in damage.
_SHARE = 0.5
# What lies so near to damage is part of it: detectors see some programme before and after.
_MARGIN_S = 1.5
_MAX_SPANS = 256


class Damage:
    """Spans of programme that were damaged on the way."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float]] = deque(maxlen=_MAX_SPANS)
        self._lock = threading.Lock()

    def add(self, start_s: float, end_s: float) -> None:
        """Notes a damaged span, programme seconds."""
        with self._lock:
            if self._spans and start_s <= self._spans[-1][1]:
                first_s, last_s = self._spans.pop()
                start_s, end_s = min(first_s, start_s), max(last_s, end_s)
            self._spans.append((start_s, end_s))

    def explains(self, finding: Finding) -> bool:
        """Tells whether a finding is a consequence of damage."""
        length_s = finding.end_s - finding.start_s
        if length_s >= _OWN_S.get(finding.defect, float("inf")):
            return False
        start_s, end_s = finding.start_s - _MARGIN_S, finding.end_s + _MARGIN_S
        with self._lock:
            touched_s = sum(max(0.0, min(b, end_s) - max(a, start_s)) for a, b in self._spans)
        return touched_s > 0.0 and touched_s >= _SHARE * length_s

    def left(self, findings: Sequence[Finding]) -> list[Finding]:
        """Returns the findings that damage does not explain."""
        return [f for f in findings if not self.explains(f)]
