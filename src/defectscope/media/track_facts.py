"""Facts of tracks as a container states them: lengths, rasters, rates, layouts, labels."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import av

from defectscope.errors import InvalidParameterError, MediaTooLongError
from defectscope.media.codecs import codec_name
from defectscope.media.lengths import Lengths
from defectscope.media.limits import Limits
from defectscope.media.listing import CAPTION_CODES
from defectscope.media.pixels import native_format
from defectscope.media.rates import Pace, nominal_rate
from defectscope.media.stream import AudioInfo, Sound, Track, VideoInfo
from defectscope.media.timecode import Timecode

_COMMON_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}


def duration_s_of(
    container: Any,
    video: Any,
    sounds: list[Sound],
    lengths: Lengths,
    limits: Limits,
    uri: str,
) -> float:
    """Returns how long an asset is in seconds, by its tracks, else by its container."""
    ends = [s.duration_s + s.start_s for s in sounds if s.duration_s is not None]
    if video is not None:
        length_s = lengths.of(video)
        ends += [] if length_s is None else [length_s]
    if not ends and container.duration is not None:
        ends = [container.duration / av.time_base]
    duration_s = max(ends, default=0.0)
    if duration_s > limits.max_duration_s:
        if lengths.stated:
            raise MediaTooLongError(
                f"{uri}: {duration_s:.0f} s is over the limit of {limits.max_duration_s:.0f} s"
            )
        # An estimate from a clock that jumped.
        return 0.0
    return duration_s


def tracks_of(
    container: Any,
    belongs: Mapping[int, int],
    reasons: Mapping[int, str],
    sounds: list[Sound],
    lengths: Lengths,
    names: Mapping[int, str],
) -> tuple[Track, ...]:
    """Returns every track with what is known of it."""
    layouts = {index: sound.audio.layout for sound in reversed(sounds) for index in sound.tracks}
    media = {"video": "video", "audio": "audio", "subtitle": "captions"}
    found: list[Track] = []
    for stream in container.streams:
        index = stream.index
        medium: Any = media.get(stream.type, "other")
        if names.get(index) in CAPTION_CODES:
            medium = "captions"
        reason = reasons.get(index, "")
        found.append(
            Track(
                index=index,
                medium=medium,
                codec=names.get(index, ""),
                declared_s=lengths.declared_s(stream),
                reason=reason,
                language=getattr(stream, "language", None),
                programme=belongs.get(index),
                layout=layouts.get(index),
            )
        )
    return tuple(found)


def described_video(
    stream: Any, rotation_deg: int, pace: Pace | None = None, first: Any = None
) -> VideoInfo:
    """Returns the facts of a video track.

    Args:
        stream: A video stream of PyAV.
        rotation_deg: How far it is to be turned.
        pace: How long its frames stay, where that was looked at.
        first: Its first frame, which tells its raster where the header does not.
    """
    context = stream.codec_context
    width, height, source_format = context.width, context.height, context.pix_fmt or "yuv420p"
    if first is not None and not (width and height):
        width, height, source_format = first.width, first.height, first.format.name
    pixel_format, bit_depth = native_format(source_format)
    layout = av.VideoFormat(pixel_format, width, height)
    has_chroma = len(layout.components) > 1
    rate, variable = nominal_rate(stream, pace)
    return VideoInfo(
        width=width,
        height=height,
        chroma_width=layout.components[1].width if has_chroma else 0,
        chroma_height=layout.components[1].height if has_chroma else 0,
        bit_depth=bit_depth,
        pixel_format=source_format,
        frame_rate=rate,
        time_base=Fraction(stream.time_base),
        codec=codec_name(context),
        rotation_deg=rotation_deg,
        full_range=int(context.color_range or 0) == 2 or source_format.startswith("yuvj"),
        variable_frame_rate=variable,
    )


def described_audio(stream: Any) -> AudioInfo:
    """Returns the facts of a sound track."""
    context = stream.codec_context
    layout = context.layout
    if any(channel.name == "NONE" for channel in layout.channels):
        # Plain PCM often does not say; then the order of ITU-R BS.2051 is what players assume.
        layout = av.AudioLayout(_COMMON_LAYOUTS.get(layout.nb_channels, str(layout.name)))
    return AudioInfo(
        rate_hz=context.rate,
        channels=tuple(channel.name for channel in layout.channels),
        layout=layout.name,
        codec=codec_name(context),
        language=stream.language,
    )


def start_timecode(container: Any, video: Any | None, info: VideoInfo | None) -> Timecode | None:
    """Returns the timecode of the first frame, None where there is none."""
    if info is None or video is None:
        return None
    tagged = [video.metadata.get("timecode"), container.metadata.get("timecode")]
    tagged += [s.metadata.get("timecode") for s in container.streams]
    for text in tagged:
        if text:
            with contextlib.suppress(InvalidParameterError):
                return Timecode.parse(text, info.frame_rate)
    return Timecode.zero(info.frame_rate)
