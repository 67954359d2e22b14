"""What containers state of how long they are, as far as that can be believed."""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import av

from defectscope.media.header_lengths import header_lengths_s
from defectscope.media.limits import Limits

# Formats whose header counts frames, samples or seconds. Of the others (transport and programme
# streams, Ogg, elementary streams) FFmpeg estimates the length from what it finds in the file.
_STATING = {
    "matroska", "webm", "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "wav", "w64", "flac", "avi",
    "mxf", "gxf", "flv", "asf", "caf", "aiff", "ivf", "au",
}  # fmt: skip
# Nothing that lasts is smaller: a digital silence takes 500 bit/s in Opus.
_LEAST_BYTES_PER_S = 32.0
_CLOCK = re.compile(r"^(\d+):([0-5]?\d):([0-5]?\d(?:\.\d+)?)$")
_ID3_BYTES = 10
# Source: ISO/IEC 14496-12, 4.2 and 8.1: the boxes at the top of a file.
_TOP_BOXES = {b"ftyp", b"mdat", b"moov", b"free", b"skip", b"wide", b"moof", b"sidx", b"styp"}


@dataclass(frozen=True, slots=True)
class Lengths:
    """What a container states of how long its tracks are.

    Attributes:
        stated: Its header states lengths that can be believed.
        by_header: Lengths by the header alone where bytes are missing, seconds, by index.
    """

    stated: bool
    by_header: Mapping[int, float] = field(default_factory=dict[int, float])

    def declared_s(self, stream: Any) -> float | None:
        """Returns a track's length by the header, in seconds, None where that says nothing."""
        if not self.stated:
            return None
        known = [declared_s(stream), self.by_header.get(stream.index)]
        return max((length_s for length_s in known if length_s is not None), default=None)

    def of(self, stream: Any) -> float | None:
        """Returns a track's length as the container states it, else as FFmpeg estimates it."""
        length_s = self.declared_s(stream)
        if length_s is not None:
            return length_s
        if stream.duration is None or stream.duration <= 0:
            return None
        return float(stream.duration * stream.time_base)


def stated_lengths(container: Any, head: bytes, limits: Limits) -> Lengths:
    """Returns what an opened container states of its tracks' lengths.

    Args:
        container: The opened container.
        head: The beginning of the file.
        limits: Bounds on what is believed.
    """
    if not declares_length(container, head, limits):
        return Lengths(stated=False)
    by_header = {
        index: length_s
        for index, length_s in header_lengths_s(head, container.size).items()
        if length_s <= limits.max_duration_s
    }
    return Lengths(stated=True, by_header=by_header)


def declares_length(container: Any, head: bytes, limits: Limits) -> bool:
    """Tells whether a container's header states a length that can be believed.

    Args:
        container: The opened container.
        head: The beginning of the file.
        limits: Lengths beyond these are believed only where there are bytes enough.
    """
    names = set(container.format.name.split(","))
    if names & {"mp3"}:
        return _counts_frames(head)
    if not names & _STATING:
        return False
    if container.duration is None or container.duration <= 0:
        return any(declared_s(stream) for stream in container.streams)
    length_s = container.duration / av.time_base
    size = container.size
    enough = size <= 0 or size >= length_s * _LEAST_BYTES_PER_S
    return length_s <= limits.max_duration_s or enough


def declared_s(stream: Any) -> float | None:
    """Returns the length of a track by its header, in seconds, None where that says nothing."""
    if stream.duration is not None and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    # Matroska's statistics tags, which mkvmerge and FFmpeg write.
    match = _CLOCK.match(str(stream.metadata.get("DURATION", "")).strip())
    if match is None:
        return None
    hours, minutes, seconds = match.groups()
    end_s = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    start_s = float((stream.start_time or 0) * stream.time_base)
    return end_s - start_s if end_s > start_s else None


def tag_bytes(head: bytes) -> int:
    """Returns how many bytes an ID3 tag takes at the beginning of a file, 0 where there is none.

    Source: ID3v2.4, 3.1 (a size of four bytes of seven bits each).
    """
    if head[:3] != b"ID3" or len(head) <= _ID3_BYTES:
        return 0
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return _ID3_BYTES + size


def _counts_frames(head: bytes) -> bool:
    """Tells whether an MP3 file begins with a frame that counts the others (Xing, Info, VBRI)."""
    start = tag_bytes(head)
    first = head[start : start + 4096]
    return any(mark in first for mark in (b"Xing", b"Info", b"VBRI"))


def lacks_index(head: bytes, size: int) -> bool:
    """Tells whether a file is MP4 or QuickTime that ends before its index (`moov`) comes.

    Args:
        head: The beginning of the file.
        size: Bytes of the whole file.
    """
    at, kinds = 0, []
    while at + 8 <= len(head):
        length, kind = struct.unpack(">I4s", head[at : at + 8])
        if kind not in _TOP_BOXES or (not kinds and kind != b"ftyp"):
            return False
        kinds.append(kind)
        if kind in (b"moov", b"moof"):
            return False
        if length == 1 and at + 16 <= len(head):
            length = struct.unpack(">Q", head[at + 8 : at + 16])[0]
        if length == 0 or at + length >= size:
            return b"mdat" in kinds or length > 8
        if length < 8:
            return False
        at += length
        if at + 8 > len(head):
            # What follows lies beyond what was read: FFmpeg looked for it and found nothing.
            return b"mdat" in kinds
    return False
