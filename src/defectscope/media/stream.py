"""What is known of a stream before decoding it: the same from wherever decoding starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from defectscope.errors import MalformedRequestError
from defectscope.media.timecode import Timecode
from defectscope.media.tracks import AudioInfo, Sound, Track, VideoInfo, View

__all__ = ["AudioInfo", "Sound", "StreamInfo", "Track", "VideoInfo", "View"]


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One asset's streams on one clock.

    t = 0 is the first presented video frame (the first sample where there is no video).

    Attributes:
        uri: Where it came from; for uploads a name without a path.
        container: Format name.
        duration_s: Length of the longest stream from t = 0, as the container states it.
        video: The first real video stream, None where there is none.
        audio: The main sound, None where there is none.
        video_start_s: The container's time of the first presented frame; 0 without video.
        audio_start_s: Start of the sound relative to t = 0 as the container states it.
        video_duration_s: Length of the video as the container states it, None if it does not.
        audio_duration_s: Likewise of the sound.
        start_timecode: Timecode of t = 0: the source's own track, else 00:00:00:00; None
            without video.
        has_captions: There are cues, embedded or beside the file.
        has_bitmap_captions: The frame's user data has room for EIA-608 and EIA-708, which is
            often left empty.
        tracks: Every track of the container.
        sounds: All sound that is evaluated; the first is `audio`.
        views: Video tracks that are evaluated beside the main one.
        video_track: Track index of `video`.
        declares_length: The container's header states how long it is; else lengths are estimates.
        cut_short: What is missing, where the file is too damaged to be demuxed.
        facts: What the container states, as a report shows it; see `media/facts.py`.
    """

    uri: str
    container: str
    duration_s: float
    video: VideoInfo | None
    audio: AudioInfo | None
    video_start_s: float = 0.0
    audio_start_s: float = 0.0
    video_duration_s: float | None = None
    audio_duration_s: float | None = None
    start_timecode: Timecode | None = None
    has_captions: bool = False
    has_bitmap_captions: bool = False
    tracks: tuple[Track, ...] = ()
    sounds: tuple[Sound, ...] = ()
    views: tuple[View, ...] = ()
    video_track: int | None = None
    declares_length: bool = True
    cut_short: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def with_sound(self, sound: Sound) -> StreamInfo:
        """Returns the facts as one who hears another sound has them: that sound alone."""
        return replace(
            self,
            video=None,
            audio=sound.audio,
            audio_start_s=sound.start_s,
            audio_duration_s=sound.duration_s,
            video_duration_s=None,
            has_captions=False,
            has_bitmap_captions=False,
        )

    def with_view(self, view: View) -> StreamInfo:
        """Returns the facts as one who sees another video track has them: that track alone."""
        return replace(
            self,
            video=view.video,
            video_track=view.index,
            video_duration_s=view.duration_s,
            audio=None,
            audio_duration_s=None,
            has_captions=False,
            has_bitmap_captions=False,
        )

    def to_dict(self) -> dict[str, Any]:
        """Returns the JSON form, which travels with measurements so that they can be decided."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        out["video"] = None if self.video is None else self.video.to_dict()
        out["audio"] = None if self.audio is None else self.audio.to_dict()
        out["tracks"] = [asdict(track) for track in self.tracks]
        out["sounds"] = [sound.to_dict() for sound in self.sounds]
        out["views"] = [view.to_dict() for view in self.views]
        out["facts"] = dict(self.facts)
        if self.start_timecode is not None:
            out["start_timecode"] = str(self.start_timecode)
        return out

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> StreamInfo:
        """Reads the JSON form.

        Raises:
            MalformedRequestError: It is not what `to_dict` writes.
        """
        try:
            video = audio = timecode = None
            if data.get("video") is not None:
                video = VideoInfo.from_dict(data["video"])
                if data.get("start_timecode") is not None:
                    timecode = Timecode.parse(data["start_timecode"], video.frame_rate)
            if data.get("audio") is not None:
                audio = AudioInfo.from_dict(data["audio"])
            rest: dict[str, Any] = {
                "video": video,
                "audio": audio,
                "start_timecode": timecode,
                "tracks": tuple(Track(**track) for track in data.get("tracks", ())),
                "sounds": tuple(Sound.from_dict(sound) for sound in data.get("sounds", ())),
                "views": tuple(View.from_dict(view) for view in data.get("views", ())),
            }
            return StreamInfo(**{**data, **rest})
        except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
            raise MalformedRequestError(f"these are not stream facts: {error}") from None
