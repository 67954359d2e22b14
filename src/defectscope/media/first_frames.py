"""Which tracks can be decoded, why the others cannot, and the first frame that decodes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import av.error

from defectscope.errors import TooManyPixelsError
from defectscope.media.limits import Limits
from defectscope.media.listing import CAPTION_CODES, is_cover, is_decodable
from defectscope.media.tracks import NO_CHANNELS, NO_FRAME, NO_RATE, WRONG_RATE

# A stream of this many packets without a frame is not going to give one.
_MAX_PACKETS_PROBED = 20_000
# No recorder works outside 1 to 768 kHz: anything else is a damaged header.
_RATES_HZ = (1_000, 768_000)


def video_stream(container: Any) -> Any | None:
    """Returns the first video stream that is moving video, None without one."""
    streams = [s for s in container.streams.video if is_decodable(s) and not is_cover(s)]
    return streams[0] if streams else None


def undecodable(container: Any, names: Mapping[int, str]) -> dict[int, str]:
    """Why tracks cannot be evaluated, by index."""
    reasons: dict[int, str] = {}
    for stream in container.streams:
        captions = stream.type == "subtitle" or names.get(stream.index) in CAPTION_CODES
        if stream.type not in ("video", "audio") and not captions:
            reasons[stream.index] = "holds neither video, sound nor captions"
        elif not is_decodable(stream):
            name = names.get(stream.index, "")
            reasons[stream.index] = f"no decoder for {name!r}" if name else "codec not known"
        elif stream.type == "video" and is_cover(stream):
            reasons[stream.index] = "a cover picture"
        elif stream.type == "audio" and not stream.codec_context.rate:
            reasons[stream.index] = NO_RATE
        elif stream.type == "audio" and not _RATES_HZ[0] <= stream.rate <= _RATES_HZ[1]:
            reasons[stream.index] = f"{WRONG_RATE} {stream.rate} Hz"
        elif stream.type == "audio" and not stream.codec_context.layout.nb_channels:
            reasons[stream.index] = NO_CHANNELS
    return reasons


def first_decodable(
    opened: Callable[[], Any],
    videos: list[int],
    uri: str,
    limits: Limits,
    reasons: dict[int, str],
) -> tuple[int | None, Any]:
    """Returns the first of some video tracks that a frame decodes from, and that frame."""
    for index in videos:
        container = opened()
        try:
            stream = container.streams[index]
            context = stream.codec_context
            if context.width * context.height > limits.max_pixels:
                raise TooManyPixelsError(
                    f"{uri}: {context.width}x{context.height} is over {limits.max_pixels} pixels"
                )
            frame = first_frame(container, stream)
            if frame is not None and frame.width * frame.height > limits.max_pixels:
                # The header said less, or nothing.
                raise TooManyPixelsError(
                    f"{uri}: {frame.width}x{frame.height} is over {limits.max_pixels} pixels"
                )
            if frame is not None and context.width and context.height:
                return index, frame
            reasons[index] = NO_FRAME
        finally:
            container.close()
    return None, None


def first_frame(container: Any, stream: Any) -> Any | None:
    """Returns the first presented frame by decoding it, None if nothing decodes.

    The container's start time is not enough: it may be a decoding time or precede frames that
    cannot be shown.
    """
    stream.codec_context.thread_count = 1
    try:
        for number, packet in enumerate(container.demux(stream)):
            with contextlib.suppress(av.error.FFmpegError, ValueError):
                for frame in packet.decode():
                    return frame
            if number > _MAX_PACKETS_PROBED:
                break
    except av.error.FFmpegError:
        pass
    return None
