"""Captions inside the frame's user data: EIA-608 pairs and EIA-708 packets.

Source: ATSC A/53 part 4, section 6.2.3 (cc_data); SCTE 128.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from av.sidedata.sidedata import SideDataContainer

from defectscope.media.captions.cea708 import Triplet, service_cues
from defectscope.media.captions.line21 import Pair, line21_cues
from defectscope.media.cues import Cue

_VALID = 0x04
_PADDING = (0x00, 0x80)
# Tracks of captions in the frame are numbered above those of the container.
_LINE21_TRACK = 1000
_SERVICE_TRACK = 2000


@dataclass(frozen=True, slots=True)
class CaptionBytes:
    """Caption bytes of one frame.

    Attributes:
        at_s: When the frame is presented, seconds from t = 0.
        data: Groups of three: kind (0 and 1 are the fields of EIA-608, 2 and 3 packets of
            EIA-708) and two bytes.
        track: 0 for the frame's user data, the stream's index plus one for a track.
    """

    at_s: float
    data: bytes
    track: int = 0


def carries_captions(native: Any) -> bool:
    """Tells whether a decoded frame has room for captions, filled or not."""
    return _side_data(native).get("A53_CC") is not None


def _side_data(native: Any) -> Any:
    """A frame's side data, made anew: `frame.side_data` makes a circle with its frame.

    Frames in circles wait for the garbage collector: several hundred megabytes of them at 1080p.
    """
    made: Any = SideDataContainer
    return made(native)


def caption_bytes_of(native: Any) -> bytes:
    """Returns a decoded frame's caption bytes without filling, in groups of three."""
    found = _side_data(native).get("A53_CC")
    return b"" if found is None else captions_in(bytes(found))


def captions_in(raw: bytes) -> bytes:
    """Returns the groups of three in cc_data that are no filling, kind first."""
    out = bytearray()
    for at in range(0, len(raw) - 2, 3):
        head, first, second = raw[at : at + 3]
        if not head & _VALID:
            continue
        kind = head & 3
        if kind < 2 and first in _PADDING and second in _PADDING:
            continue
        out += bytes((kind, first, second))
    return bytes(out)


def caption_byte_cues(groups: Sequence[tuple[float, int, int, int]]) -> dict[int, list[Cue]]:
    """Returns the cues in the frame's user data, by the number of their track.

    Args:
        groups: (time in seconds, kind, first byte, second byte), in order of time.
    """
    out: dict[int, list[Cue]] = {}
    for field in (0, 1):
        pairs = [Pair(at_s, first, second) for at_s, kind, first, second in groups if kind == field]
        for channel, cues in line21_cues(pairs).items():
            out[_LINE21_TRACK + 2 * field + channel] = cues
    triplets = [
        Triplet(at_s, kind == 3, first, second) for at_s, kind, first, second in groups if kind > 1
    ]
    for number, cues in service_cues(triplets).items():
        out[_SERVICE_TRACK + number] = cues
    return out


def track_name(track: int) -> str:
    """Returns what a report calls a caption track; empty for a side-car file.

    Args:
        track: 0 for a side-car file, the stream's index plus one for a track of the container,
            above 1000 for EIA-608 channels, above 2000 for EIA-708 services.
    """
    if track > _SERVICE_TRACK:
        return f"EIA-708 service {track - _SERVICE_TRACK}"
    if track > _LINE21_TRACK:
        return f"EIA-608 CC{track - _LINE21_TRACK}"
    return f"stream {track - 1}" if track else ""
