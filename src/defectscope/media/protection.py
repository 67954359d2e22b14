"""Tracks that are encrypted, which no decoder can show to be whole or broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import av.error

from defectscope.media.programmes import scrambled
from defectscope.media.tracks import ENCRYPTED, SCRAMBLED

# A track of which this many packets of all tracks hold none is not looked for any longer.
_MAX_PACKETS = 500


def protected(opened: Callable[[], Any], head: bytes) -> dict[int, str]:
    """Returns why tracks cannot be decoded without a key, by index.

    Source: ISO/IEC 23001-7 (common encryption of MP4), ISO/IEC 13818-1 (scrambled packets).

    Args:
        opened: Opens the container anew.
        head: The beginning of the file.
    """
    hidden = scrambled(head)
    container = opened()
    found = {s.index: SCRAMBLED for s in container.streams if int(s.id) in hidden}
    try:
        wanted = {s.index for s in container.streams if s.type in ("video", "audio")} - set(found)
        for number, packet in enumerate(container.demux()):
            if not wanted or number > _MAX_PACKETS:
                break
            if packet.stream.index in wanted and packet.size:
                wanted.discard(packet.stream.index)
                if packet.has_sidedata("encryption_info"):
                    found[packet.stream.index] = ENCRYPTED
    except av.error.FFmpegError:
        pass
    finally:
        container.close()
    return found
