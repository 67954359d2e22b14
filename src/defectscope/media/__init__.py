"""Media in: files, bytes and objects become frames, samples and cues on one clock.

The only package that imports PyAV.
"""

from __future__ import annotations

from defectscope.media.limits import Limits
from defectscope.media.opening import open_media
from defectscope.media.reader import Reader
from defectscope.media.source import MediaLike
from defectscope.media.stream import AudioInfo, StreamInfo, VideoInfo

__all__ = ["AudioInfo", "Limits", "MediaLike", "Reader", "StreamInfo", "VideoInfo", "open_media"]
