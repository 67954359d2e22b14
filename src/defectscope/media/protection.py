"""Tracks that are encrypted, which no decoder can show to be whole or broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av.error

from defectscope.media.programmes import scrambled
from defectscope.media.tracks import ENCRYPTED, SCRAMBLED

# A track of which this many packets of all tracks hold none is not looked for any longer.
_MAX_PACKETS = 500
# Sample entries of encrypted video and sound.
_ENTRIES = (b"encv", b"enca")


def protected(container: Any, opened: Callable[[], Any], head: bytes) -> dict[int, str]:
    """Returns why tracks cannot be decoded without a key, by index.

    Asked before anything is decoded: now and then a decoder makes a frame of encrypted bytes.

    Source: ISO/IEC 23001-7 (common encryption of MP4), ISO/IEC 13818-1 (scrambled packets).

    Args:
        container: The container, open; nothing is read from it.
        opened: Opens it anew.
        head: The beginning of the file.
    """
    hidden = scrambled(head)
    found = {s.index: SCRAMBLED for s in container.streams if int(s.id) in hidden}
    if _may_be_encrypted(container, head):
        found |= {index: ENCRYPTED for index in _encrypted(opened())}
    return found


def _may_be_encrypted(container: Any, head: bytes) -> bool:
    """Tells whether an MP4 has sample entries of encrypted tracks, or may have them further on."""
    if "mp4" not in container.format.name:
        return False
    at = head.find(b"moov")
    whole = at >= 4 and at - 4 + int.from_bytes(head[at - 4 : at], "big") <= len(head)
    return not whole or any(entry in head for entry in _ENTRIES)


def _encrypted(container: Any) -> list[int]:
    """Returns the tracks whose first packet is encrypted; closes the container."""
    found: list[int] = []
    wanted = {s.index for s in container.streams if s.type in ("video", "audio")}
    try:
        for number, packet in enumerate(container.demux()):
            if not wanted or number > _MAX_PACKETS:
                break
            if packet.stream.index in wanted and packet.size:
                wanted.discard(packet.stream.index)
                if packet.has_sidedata("encryption_info"):
                    found.append(packet.stream.index)
    except av.error.FFmpegError:
        pass
    finally:
        container.close()
    return found
