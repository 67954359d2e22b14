"""Reads from a container what must be known before decoding a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from av.stream import Disposition

from defectscope.errors import InvalidParameterError
from defectscope.media.captions.caption_bytes import carries_captions
from defectscope.media.facts import container_facts
from defectscope.media.first_frames import first_decodable, undecodable
from defectscope.media.lengths import Lengths, stated_lengths
from defectscope.media.limits import Limits
from defectscope.media.listing import codec_names
from defectscope.media.protection import protected
from defectscope.media.rates import Pace, pace_of
from defectscope.media.sounds import SoundTrack, group
from defectscope.media.stream import Sound, StreamInfo, View
from defectscope.media.track_facts import (
    described_audio,
    described_video,
    duration_s_of,
    start_timecode,
    tracks_of,
)
from defectscope.media.tracks import NO_FRAME, NO_RATE, SCRAMBLED

# Services beside the programme: they are never channels of its sound.
_SERVICES = ("comment", "visual_impaired", "hearing_impaired", "dub", "karaoke", "descriptions")
_WITHOUT_CONTENT = (NO_FRAME, NO_RATE, SCRAMBLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What to look at where a container holds more than one programme.

    Attributes:
        audio_layout: Which channels are heard together, `5.1=1-6,stereo=7,8`; None guesses.
        programme: Number of the programme of a transport stream; None takes the frame's.
    """

    audio_layout: str | None = None
    programme: int | None = None


@dataclass(frozen=True, slots=True)
class Probed:
    """What probing found.

    Attributes:
        info: The facts.
        origin_s: The container's own time of t = 0.
        untimed: Frames carry no time stamps: they are counted at the nominal rate.
    """

    info: StreamInfo
    origin_s: Fraction
    untimed: bool = False


def probe(
    container: Any,
    opened: Callable[[], Any],
    uri: str,
    limits: Limits,
    *,
    has_captions: bool,
    choice: Choice,
    programmes: Mapping[int, frozenset[int]],
    head: bytes,
) -> Probed:
    """Learns what is in a container.

    Args:
        container: The container, open; nothing is read from it.
        opened: Opens it anew.
        uri: The name to report.
        limits: Bounds on size.
        has_captions: There are captions beside the file.
        choice: What to look at.
        programmes: Stream identifiers of each programme of a transport stream.
        head: The beginning of the file.

    Raises:
        InvalidParameterError: There is no such programme, or the layout makes no sense.
        TooManyPixelsError: The frame is larger than the limit.
        MediaTooLongError: The programme is longer than the limit.
    """
    names = codec_names(container, head)
    reasons = undecodable(container, names) | protected(container, opened, head)
    videos = [s.index for s in container.streams.video if s.index not in reasons]
    if choice.programme is not None and choice.programme not in programmes:
        there = ", ".join(map(str, sorted(programmes))) or "none"
        raise InvalidParameterError(
            f"there is no programme {choice.programme} (programmes: {there})"
        )
    ids = {s.index: int(s.id) for s in container.streams}
    belongs = {
        index: number
        for number, pids in sorted(programmes.items(), reverse=True)
        for index, pid in ids.items()
        if pid in pids
    }
    if choice.programme is not None:
        videos = [i for i in videos if belongs.get(i) == choice.programme]
    main, first = first_decodable(opened, videos, uri, limits, reasons)
    pace = None if main is None else pace_of(opened, main, head)
    number = choice.programme
    if number is None and main is not None:
        number = belongs.get(main)
    if number is not None:
        for index, other in belongs.items():
            # Of a programme that was not asked for the packets need not be there, or in the clear.
            if other != number and reasons.get(index, NO_FRAME) in _WITHOUT_CONTENT:
                reasons[index] = f"belongs to programme {other}"
    return _described(
        container,
        uri,
        limits,
        has_captions,
        choice,
        belongs,
        reasons,
        main,
        first,
        head,
        pace,
    )


def _described(
    container: Any,
    uri: str,
    limits: Limits,
    has_captions: bool,
    choice: Choice,
    belongs: Mapping[int, int],
    reasons: dict[int, str],
    main: int | None,
    first: Any,
    head: bytes,
    pace: Pace | None,
) -> Probed:
    video: Any = None if main is None else container.streams[main]
    sounding = [s for s in container.streams.audio if s.index not in reasons]
    origin_s = Fraction(0)
    shown: Any = first
    first_pts: int | None = None if first is None else shown.pts
    untimed = first is not None and (first_pts is None or _is_elementary(container, video))
    if video is not None and first_pts is not None:
        origin_s = Fraction(first_pts) * video.time_base
    elif video is None and sounding:
        chosen: Any = _default(sounding)
        origin_s = Fraction(chosen.start_time or 0) * chosen.time_base
    lengths = stated_lengths(container, head, limits)
    sounds = _sounds(sounding, origin_s, choice, lengths)
    views: list[View] = []
    for stream in container.streams.video:
        if stream.index not in reasons and stream.index != main:
            pixels = stream.codec_context.width * stream.codec_context.height
            if not pixels:
                # Nothing came that would tell its size.
                reasons[stream.index] = NO_FRAME
            elif pixels > limits.max_pixels:
                reasons[stream.index] = f"over {limits.max_pixels} pixels"
            else:
                length_s = lengths.of(stream)
                views.append(View(stream.index, described_video(stream, 0), length_s))
    video_info = None
    if video is not None:
        video_info = described_video(video, -shown.rotation % 360, pace, first)
    duration_s = duration_s_of(container, video, sounds, lengths, limits, uri)
    names = codec_names(container, head)
    used = {index for sound in sounds for index in sound.tracks}
    for stream in sounding:
        if stream.index not in used:
            reasons[stream.index] = "left out by the audio layout"
    main_sound = sounds[0] if sounds else None
    info = StreamInfo(
        uri=uri,
        container=container.format.name,
        duration_s=duration_s,
        video=video_info,
        audio=None if main_sound is None else main_sound.audio,
        video_start_s=float(origin_s) if video is not None else 0.0,
        audio_start_s=0.0 if main_sound is None else main_sound.start_s,
        video_duration_s=None if video is None else lengths.of(video),
        audio_duration_s=None if main_sound is None else main_sound.duration_s,
        start_timecode=start_timecode(container, video, video_info),
        has_captions=has_captions or any(s.type == "subtitle" for s in container.streams),
        has_bitmap_captions=video is not None and carries_captions(shown),
        tracks=tracks_of(container, belongs, reasons, sounds, lengths, names),
        sounds=tuple(sounds),
        views=tuple(views),
        video_track=main,
        declares_length=lengths.stated,
    )
    info = replace(info, facts=container_facts(container, info, first))
    return Probed(info, origin_s, untimed)


def _is_elementary(container: Any, video: Any) -> bool:
    """MPEG-1 alone has time stamps made up by FFmpeg's parser, whose first frame stays too long."""
    return container.format.name == "mpegvideo" and video.codec_context.name == "mpeg1video"


def _default(streams: list[Any]) -> Any:
    """The default track, else the first."""
    return next((s for s in streams if "default" in _flags(s)), streams[0])


def _flags(stream: Any) -> set[str]:
    return {str(flag.name) for flag in Disposition if flag & stream.disposition}


def _sounds(
    streams: list[Any], origin_s: Fraction, choice: Choice, lengths: Lengths
) -> list[Sound]:
    if not streams:
        if choice.audio_layout is not None:
            raise InvalidParameterError("an audio layout is given, and there is no sound")
        return []
    tracks = [
        SoundTrack(
            stream.index,
            described_audio(stream),
            0.0
            if stream.start_time is None
            else float(stream.start_time * stream.time_base - origin_s),
            lengths.of(stream),
            label=str(stream.metadata.get("title") or stream.metadata.get("handler_name") or ""),
            alone=bool(_flags(stream) & set(_SERVICES)),
        )
        for stream in streams
    ]
    sounds = group(tracks, choice.audio_layout)
    if choice.audio_layout is None:
        # The default track is the programme's own sound: it comes first.
        default = _default(streams).index
        sounds.sort(key=lambda sound: default not in sound.tracks)
    return sounds
