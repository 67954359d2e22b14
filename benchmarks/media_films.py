"""Containers, and the little films that the tables of media are made with.

Used by `media_table.py` and `media_captions.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = Fraction(25)
# Suffix, and what the muxer is called.
CONTAINERS = {
    "MP4": ("mp4", "mp4"),
    "QuickTime": ("mov", "mov"),
    "Matroska": ("mkv", "matroska"),
    "WebM": ("webm", "webm"),
    "MPEG-TS": ("ts", "mpegts"),
    "MPEG-PS": ("mpg", "vob"),
    "MXF": ("mxf", "mxf"),
    "AVI": ("avi", "avi"),
    "FLV": ("flv", "flv"),
    "Ogg": ("ogg", "ogg"),
    "NUT": ("nut", "nut"),
    "WAV": ("wav", "wav"),
    "AIFF": ("aiff", "aiff"),
    "CAF": ("caf", "caf"),
    "FLAC file": ("flac", "flac"),
    "MP3 file": ("mp3", "mp3"),
    "ADTS": ("aac", "adts"),
    "IVF": ("ivf", "ivf"),
    "H.264 stream": ("h264", "h264"),
    "HEVC stream": ("hevc", "hevc"),
    "MPEG-2 stream": ("m2v", "mpeg2video"),
    "raw DV": ("dv", "dv"),
    "Y4M": ("y4m", "yuv4mpegpipe"),
}


def add_video(film: Any, codec: str, size: tuple[int, int], pixels: str = "yuv420p") -> Any:
    """Adds a track of video that one thread encodes, so that every run writes the same."""
    video = film.add_stream(codec, rate=RATE)
    video.width, video.height, video.pix_fmt = *size, pixels
    video.codec_context.thread_count = 1
    return video


def encoded(video: Any, planes: Iterable[NDArray[np.uint8]]) -> Iterator[list[Any]]:
    """Gives the packets of each frame, and at last those that the encoder still held.

    Args:
        video: From `add_video`.
        planes: (height, width) luma of each frame.
    """
    for number, plane in enumerate(planes):
        frame = av.VideoFrame.from_ndarray(plane, format="gray").reformat(format=video.pix_fmt)
        frame.pts, frame.time_base = number, 1 / RATE
        yield video.encode(frame)
    yield video.encode(None)
