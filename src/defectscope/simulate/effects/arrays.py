"""Impairs media that is already in memory: for training, for tests, for figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from defectscope.findings import Interval
from defectscope.media.frames import Frame, Plane, Samples
from defectscope.media.stream import AudioInfo, StreamInfo, VideoInfo
from defectscope.simulate.contract import AudioSimulator, Truth, VideoSimulator

# FFmpeg's default layouts by number of channels.
_LAYOUTS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: ("mono", ("FC",)),
    2: ("stereo", ("FL", "FR")),
    4: ("quad", ("FL", "FR", "BL", "BR")),
    6: ("5.1", ("FL", "FR", "FC", "LFE", "BL", "BR")),
    8: ("7.1", ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR")),
}


def channel_layout(channels: int) -> tuple[str, tuple[str, ...]]:
    """Returns FFmpeg's default layout for a number of channels: its name and its channels'."""
    if channels in _LAYOUTS:
        return _LAYOUTS[channels]
    return f"{channels} channels", tuple(f"C{i}" for i in range(channels))


def video_stream(
    width: int,
    height: int,
    frames: int,
    rate: Fraction = Fraction(25),
    *,
    bit_depth: int = 8,
    full_range: bool = False,
) -> StreamInfo:
    """Returns the facts of a silent 4:2:0 clip in memory, one tick a frame."""
    video = VideoInfo(
        width=width,
        height=height,
        chroma_width=(width + 1) // 2,
        chroma_height=(height + 1) // 2,
        bit_depth=bit_depth,
        pixel_format="yuv420p" if bit_depth == 8 else f"yuv420p{bit_depth}le",
        frame_rate=rate,
        time_base=1 / rate,
        codec="rawvideo",
        full_range=full_range,
    )
    length_s = float(frames / rate)
    return StreamInfo("memory", "memory", length_s, video, None, video_duration_s=length_s)


def audio_stream(samples: int, channels: int, rate_hz: int) -> StreamInfo:
    """Returns the facts of a sound in memory."""
    layout, names = channel_layout(channels)
    audio = AudioInfo(rate_hz, names, layout, "pcm_f32le")
    length_s = samples / rate_hz
    return StreamInfo("memory", "memory", length_s, None, audio, audio_duration_s=length_s)


def frames_from(frames: Sequence[Sequence[NDArray[Any]]], bit_depth: int = 8) -> list[Frame]:
    """Returns planes as frames, one tick apart."""
    return [
        Frame(
            pts=index,
            duration=1,
            planes=tuple(Plane(p, p.shape[1], p.shape[0]) for p in planes),
            bit_depth=bit_depth,
        )
        for index, planes in enumerate(frames)
    ]


def impair_frames(
    simulator: VideoSimulator[Any],
    frames: Sequence[Frame],
    stream: StreamInfo,
    *,
    span: Interval | None = None,
    seed: int,
    severity: float = 3.0,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[list[Frame], list[Truth]]:
    """Impairs frames in memory.

    Args:
        simulator: What to make.
        frames: Frames in order.
        stream: Their facts, for example from `video_stream`.
        span: Where; None is everywhere.
        seed: Seeds drawing and applying.
        severity: 1 to 5.
        overrides: Parameters to set by name.

    Returns:
        The impaired frames and the truth.
    """
    where = span or Interval(0.0, stream.duration_s)
    plan = simulator.plan(stream, where, seed=seed, severity=severity, overrides=overrides)
    truth: list[Truth] = []
    out = list(simulator.apply(frames, plan, truth))
    return out, truth


def impair_samples(
    simulator: AudioSimulator[Any],
    data: NDArray[np.float32],
    rate_hz: int,
    *,
    span: Interval | None = None,
    seed: int,
    severity: float = 3.0,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[NDArray[np.float32], list[Truth]]:
    """Impairs sound in memory.

    Args:
        simulator: What to make.
        data: (samples, channels) float32.
        rate_hz: Samples a second.
        span: Where; None is everywhere.
        seed: Seeds drawing and applying.
        severity: 1 to 5.
        overrides: Parameters to set by name.

    Returns:
        The impaired sound, same shape, and the truth.
    """
    stream = audio_stream(len(data), data.shape[1], rate_hz)
    where = span or Interval(0.0, stream.duration_s)
    plan = simulator.plan(stream, where, seed=seed, severity=severity, overrides=overrides)
    truth: list[Truth] = []
    runs = list(simulator.apply([Samples(0, data)], plan, truth))
    return np.concatenate([run.data for run in runs]), truth
