"""What a channel begins with, and what of it is told beside alarms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from defectscope.detectors.loudness import gating
from defectscope.detectors.registry import load_all, names, not_installed
from defectscope.engine.contracts import Detector
from defectscope.measurements import Measurements
from defectscope.media.stream import StreamInfo
from defectscope.monitor.alarms import Alarm, Key
from defectscope.monitor.channel_config import ChannelConfig
from defectscope.monitor.overload import LEARNED
from defectscope.temporal.tables import column

# What is other for a channel than for a file, where nothing else is asked for. A silence shall be
# told before it is over; loudness is that of the window, which sways about that of a programme.
LIVE_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "audio_dropout": {"min_silence_s": 2.0},
    "loudness": {"tolerance_lu": 8.0},
}


def detectors_of(config: ChannelConfig) -> list[Detector]:
    """Returns the detectors that a channel's programme is measured with."""
    # Detectors with a network look at some seconds alone.
    wanted = tuple(name for name in config.detectors if name not in LEARNED)
    if not wanted:
        absent = not_installed()
        wanted = tuple(n for n in names() if n not in LEARNED and n not in absent)
    parameters = {
        name: {**LIVE_PARAMETERS.get(name, {}), **config.parameters.get(name, {})}
        for name in {*config.parameters, *(n for n in LIVE_PARAMETERS if n in wanted)}
    }
    return load_all(wanted, parameters)


def restored(data: Mapping[str, Any], now_s: float) -> Alarm:
    """Returns an alarm that was open before a restart, from its event; it may have ended since."""
    return Alarm(
        key=Key(data["detector"], data["defect"], data.get("track")),
        start_s=min(float(data["start_s"]), now_s),
        end_s=now_s,
        severity=data["severity"],
        evidence=data["evidence"],
        alarm_id=data["alarm_id"],
        is_open=True,
    )


def formats(before: StreamInfo | None, now: StreamInfo) -> dict[str, Any]:
    """Returns what the frame was, and what it is."""
    return {
        name: f"{info.video.width}x{info.video.height} {info.video.pixel_format}"
        for name, info in (("before", before), ("now", now))
        if info is not None and info.video is not None
    }


def loudness_of(measured: Measurements) -> dict[str, float]:
    """Returns momentary and short-term loudness of the last moments of the main sound, LUFS."""
    energy = column(measured.tables["blocks"], "energy")
    scales = {"momentary_lufs": gating.momentary, "short_term_lufs": gating.short_term}
    found: dict[str, float] = {}
    for name, windows in scales.items():
        latest = windows(energy)[-1:]
        if len(latest):
            found[name] = round(float(gating.lufs(latest)[0]), 1)
    return found
