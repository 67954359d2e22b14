"""Which sound tracks are heard together: whole tracks, or discrete channels grouped by layout.

Masters often hold each channel as a track of its own. A layout given by hand counts the channels of
all sound tracks from 1: `5.1=1-6,stereo=7,8`. Without one, labels decide where tracks carry them,
else their number: the order of SMPTE ST 2067-8 and of most delivery specifications (5.1 first, then
stereo) for six and eight, and pairs for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import av
import av.error

from defectscope.errors import InvalidParameterError
from defectscope.media.tracks import AudioInfo, Sound

# Layouts by number of mono tracks; more than eight go on in pairs.
_BY_COUNT: dict[int, tuple[str, ...]] = {
    1: ("mono",),
    2: ("stereo",),
    3: ("stereo", "mono"),
    4: ("stereo", "stereo"),
    5: ("stereo", "stereo", "mono"),
    6: ("5.1",),
    7: ("5.1", "mono"),
    8: ("5.1", "stereo"),
}
# What people write into labels, as FFmpeg names it.
_LABELS = {
    "l": "FL", "left": "FL", "fl": "FL", "lt": "FL", "lo": "FL",
    "r": "FR", "right": "FR", "fr": "FR", "rt": "FR", "ro": "FR",
    "c": "FC", "center": "FC", "centre": "FC", "fc": "FC",
    "lfe": "LFE", "sub": "LFE",
    "ls": "SL", "sl": "SL", "lss": "SL", "left surround": "SL", "bl": "BL", "lb": "BL",
    "rs": "SR", "sr": "SR", "rss": "SR", "right surround": "SR", "br": "BR", "rb": "BR",
}  # fmt: skip
_LABELLED_LAYOUTS = {
    frozenset({"FL", "FR"}): "stereo",
    frozenset({"FL", "FR", "FC", "LFE", "SL", "SR"}): "5.1(side)",
    frozenset({"FL", "FR", "FC", "LFE", "BL", "BR"}): "5.1",
    frozenset({"FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"}): "7.1",
}
_RANGE = re.compile(r"^(\d{1,3})(?:-(\d{1,3}))?$")


@dataclass(frozen=True, slots=True)
class SoundTrack:
    """One sound track that can be decoded.

    Attributes:
        index: Its number in the container.
        audio: Its facts.
        start_s: Start relative to t = 0, seconds.
        duration_s: Length as the container states it.
        label: What the container calls it.
        alone: It is a service of its own: commentary, description, another language.
    """

    index: int
    audio: AudioInfo
    start_s: float
    duration_s: float | None
    label: str = ""
    alone: bool = False


def group(tracks: Sequence[SoundTrack], layout: str | None = None) -> list[Sound]:
    """Returns the sounds that tracks form, in the order of their first channels.

    Args:
        tracks: Sound tracks in the container's order.
        layout: A layout given by hand; None guesses.

    Raises:
        InvalidParameterError: The layout makes no sense for these tracks.
    """
    if layout is not None:
        return _by_hand(tracks, layout)
    loose: dict[tuple[int, str, str | None], list[SoundTrack]] = {}
    sounds: list[tuple[int, Sound]] = []
    for track in tracks:
        if len(track.audio.channels) == 1 and not track.alone:
            key = (track.audio.rate_hz, track.audio.codec, track.audio.language)
            loose.setdefault(key, []).append(track)
        else:
            sounds.append((track.index, _whole(track)))
    for mono in loose.values():
        sounds += [(sound.sources[0][0], sound) for sound in _discrete(mono)]
    return [sound for _, sound in sorted(sounds, key=lambda pair: pair[0])]


def audio_of(layout: str, rate_hz: int, codec: str = "", language: str | None = None) -> AudioInfo:
    """Returns the facts of sound in a layout that FFmpeg knows by name.

    Raises:
        InvalidParameterError: There is no such layout.
    """
    try:
        known = av.AudioLayout(layout)
    except (ValueError, av.error.FFmpegError):
        raise InvalidParameterError(f"{layout!r} is no audio layout") from None
    return AudioInfo(rate_hz, tuple(c.name for c in known.channels), layout, codec, language)


def _whole(track: SoundTrack) -> Sound:
    count = len(track.audio.channels)
    sources = tuple((track.index, channel) for channel in range(count))
    return Sound(track.audio, sources, track.start_s, track.duration_s)


def _discrete(tracks: list[SoundTrack]) -> list[Sound]:
    """Groups mono tracks of one kind: by their labels, else by their number."""
    labelled = [_label(track) for track in tracks]
    if len(tracks) > 1 and all(labelled):
        found: list[Sound] = []
        start = 0
        while start < len(tracks):
            for length in (8, 6, 2):
                names = labelled[start : start + length]
                layout = _LABELLED_LAYOUTS.get(frozenset(names))
                if layout is not None and len(names) == length:
                    found.append(_joined(tracks[start : start + length], layout, names))
                    start += length
                    break
            else:
                found.append(_whole(tracks[start]))
                start += 1
        return found
    rest, found = list(tracks), []
    while rest:
        for layout in _BY_COUNT[min(len(rest), 8)]:
            count = len(av.AudioLayout(layout).channels)
            part, rest = rest[:count], rest[count:]
            found.append(_whole(part[0]) if count == 1 else _joined(part, layout))
        if len(rest) > 8:
            pairs = len(rest) // 2
            found += [_joined(rest[2 * k : 2 * k + 2], "stereo") for k in range(pairs)]
            rest = rest[2 * pairs :]
    return found


def _label(track: SoundTrack) -> str:
    """The channel that a mono track says it is, by FFmpeg's name; empty if it does not."""
    name = track.audio.channels[0]
    if name in _LABELS.values() and track.audio.layout != "mono":
        return name
    return _LABELS.get(track.label.strip().lower(), "")


def _joined(tracks: Sequence[SoundTrack], layout: str, names: Sequence[str] = ()) -> Sound:
    first = tracks[0]
    audio = audio_of(layout, first.audio.rate_hz, first.audio.codec, first.audio.language)
    ordered = list(tracks)
    if names:
        by_name = dict(zip(names, tracks, strict=True))
        ordered = [by_name[name] for name in audio.channels]
    lengths = [t.duration_s for t in tracks if t.duration_s is not None]
    return Sound(
        audio,
        tuple((track.index, 0) for track in ordered),
        min(t.start_s for t in tracks),
        max(lengths, default=None),
    )


def _by_hand(tracks: Sequence[SoundTrack], layout: str) -> list[Sound]:
    channels = [(track, k) for track in tracks for k in range(len(track.audio.channels))]
    sounds: list[Sound] = []
    for name, numbers in _parsed(layout):
        beyond = [n for n in numbers if not 1 <= n <= len(channels)]
        if beyond:
            raise InvalidParameterError(
                f"the audio layout names channel {beyond[0]}; there are {len(channels)}"
            )
        chosen = [channels[n - 1] for n in numbers]
        head = chosen[0][0]
        if any(track.audio.rate_hz != head.audio.rate_hz for track, _ in chosen):
            raise InvalidParameterError(f"the channels of {name!r} differ in sample rate")
        audio = audio_of(name, head.audio.rate_hz, head.audio.codec, head.audio.language)
        if len(audio.channels) != len(chosen):
            raise InvalidParameterError(
                f"{name!r} has {len(audio.channels)} channels, {len(chosen)} are given"
            )
        lengths = [t.duration_s for t, _ in chosen if t.duration_s is not None]
        sounds.append(
            Sound(
                audio,
                tuple((track.index, channel) for track, channel in chosen),
                min(track.start_s for track, _ in chosen),
                max(lengths, default=None),
            )
        )
    return sounds


def _parsed(layout: str) -> list[tuple[str, list[int]]]:
    """Reads `5.1=1-6,stereo=7,8` as names and channel numbers."""
    groups: list[tuple[str, list[int]]] = []
    for part in layout.split(","):
        name, equals, numbers = part.rpartition("=")
        if equals:
            groups.append((name.strip(), []))
        match = _RANGE.match(numbers.strip())
        if match is None or not groups or not groups[-1][0]:
            raise InvalidParameterError(
                f"{layout!r} is no audio layout; write it as 5.1=1-6,stereo=7,8"
            )
        first, last = int(match[1]), int(match[2] or match[1])
        groups[-1][1].extend(range(first, last + 1))
    used = [n for _, numbers in groups for n in numbers]
    if len(set(used)) != len(used):
        raise InvalidParameterError(f"{layout!r} uses a channel twice")
    return groups


def relabelled(sound: Sound, audio: AudioInfo) -> Sound:
    """Returns a sound of one track whose layout has changed on the way."""
    index = sound.sources[0][0]
    sources = tuple((index, channel) for channel in range(len(audio.channels)))
    return replace(sound, audio=audio, sources=sources, duration_s=None)
