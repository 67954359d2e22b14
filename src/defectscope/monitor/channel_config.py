"""What is watched and how: one channel's part of channels.toml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from defectscope.monitor.alarms import Patience
from defectscope.monitor.clips import ClipConfig
from defectscope.monitor.look_config import LookConfig
from defectscope.monitor.session import Pace


@dataclass(frozen=True, slots=True)
class ChannelConfig:
    """What is watched and how.

    Attributes:
        name: What it is called, on every output.
        url: Where it comes from.
        detectors: Names; empty for all that need no network.
        parameters: Parameters to replace, by detector.
        patience: How long a defect must last and be gone, by defect; `default` for others.
        pace: How often is decided, and over how much.
        idle_s: A source that gives nothing for so long is gone, seconds.
        format: Lines and frames a second that a plan counts with, `1080p25`.
        clips: Which seconds around alarms are kept; None for none.
        looks: What detectors with a network look at; None for nothing.
    """

    name: str
    url: str
    detectors: tuple[str, ...] = ()
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Any])
    patience: Mapping[str, Patience] = field(default_factory=dict[str, Patience])
    pace: Pace = field(default_factory=Pace)
    idle_s: float = 1.0
    format: str = "1080p25"
    clips: ClipConfig | None = None
    looks: LookConfig | None = None
