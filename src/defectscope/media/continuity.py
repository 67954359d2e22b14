"""Whether a file's clock runs through, so that an instant can be sought by its time stamp.

Of formats whose time stamps are a sender's clock (MPEG-TS, MPEG-PS, FLV), parts may be joined whose
clocks begin anew. Seeking would then land in whichever part has such a time stamp.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import av.error

from defectscope.media.clocks import BACK_S, FORWARD_S, SENT
from defectscope.media.ranged import BLOCK_BYTES, RangedFile

# Places looked at where reading everything would cost too much: 3 % of a file at most.
_MOST_PLACES = 12
_BYTES_A_PLACE = 4_000_000
_PACKET_BYTES, _SYNC = 188, 0x47
# Source: ISO/IEC 13818-1, 2.4.3.7 (time stamps of 33 bits).
_WRAP = 1 << 33


def is_sent(container: str) -> bool:
    """Tells whether a format's time stamps are a sender's clock.

    Args:
        container: FFmpeg's name of the format, or several with commas between.
    """
    return any(name in container.split(",") for name in SENT)


def runs_through(opened: Callable[[], Any]) -> bool:
    """Tells whether the time stamps of a whole file go on, by reading it without decoding.

    Args:
        opened: Opens the container anew.
    """
    container = opened()
    try:
        streams = [*container.streams.video, *container.streams.audio]
        reached: dict[int, float] = {}
        for packet in container.demux(*streams):
            if packet.dts is None:
                continue
            index, at_s = packet.stream.index, float(packet.dts * packet.time_base)
            step_s = at_s - reached.get(index, at_s)
            if not -BACK_S <= step_s <= FORWARD_S:
                return False
            reached[index] = at_s
    except av.error.FFmpegError:
        pass
    finally:
        container.close()
    return True


def seems_to_run_through(file: RangedFile) -> bool:
    """Tells likewise of a transport stream far away, by the clock at places spread over it.

    A part that is shorter than 4 MB, or than a twelfth of the file, may be missed.

    Args:
        file: The file; 1.5 MB of it are read at most.
    """
    before: int | None = None
    places = max(2, min(_MOST_PLACES, file.size // _BYTES_A_PLACE))
    for place in range(places):
        file.seek(file.size * place // places)
        at = next(_stamps(file.read(min(BLOCK_BYTES, file.size // places))), None)
        if at is None:
            continue
        # Half the range of the counter ahead is a step back.
        if before is not None and (at - before) % _WRAP > _WRAP // 2:
            return False
        before = at
    return True


def _stamps(part: bytes) -> Iterator[int]:
    """Yields the programme clock references in a part of a transport stream, in 1/90,000 s."""
    start = next(
        (k for k in range(_PACKET_BYTES) if part[k::_PACKET_BYTES][:5] == bytes([_SYNC] * 5)), None
    )
    if start is None:
        return
    for at in range(start, len(part) - _PACKET_BYTES + 1, _PACKET_BYTES):
        packet = part[at : at + _PACKET_BYTES]
        # An adaptation field that is long enough and says that it holds a reference.
        if packet[0] == _SYNC and packet[3] & 0x20 and packet[4] >= 7 and packet[5] & 0x10:
            yield int.from_bytes(packet[6:10], "big") << 1 | packet[10] >> 7
