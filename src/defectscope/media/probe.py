"""Reads from a container what must be known before decoding a part of it."""

from __future__ import annotations

import contextlib
from fractions import Fraction
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition

from defectscope.errors import InvalidParameterError, MediaTooLongError, TooManyPixelsError
from defectscope.media.captions.picture_data import carries_captions
from defectscope.media.limits import Limits
from defectscope.media.pixels import native_format
from defectscope.media.stream import AudioInfo, StreamInfo, VideoInfo
from defectscope.media.timecode import Timecode

_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_FALLBACK_RATE = Fraction(25)
# A nominal rate above this is a time base mistaken for a rate.
_MAX_RATE = 1000
# Cover art and other stills that pretend to be video.
_STILL_CODECS = {"mjpeg", "png", "gif", "bmp", "webp"}


def video_stream(container: InputContainer) -> Any | None:
    """Gives the first video stream that is moving pictures, None without one."""
    for stream in container.streams.video:
        context: Any = stream.codec_context
        if context is None:
            # FFmpeg knows no decoder for it.
            continue
        attached = bool(stream.disposition & Disposition.attached_pic)
        still = context.name in _STILL_CODECS and stream.frames == 1
        if not attached and not still:
            return stream
    return None


def audio_stream(container: InputContainer) -> Any | None:
    """Gives the default sound track, else the first, None without one."""
    streams = [s for s in container.streams.audio if s.codec_context and s.codec_context.name]
    for stream in streams:
        if stream.disposition & Disposition.default:
            return stream
    return streams[0] if streams else None


def first_frame(container: InputContainer, stream: Any) -> av.VideoFrame | None:
    """Gives the first presented frame by decoding it, None if nothing decodes.

    The container's start time is not enough: it may be a decoding time or precede frames that
    cannot be shown.
    """
    try:
        for packet in container.demux(stream):
            with contextlib.suppress(av.error.FFmpegError):
                for frame in packet.decode():
                    if frame.pts is not None:
                        return frame
    except av.error.FFmpegError:
        pass
    return None


def describe(
    container: InputContainer, uri: str, limits: Limits, *, has_captions: bool
) -> tuple[StreamInfo, int]:
    """Gives the stream facts and the PTS of t = 0 in the video's (else the sound's) time base.

    Leaves the container rewound.

    Raises:
        TooManyPixelsError: The picture is larger than the limit.
        MediaTooLongError: The programme is longer than the limit.
    """
    video, audio = video_stream(container), audio_stream(container)
    origin = 0
    in_picture = False
    video_info = None
    if video is not None:
        context = video.codec_context
        if context.width * context.height > limits.max_pixels:
            raise TooManyPixelsError(
                f"{uri}: {context.width}x{context.height} is over {limits.max_pixels} pixels"
            )
        first = first_frame(container, video)
        _rewind(container)
        if first is None or not context.width or not context.height:
            video = None
        else:
            origin = first.pts or 0
            in_picture = carries_captions(first)
            video_info = _video_info(video, rotation_deg=-first.rotation % 360)
    audio_info = _audio_info(audio) if audio is not None and audio.codec_context.rate else None
    if video is None and audio is not None:
        origin = audio.start_time or 0
    clock = video if video is not None else audio
    origin_s = Fraction(origin) * clock.time_base if clock is not None else Fraction(0)
    lengths = {s: _duration_s(s) for s in (video, audio) if s is not None}
    audio_start_s = 0.0
    if audio is not None and audio.start_time is not None:
        audio_start_s = float(audio.start_time * audio.time_base - origin_s)
    ends = [
        length + (audio_start_s if s is audio else 0.0)
        for s, length in lengths.items()
        if length is not None
    ]
    if not ends and container.duration is not None:
        ends = [container.duration / av.time_base]
    duration_s = max(ends, default=0.0)
    if duration_s > limits.max_duration_s:
        raise MediaTooLongError(
            f"{uri}: {duration_s:.0f} s is over the limit of {limits.max_duration_s:.0f} s"
        )
    info = StreamInfo(
        uri=uri,
        container=container.format.name,
        duration_s=duration_s,
        video=video_info,
        audio=audio_info,
        video_start_s=float(origin_s) if video is not None else 0.0,
        audio_start_s=audio_start_s,
        video_duration_s=lengths.get(video) if video is not None else None,
        audio_duration_s=lengths.get(audio) if audio is not None else None,
        start_timecode=_start_timecode(container, video, video_info),
        has_captions=has_captions or any(s.type == "subtitle" for s in container.streams),
        has_picture_captions=in_picture,
    )
    return info, origin


def _rewind(container: InputContainer) -> None:
    """Back to the start; raw streams without an index cannot seek by time but restart at 0."""
    with contextlib.suppress(av.error.FFmpegError):
        container.seek(-(2**62), backward=False, any_frame=False)
        return
    with contextlib.suppress(av.error.FFmpegError):
        container.seek(0)


def _video_info(stream: Any, rotation_deg: int) -> VideoInfo:
    context = stream.codec_context
    source_format = context.pix_fmt or "yuv420p"
    pixel_format, bit_depth = native_format(source_format)
    layout = av.VideoFormat(pixel_format, context.width, context.height)
    has_chroma = len(layout.components) > 1
    rate = _nominal_rate(stream)
    average = stream.average_rate
    return VideoInfo(
        width=context.width,
        height=context.height,
        chroma_width=layout.components[1].width if has_chroma else 0,
        chroma_height=layout.components[1].height if has_chroma else 0,
        bit_depth=bit_depth,
        pixel_format=source_format,
        frame_rate=rate,
        time_base=Fraction(stream.time_base),
        codec=context.name,
        rotation_deg=rotation_deg,
        full_range=int(context.color_range or 0) == 2 or source_format.startswith("yuvj"),
        variable_frame_rate=bool(average) and abs(average / rate - 1) > Fraction(1, 1000),
    )


def _nominal_rate(stream: Any) -> Fraction:
    for rate in (stream.guessed_rate, stream.average_rate, stream.base_rate):
        if rate and 0 < rate <= _MAX_RATE:
            return Fraction(rate)
    return _FALLBACK_RATE


def _audio_info(stream: Any) -> AudioInfo:
    context = stream.codec_context
    layout = context.layout
    if any(channel.name == "NONE" for channel in layout.channels):
        # Plain PCM often does not say; then the order of ITU-R BS.2051 is what players assume.
        layout = av.AudioLayout(_USUAL_LAYOUTS.get(layout.nb_channels, str(layout.name)))
    return AudioInfo(
        rate_hz=context.rate,
        channels=tuple(channel.name for channel in layout.channels),
        layout=layout.name,
        codec=context.name,
        language=stream.language,
    )


def _duration_s(stream: Any) -> float | None:
    if stream.duration is None or stream.duration <= 0:
        return None
    return float(stream.duration * stream.time_base)


def _start_timecode(
    container: InputContainer, video: Any | None, info: VideoInfo | None
) -> Timecode | None:
    if info is None or video is None:
        return None
    tagged = [video.metadata.get("timecode"), container.metadata.get("timecode")]
    tagged += [s.metadata.get("timecode") for s in container.streams]
    for text in tagged:
        if text:
            with contextlib.suppress(InvalidParameterError):
                return Timecode.parse(text, info.frame_rate)
    return Timecode.zero(info.frame_rate)
