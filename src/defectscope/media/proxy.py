"""A small copy of media that browsers play: every frame at its time, every channel by itself."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

from defectscope.errors import UnreadableMediaError
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Samples
from defectscope.media.opening import open_media
from defectscope.media.pixels import convert, planes_of
from defectscope.media.source import MediaLike, resolved
from defectscope.media.stream import StreamInfo, VideoInfo
from defectscope.media.writer import Writer

PROXY_HEIGHT_PX = 360
# Enough to see a finding again; what is judged by eye is judged on the media itself.
_CRF = 27.0
_AUDIO_BITS_PER_CHANNEL = 64_000
# A player that steps by frame decodes from the last random access point.
_GOP_S = 0.5
# FFmpeg's layouts of AAC by number of channels; the order of channels stays.
_LAYOUTS = ("mono", "stereo", "3.0", "4.0", "5.0", "5.1", "6.1", "7.1")
# Source: ISO/IEC 14496-3, table 1.16, sampling frequencies of AAC.
_AAC_RATES_HZ = frozenset(
    {96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350}
)


def write_proxy(media: MediaLike, path: Path) -> None:
    """Writes H.264 and AAC as MP4, 360 lines at most, on the programme's own clock.

    Frames keep their times, so that t = 0 is the first presented frame as in a report. The main
    sound is kept with up to eight channels, not mixed.

    Args:
        media: A local path, the bytes themselves, or a seekable binary file object.
        path: Where to write; replaced at once, never left half written.

    Raises:
        MediaError: The media cannot be decoded.
        InvalidParameterError: The file cannot be written.
    """
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        with resolved(media) as source, open_media(source) as reader:
            info = reader.info
            video, audio = _video(info), _audio(info)
            if video is None and audio is None:
                raise UnreadableMediaError(f"{info.uri}: there is nothing to play")
            options = {"movflags": "+faststart"}
            with Writer(partial, video=video, audio=audio, container_options=options) as writer:
                for item in reader.read():
                    if isinstance(item, Frame) and item.view == 0 and video is not None:
                        writer.write_frame(_small(item, video))
                    elif isinstance(item, Samples) and item.sound == 0 and audio is not None:
                        kept = item.data[:, : len(_LAYOUTS)]
                        writer.write_samples(Samples(item.start, kept))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _video(info: StreamInfo) -> VideoEncoding | None:
    video = info.video
    if video is None:
        return None
    width, height = _size(video)
    return VideoEncoding(
        width,
        height,
        video.frame_rate,
        time_base=video.time_base,
        crf=_CRF,
        gop_frames=max(1, round(_GOP_S * video.frame_rate)),
        b_frames=0,
        preset="ultrafast",
        full_range=video.full_range,
        rotation_deg=video.rotation_deg,
    )


def _size(video: VideoInfo) -> tuple[int, int]:
    """Even numbers, as 4:2:0 wants them."""
    share = min(Fraction(1), Fraction(PROXY_HEIGHT_PX, max(1, video.height)))
    width, height = (max(2, round(s * share / 2) * 2) for s in (video.width, video.height))
    return width, height


def _audio(info: StreamInfo) -> AudioEncoding | None:
    if info.audio is None:
        return None
    channels = min(len(info.audio.channels), len(_LAYOUTS))
    rate_hz = info.audio.rate_hz
    codec = "aac" if rate_hz in _AAC_RATES_HZ else "flac"
    rate = _AUDIO_BITS_PER_CHANNEL * channels if codec == "aac" else None
    return AudioEncoding(rate_hz, _LAYOUTS[channels - 1], codec, bit_rate=rate)


def _small(frame: Frame, encoding: VideoEncoding) -> Frame:
    native = convert(frame.native, "yuv420p", encoding.width, encoding.height)
    planes = planes_of(native, 8)
    return Frame(frame.pts, frame.duration, planes, bit_depth=8, native=native)
