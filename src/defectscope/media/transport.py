"""MPEG transport streams as their packets, for losing some of them as a network does."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike, fspath

import av

from defectscope.errors import UnreadableMediaError
from defectscope.media.packets import rewrite_packets

TS_PACKET_BYTES = 188
_TS_SYNC = 0x47


@dataclass(frozen=True, slots=True)
class TsPacket:
    """One packet of an MPEG transport stream.

    Attributes:
        data: Its 188 bytes.
    """

    data: bytes

    @property
    def pid(self) -> int:
        """Its packet identifier (ISO/IEC 13818-1, 2.4.3.2)."""
        return int.from_bytes(self.data[1:3], "big") & 0x1FFF

    @property
    def starts_unit(self) -> bool:
        """A PES packet or a section starts in it."""
        return bool(self.data[1] & 0x40)


def ts_packets(data: bytes) -> list[TsPacket]:
    """Returns the packets of a transport stream.

    Raises:
        UnreadableMediaError: It is not a whole stream of 188-byte packets.
    """
    if len(data) < TS_PACKET_BYTES or data[0] != _TS_SYNC:
        raise UnreadableMediaError("not an MPEG transport stream of 188-byte packets")
    ends = range(TS_PACKET_BYTES, len(data) + 1, TS_PACKET_BYTES)
    return [TsPacket(data[end - TS_PACKET_BYTES : end]) for end in ends]


def write_transport_stream(
    source: str | PathLike[str], destination: str | PathLike[str]
) -> dict[str, int]:
    """Remuxes a file as an MPEG transport stream.

    Returns:
        The packet identifier of the first stream of each medium.
    """
    rewrite_packets(source, destination, lambda record: (record,), container_format="mpegts")
    container = av.open("file:" + fspath(destination))
    try:
        return {s.type: s.id for s in reversed(list(container.streams))}
    finally:
        container.close()
