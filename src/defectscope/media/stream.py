"""What is known of a stream before decoding it: the same from wherever decoding starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Any

from defectscope.errors import MalformedRequestError
from defectscope.media.timecode import Timecode


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Facts of the video stream.

    Attributes:
        width: Coded picture width, before any rotation flag.
        height: Coded picture height.
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


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One asset's streams on one clock.

    t = 0 is the first presented video frame (the first sample where there is no video).

    Attributes:
        uri: Where it came from; for uploads a name without a path.
        container: Format name.
        duration_s: Length of the longest stream from t = 0, as the container states it.
        video: The first real video stream, None where there is none.
        audio: The default sound track, None where there is none.
        video_start_s: The container's time of the first presented frame; 0 without video.
        audio_start_s: Start of the sound relative to t = 0 as the container states it.
        video_duration_s: Length of the video as the container states it, None if it does not.
        audio_duration_s: Likewise of the sound.
        start_timecode: Timecode of t = 0: the source's own track, else 00:00:00:00; None
            without video.
        has_captions: There are cues, embedded or beside the file.
        has_picture_captions: The picture's user data has room for EIA-608 and EIA-708, which is
            often left empty.
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
    has_picture_captions: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Gives the JSON form, which travels with measurements so that they can be decided."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        if self.video is not None:
            video = {f.name: getattr(self.video, f.name) for f in fields(self.video)}
            out["video"] = video | {
                "frame_rate": str(self.video.frame_rate),
                "time_base": str(self.video.time_base),
            }
        if self.audio is not None:
            audio = {f.name: getattr(self.audio, f.name) for f in fields(self.audio)}
            out["audio"] = audio | {"channels": list(self.audio.channels)}
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
                facts = dict(data["video"])
                facts["frame_rate"] = Fraction(facts["frame_rate"])
                facts["time_base"] = Fraction(facts["time_base"])
                video = VideoInfo(**facts)
                if data.get("start_timecode") is not None:
                    timecode = Timecode.parse(data["start_timecode"], video.frame_rate)
            if data.get("audio") is not None:
                facts = dict(data["audio"])
                facts["channels"] = tuple(facts["channels"])
                audio = AudioInfo(**facts)
            rest: dict[str, Any] = {
                "video": video,
                "audio": audio,
                "start_timecode": timecode,
            }
            return StreamInfo(**{**data, **rest})
        except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
            raise MalformedRequestError(f"these are not stream facts: {error}") from None
