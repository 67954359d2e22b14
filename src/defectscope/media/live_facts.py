"""Facts of a live source, as its first decoded frame and its tracks tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from defectscope.errors import TooManyPixelsError
from defectscope.media.captions.caption_bytes import carries_captions
from defectscope.media.lengths import Lengths
from defectscope.media.limits import Limits
from defectscope.media.listing import codec_names, is_decodable
from defectscope.media.sounds import SoundTrack, group
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.media.timecode import Timecode
from defectscope.media.track_facts import described_audio, described_video, tracks_of


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known where a reader begins.

    Attributes:
        info: The stream.
        origin_s: The stream's own time of t = 0.
        shape: Width, height and pixel format of the main video; None without one.
        audios: Facts of every sound track, by track.
    """

    info: StreamInfo
    origin_s: Fraction
    shape: tuple[int, int, str] | None
    audios: Mapping[int, AudioInfo]


def shape_of(native: Any) -> tuple[int, int, str]:
    """Returns what a reader takes for one format of video."""
    return native.width, native.height, native.format.name


def facts_of(container: Any, main: Any, first: Any, name: str, limits: Limits) -> Facts:
    """Returns the facts of a source from where its first frame is presented.

    Args:
        container: The opened container.
        main: Its main video stream, None where there is none.
        first: The first decoded frame of that, or the first run of sound.
        name: What the source is called.
        limits: Bounds on the raster.

    Raises:
        TooManyPixelsError: The frame is larger than the limit.
    """
    origin_s = Fraction(first.pts or 0) * Fraction(first.time_base)
    video = None
    if main is not None:
        if first.width * first.height > limits.max_pixels:
            raise TooManyPixelsError(
                f"{name}: {first.width}x{first.height} is over {limits.max_pixels} pixels"
            )
        video = described_video(main, 0)
    sounding = [s for s in container.streams.audio if is_decodable(s) and s.codec_context.rate]
    # Where sound begins against the frame depends on where the reader came in.
    tracks = [SoundTrack(s.index, described_audio(s), 0.0, None) for s in sounding]
    sounds = group(tracks) if tracks else []
    subtitles = [s for s in container.streams if s.type == "subtitle"]
    info = StreamInfo(
        uri=name,
        container=container.format.name,
        duration_s=0.0,
        video=video,
        audio=sounds[0].audio if sounds else None,
        video_start_s=float(origin_s),
        start_timecode=None if video is None else Timecode.zero(video.frame_rate),
        has_captions=bool(subtitles),
        has_bitmap_captions=main is not None and carries_captions(first),
        tracks=tracks_of(
            container, {}, {}, sounds, Lengths(stated=False), codec_names(container, b"")
        ),
        sounds=tuple(sounds),
        video_track=None if main is None else main.index,
        declares_length=False,
    )
    audios = {track.index: track.audio for track in tracks}
    return Facts(info, origin_s, None if main is None else shape_of(first), audios)
