"""Where a transport stream tells time, and how it is told another.

Source: ISO/IEC 13818-1, 2.4.3.4 (PCR) and 2.4.3.6 (PTS and DTS).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from defectscope.errors import UnreadableMediaError

PACKET_BYTES = 188
SYNC_BYTE = 0x47
CLOCK_HZ = 90_000
WRAP_TICKS = 1 << 33
_PCR_AT = 6
_MIN_ADAPTATION = 7

Bytes = NDArray[np.uint8]


def packets_of(data: bytes) -> Bytes:
    """Returns a transport stream as (packets, 188).

    Raises:
        UnreadableMediaError: It is not one.
    """
    count = len(data) // PACKET_BYTES
    rows = np.frombuffer(data, np.uint8)[: count * PACKET_BYTES].reshape(count, PACKET_BYTES)
    if not count or not (rows[:, 0] == SYNC_BYTE).all():
        raise UnreadableMediaError("not a transport stream of 188-byte packets")
    return rows


def pids_of(rows: Bytes) -> NDArray[np.int64]:
    """Returns (packets,) packet identifiers."""
    return (rows[:, 1].astype(np.int64) & 0x1F) << 8 | rows[:, 2]


def has_payload(rows: Bytes) -> NDArray[np.bool_]:
    """Returns (packets,) whether a packet counts for its continuity counter."""
    return (rows[:, 3] & 0x10) != 0


def pcr_rows(rows: Bytes) -> NDArray[np.int64]:
    """Returns which packets carry a PCR."""
    adapted = (rows[:, 3] & 0x20) != 0
    return np.flatnonzero(adapted & (rows[:, 4] >= _MIN_ADAPTATION) & ((rows[:, 5] & 0x10) != 0))


def pcr_ticks(rows: Bytes, which: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns the 90 kHz part of some packets' PCR."""
    field = rows[which, _PCR_AT : _PCR_AT + 5].astype(np.int64)
    high = field[:, 0] << 25 | field[:, 1] << 17 | field[:, 2] << 9 | field[:, 3] << 1
    return high | field[:, 4] >> 7


@dataclass(frozen=True, slots=True)
class Stamp:
    """One field that tells time.

    Attributes:
        row: Its packet.
        at: Its first byte in the packet.
        is_pcr: It is a PCR, else a PTS or DTS.
    """

    row: int
    at: int
    is_pcr: bool


def stamps_of(rows: Bytes) -> list[Stamp]:
    """Returns every PCR, PTS and DTS, ordered by packet."""
    found = [Stamp(int(row), _PCR_AT, True) for row in pcr_rows(rows)]
    starts = np.flatnonzero(((rows[:, 1] & 0x40) != 0) & has_payload(rows))
    for row in starts.tolist():
        packet = rows[row]
        at = 5 + int(packet[4]) if packet[3] & 0x20 else 4
        if at + 19 > PACKET_BYTES or bytes(packet[at : at + 3]) != b"\x00\x00\x01":
            continue
        flags = int(packet[at + 7]) >> 6
        if packet[at + 6] >> 6 == 2 and flags & 2:
            found.append(Stamp(row, at + 9, False))
            if flags == 3:
                found.append(Stamp(row, at + 14, False))
    return sorted(found, key=lambda stamp: (stamp.row, stamp.at))


def shift(packet: bytearray, at: int, *, is_pcr: bool, ticks: int) -> None:
    """Adds ticks of 90 kHz to a field of a packet, modulo 33 bits."""
    if is_pcr:
        value = int.from_bytes(packet[at : at + 6], "big")
        base = ((value >> 15) + ticks) % WRAP_TICKS
        packet[at : at + 6] = (base << 15 | value & 0x7FFF).to_bytes(6, "big")
        return
    a, b, c, d, e = packet[at : at + 5]
    stamp = (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1
    stamp = (stamp + ticks) % WRAP_TICKS
    packet[at : at + 5] = bytes(
        (
            a & 0xF1 | (stamp >> 29) & 0x0E,
            stamp >> 22 & 0xFF,
            c & 1 | (stamp >> 14) & 0xFE,
            stamp >> 7 & 0xFF,
            e & 1 | (stamp << 1) & 0xFE,
        )
    )
