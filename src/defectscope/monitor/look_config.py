"""Which seconds of a channel detectors with a network look at, and where they do."""

from __future__ import annotations

from dataclasses import dataclass

from defectscope.monitor.overload import LEARNED


@dataclass(frozen=True, slots=True)
class LookConfig:
    """What networks look at.

    Attributes:
        share: Share of the programme that they look at, at most.
        before_s: From so long before what made it suspicious, seconds.
        after_s: To so long after it was noticed, seconds.
        detectors: Detectors with a network.
        endpoint: SageMaker endpoint that the seconds are sent to; empty for this process.
    """

    share: float = 0.02
    before_s: float = 4.0
    after_s: float = 2.0
    detectors: tuple[str, ...] = tuple(sorted(LEARNED))
    endpoint: str = ""
