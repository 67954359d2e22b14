"""What Matroska and WebM state of tracks and FFmpeg does not tell: codecs, durations of frames.

Source: RFC 8794 (EBML), 4 and 5; RFC 9559 (Matroska), 5.1.4.1.13 (DefaultDuration), 5.1.4.1.21
(CodecID).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

_EBML, _SEGMENT, _TRACKS, _TRACK = 0x1A45DFA3, 0x18538067, 0x1654AE6B, 0xAE
_DEFAULT_DURATION, _CODEC = 0x23E383, 0x86
_NANOSECONDS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TrackEntry:
    """What is stated of a track.

    Attributes:
        codec: The identifier of its codec, such as `V_MPEG4/ISO/AVC`.
        frame_s: The default duration of its frames in seconds, None where not stated.
    """

    codec: str = ""
    frame_s: Fraction | None = None


def track_entries(head: bytes) -> list[TrackEntry] | None:
    """Returns what is stated of each track, in file order.

    Args:
        head: The beginning of the file.

    Returns:
        None where this is another format, or the tracks are not described in the beginning.
    """
    try:
        if _id(head, 0)[0] != _EBML:
            return None
        at, end = _within(head, 0, len(head))
        at, end = _find(head, end, len(head), _SEGMENT)
        at, end = _find(head, at, end, _TRACKS)
        if end > len(head):
            return None
        found: list[TrackEntry] = []
        while at < end:
            name = _id(head, at)[0]
            low, high = _within(head, at, end)
            if name == _TRACK:
                found.append(_entry(head, low, high))
            at = high
    except (IndexError, LookupError):
        return None
    return found


def _entry(head: bytes, at: int, end: int) -> TrackEntry:
    codec, frame_s = "", None
    while at < end:
        name = _id(head, at)[0]
        low, high = _within(head, at, end)
        if name == _DEFAULT_DURATION:
            ticks = int.from_bytes(head[low:high], "big")
            frame_s = Fraction(ticks, _NANOSECONDS) if ticks else None
        elif name == _CODEC:
            codec = head[low : min(high, end)].rstrip(b"\0").decode("ascii", "replace")
        at = high
    return TrackEntry(codec, frame_s)


def _find(head: bytes, at: int, end: int, wanted: int) -> tuple[int, int]:
    """Returns where the contents of an element begin and end.

    Raises:
        LookupError: There is none between these places.
    """
    while at < min(end, len(head)):
        name = _id(head, at)[0]
        low, high = _within(head, at, end)
        if name == wanted:
            return low, high
        at = high
    raise LookupError(wanted)


def _id(head: bytes, at: int) -> tuple[int, int]:
    """Returns an element's identifier, and where its size stands."""
    length = 9 - head[at].bit_length()
    return int.from_bytes(head[at : at + length], "big"), at + length


def _within(head: bytes, at: int, end: int) -> tuple[int, int]:
    """Returns where the contents of the element at a place begin and end."""
    at = _id(head, at)[1]
    first = head[at]
    length = 9 - first.bit_length()
    size = int.from_bytes(head[at : at + length], "big") & ((1 << 7 * length) - 1)
    low = at + length
    unknown = size == (1 << 7 * length) - 1
    return low, (max(end, low) if unknown else low + size)
