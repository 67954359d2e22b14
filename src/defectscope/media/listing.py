"""What a container's tracks are called, also those that nothing here can decode."""

from __future__ import annotations

import re
from typing import Any

import av.logging
from av.stream import Disposition

from defectscope.media.codecs import codec_name
from defectscope.media.matroska import track_entries

_STREAM_LINE = re.compile(r"Stream #\d+:(\d+)(?:\[[^\]]*\])?(?:\([^)]*\))?: \w+: ([^,\n]+)")
# Cover art and other stills that pretend to be video.
_STILL_CODECS = {"mjpeg", "png", "gif", "bmp", "webp"}
# Captions in MP4 that FFmpeg takes for data (ISO/IEC 14496-30).
CAPTION_CODES = frozenset({"wvtt", "stpp", "sbtt", "stxt"})
_PLAIN = re.compile(r"[^A-Za-z0-9_./ -]")


def codec_names(container: Any, head: bytes) -> dict[int, str]:
    """Returns the codec of each track by index: FFmpeg's name, else the container's own code.

    Args:
        container: An open PyAV container.
        head: The beginning of the file.
    """
    entries = track_entries(head) or []
    named = {index: _plain(entry.codec) for index, entry in enumerate(entries)}
    listed = ""
    if any(stream.codec_context is None for stream in container.streams):
        listed = _listed(container)
    for index, text in _STREAM_LINE.findall(listed):
        name, _, rest = text.partition(" ")
        if name in ("none", "unknown"):
            # `none (apac / 0x63617061)`: the four characters say what FFmpeg does not know.
            code = rest.strip("() ").split(" / ")[0]
            name = code if code and not code.startswith("[") else ""
        if name:
            named[int(index)] = _plain(name)
    for stream in container.streams:
        if name := codec_name(stream.codec_context):
            named[stream.index] = name
    return named


def _plain(name: str) -> str:
    """Returns a name from a file without what could be mistaken for anything else."""
    return _PLAIN.sub("", name)[:32]


def _listed(container: Any) -> str:
    """FFmpeg's own listing, which it gives through its log alone."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        return str(container.dumps_format())
    finally:
        av.logging.set_level(level)


def is_decodable(stream: Any) -> bool:
    """Tells whether there is a decoder for a track."""
    return stream.codec_context is not None and bool(stream.codec_context.name)


def is_cover(stream: Any) -> bool:
    """Tells whether a video track is a cover picture or another still."""
    if stream.disposition & Disposition.attached_pic:
        return True
    return is_decodable(stream) and (
        stream.codec_context.name in _STILL_CODECS and stream.frames == 1
    )
