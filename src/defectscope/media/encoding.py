"""How a file's frames and sound are to be encoded."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from defectscope.media.stream import AudioInfo, VideoInfo

# What encoders need to code clips in about their own time, or at all.
_NEEDED = {
    # It calls limited range non-standard.
    "mjpeg": {"strict": "unofficial"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8"},
    "libsvtav1": {"preset": "10"},
}


@dataclass(frozen=True, slots=True)
class VideoEncoding:
    """How frames are encoded.

    Attributes:
        width: Frame width in pixels.
        height: Frame height in pixels.
        rate: Nominal frames per second.
        time_base: Seconds per tick of the frames' `pts`; None is one tick a frame. Any spacing of
            the ticks is written as it is, so variable rates need nothing else.
        codec: FFmpeg's encoder, `libx264`, `libx265`, `mpeg2video`, `mpeg4`, `ffv1`, ...
        pixel_format: FFmpeg's name; must match the planes of the frames.
        crf: Constant quality of x264 and x265, 0 to 51; None leaves it to `bit_rate`.
        bit_rate: Bits per second; used where `crf` is None.
        gop_frames: Longest distance between random access points, None for the codec's own.
        b_frames: Consecutive B frames, None for the codec's own.
        open_gop: Lets B frames refer across random access points.
        preset: Speed preset of x264 and x265.
        full_range: The samples span 0 to 255; only says so in the stream.
        rotation_deg: Clockwise rotation that a player shall apply.
        options: Further options of the encoder, which win over all of the above.
        threads: Encoder threads; 1 makes the output the same on every machine.
    """

    width: int
    height: int
    rate: Fraction
    time_base: Fraction | None = None
    codec: str = "libx264"
    pixel_format: str = "yuv420p"
    crf: float | None = 18.0
    bit_rate: int | None = None
    gop_frames: int | None = None
    b_frames: int | None = None
    open_gop: bool = False
    preset: str = "veryfast"
    full_range: bool = False
    rotation_deg: int = 0
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    threads: int = 1

    @staticmethod
    def like(video: VideoInfo, **changes: Any) -> VideoEncoding:
        """Returns the encoding that keeps a stream's size, rate, clock, depth and range."""
        given: dict[str, Any] = {
            "width": video.width,
            "height": video.height,
            "rate": video.frame_rate,
            "time_base": video.time_base,
            "pixel_format": _planar(video),
            "full_range": video.full_range,
            "rotation_deg": video.rotation_deg,
        }
        return VideoEncoding(**{**given, **changes})

    def encoder_options(self) -> dict[str, str]:
        """Returns the options as FFmpeg's encoder takes them."""
        out: dict[str, str] = {}
        if self.codec in ("libx264", "libx265"):
            out["preset"] = self.preset
            if self.crf is not None:
                out["crf"] = f"{self.crf:g}"
            # Scene cuts may insert key frames at any time; a fixed GOP must be really fixed.
            lines = ["open-gop=1" if self.open_gop else "open-gop=0"]
            if self.gop_frames is not None:
                lines += [f"keyint={self.gop_frames}", f"min-keyint={self.gop_frames}"]
                lines += ["scenecut=0"]
            if self.codec == "libx265":
                lines += ["log-level=error"]
                if self.threads == 1:
                    lines += ["pools=none", "frame-threads=1"]
            elif self.threads == 1 and platform.machine() in ("x86_64", "AMD64"):
                # With AVX-512, x264 gave other bytes from run to run (in 3 of 4 clips).
                lines += ["asm=AVX2"]
            out[f"{self.codec[3:]}-params"] = ":".join(lines)
        elif self.codec == "mpeg2video" and not self.open_gop:
            # The encoder refuses closed groups while it looks for scene cuts.
            out |= {"flags": "+cgop", "sc_threshold": "1000000000"}
        else:
            out |= _NEEDED.get(self.codec, {})
        return {**out, **self.options}


@dataclass(frozen=True, slots=True)
class AudioEncoding:
    """How sound is encoded.

    Attributes:
        rate_hz: Samples per second.
        layout: FFmpeg's channel layout, `mono`, `stereo`, `5.1`, ...
        codec: FFmpeg's encoder, `aac`, `pcm_s16le`, `pcm_f32le`, `flac`, `ac3`, ...
        bit_rate: Bits per second, None for the codec's own.
        options: Further options of the encoder.
    """

    rate_hz: int = 48000
    layout: str = "stereo"
    codec: str = "aac"
    bit_rate: int | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    @staticmethod
    def like(audio: AudioInfo, **changes: Any) -> AudioEncoding:
        """Returns the encoding that keeps a sound's rate and layout."""
        given: dict[str, Any] = {"rate_hz": audio.rate_hz, "layout": audio.layout}
        return AudioEncoding(**{**given, **changes})


def _planar(video: VideoInfo) -> str:
    """The planar format whose planes the reader hands on for this stream."""
    if video.chroma_height == 0:
        base = "gray"
    else:
        base = "yuv422p" if video.chroma_height == video.height > 1 else "yuv420p"
    return base if video.bit_depth == 8 else f"{base}{video.bit_depth}le"
