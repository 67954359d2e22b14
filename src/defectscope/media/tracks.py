"""What the tracks of a container are, and how sound tracks are heard together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal

TrackMedium = Literal["video", "audio", "captions", "other"]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts of the video stream.

    Attributes:
        width: Coded frame width, before any rotation flag.
        height: Coded frame height.
        chroma_width: Samples per row of a chroma plane, 0 for grey.
        chroma_height: Rows of a chroma plane, 0 for grey.
        bit_depth: Significant bits of a sample as analysed.
        pixel_format: The source's own format, as FFmpeg names it.
        frame_rate: Nominal frames per second; timecodes and frame numbers are on its grid.
        time_base: Seconds per tick of `Frame.pts`.
        codec: Codec name.
        rotation_deg: Clockwise rotation that a player applies, 0, 90, 180 or 270.
        full_range: Samples span 0 to 255 instead of 16 to 235.
        variable_frame_rate: The container's average and nominal rates differ.
    """

    width: int
    height: int
    chroma_width: int
    chroma_height: int
    bit_depth: int
    pixel_format: str
    frame_rate: Fraction
    time_base: Fraction
    codec: str
    rotation_deg: int = 0
    full_range: bool = False
    variable_frame_rate: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self) | {
            "frame_rate": str(self.frame_rate),
            "time_base": str(self.time_base),
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> VideoInfo:
        """Reads the JSON form."""
        facts = dict(data)
        facts["frame_rate"] = Fraction(facts["frame_rate"])
        facts["time_base"] = Fraction(facts["time_base"])
        return VideoInfo(**facts)


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """Facts of the sound.

    Attributes:
        rate_hz: Samples per second, as in the file.
        channels: Channel names in order, `FL`, `FR`, `FC`, `LFE`, ... (ITU-R BS.2051 positions
            by FFmpeg's names).
        layout: Name of the layout, `mono`, `stereo`, `5.1`, ...
        codec: Codec name.
        language: ISO 639-2 code where the container has one.
    """

    rate_hz: int
    channels: tuple[str, ...]
    layout: str
    codec: str
    language: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return asdict(self) | {"channels": list(self.channels)}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> AudioInfo:
        """Reads the JSON form."""
        facts = dict(data)
        facts["channels"] = tuple(facts["channels"])
        return AudioInfo(**facts)


# Why a track is not evaluated although its decoder is there: faults of the media.
NO_FRAME = "no frame of it decodes"
NO_RATE = "no sample rate"
NO_CHANNELS = "no channels"
WRONG_RATE = "a sample rate of"
# What hides a track: no key, no verdict.
ENCRYPTED, SCRAMBLED = "encrypted", "scrambled"


@dataclass(frozen=True, slots=True)
class Track:
    """One track of the container, looked at or not.

    Attributes:
        index: Its number in the container, from 0.
        medium: What it holds.
        codec: Codec name; empty where FFmpeg does not know it.
        declared_s: Length as the container states it, seconds; None where it does not.
        reason: Why it is not evaluated; empty where it is.
        language: ISO 639-2 code where the container has one.
        programme: Number of the programme of a transport stream that it belongs to.
        layout: Sound: the layout that it is part of, as evaluated.
    """

    index: int
    medium: TrackMedium
    codec: str
    declared_s: float | None = None
    reason: str = ""
    language: str | None = None
    programme: int | None = None
    layout: str | None = None

    @property
    def is_broken(self) -> bool:
        """Whether nothing of it decodes although there is a decoder for it."""
        return self.reason in (NO_FRAME, NO_RATE, NO_CHANNELS) or self.reason.startswith(WRONG_RATE)

    @property
    def is_closed(self) -> bool:
        """Whether it holds what is to be evaluated, and nothing of it can be."""
        return self.is_broken or self.reason in (ENCRYPTED, SCRAMBLED)


@dataclass(frozen=True, slots=True)
class Sound:
    """Sound that is heard together: one track, or several that hold a channel each.

    Attributes:
        audio: Its facts.
        sources: Track index and channel of the track (from 0) for each channel.
        start_s: Start relative to t = 0 as the container states it, seconds.
        duration_s: Length as the container states it, None if it does not.
    """

    audio: AudioInfo
    sources: tuple[tuple[int, int], ...]
    start_s: float = 0.0
    duration_s: float | None = None

    @property
    def tracks(self) -> tuple[int, ...]:
        """Indices of its tracks, each once."""
        return tuple(dict.fromkeys(index for index, _ in self.sources))

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {
            "audio": self.audio.to_dict(),
            "sources": [list(source) for source in self.sources],
            "start_s": self.start_s,
            "duration_s": self.duration_s,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Sound:
        """Reads the JSON form."""
        sources = tuple((int(index), int(channel)) for index, channel in data["sources"])
        audio = AudioInfo.from_dict(data["audio"])
        return Sound(audio, sources, float(data["start_s"]), data["duration_s"])


@dataclass(frozen=True, slots=True)
class View:
    """A video track beside the main one.

    Attributes:
        index: Its track.
        video: Its facts.
        duration_s: Length as the container states it, None if it does not.
    """

    index: int
    video: VideoInfo
    duration_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {
            "index": self.index,
            "video": self.video.to_dict(),
            "duration_s": self.duration_s,
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> View:
        """Reads the JSON form."""
        return View(int(data["index"]), VideoInfo.from_dict(data["video"]), data["duration_s"])
