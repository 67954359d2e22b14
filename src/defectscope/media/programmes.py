"""Programmes of an MPEG transport stream: which elementary stream belongs to which.

Source: ISO/IEC 13818-1, 2.4.4 (programme association and programme map sections).
"""

from __future__ import annotations

from collections import Counter

_SYNC = 0x47
_PACKET_BYTES = 188
_PAT_PID = 0
_PAT_TABLE, _PMT_TABLE = 0x00, 0x02
# Bits of a packet's fourth byte.
_SCRAMBLING, _HAS_PAYLOAD = 0xC0, 0x10
# Packets of 188 bytes stand alone, behind 4 bytes of time code (M2TS) or before 16 of parity.
_STRIDES = (188, 192, 204)
_IN_A_ROW = 5
_ROW = bytes([_SYNC]) * _IN_A_ROW
HEAD_BYTES = 4 * 1024 * 1024
"""Programme maps come ten times a second: this is more than a second of any stream."""


def programmes(head: bytes) -> dict[int, frozenset[int]]:
    """Returns the packet identifiers of each programme, empty where it is no transport stream.

    Args:
        head: The beginning of the stream.
    """
    return _maps(head)[0]


def lists_programmes(head: bytes) -> bool:
    """Tells whether there is nothing more to learn of programmes behind a beginning.

    Args:
        head: The beginning of a file, 2 KB or more.
    """
    return not _grid(head)[0] or _maps(head)[1]


def scrambled(head: bytes) -> frozenset[int]:
    """Returns the packet identifiers most of whose packets are scrambled.

    One such packet alone may be a damaged header.

    Source: ISO/IEC 13818-1, 2.4.3.3 (transport_scrambling_control).

    Args:
        head: The beginning of the stream.
    """
    stride, first = _grid(head)
    starts = range(first, len(head) - 3, stride) if stride else ()
    every: Counter[int] = Counter()
    hidden: Counter[int] = Counter()
    for start in starts:
        if head[start] == _SYNC and head[start + 3] & _HAS_PAYLOAD:
            pid = int.from_bytes(head[start + 1 : start + 3], "big") & 0x1FFF
            every[pid] += 1
            hidden[pid] += bool(head[start + 3] & _SCRAMBLING)
    return frozenset(pid for pid, count in hidden.items() if 2 * count > every[pid])


def _maps(head: bytes) -> tuple[dict[int, frozenset[int]], bool]:
    """The streams of each programme, and whether every programme's map was there."""
    stride, first = _grid(head)
    if not stride:
        return {}, False
    sections: dict[int, bytearray] = {_PAT_PID: bytearray()}
    maps: dict[int, int] = {}
    found: dict[int, frozenset[int]] = {}
    for start in range(first, len(head) - _PACKET_BYTES + 1, stride):
        packet = head[start : start + _PACKET_BYTES]
        pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
        if packet[0] != _SYNC or pid not in sections:
            continue
        section = _collected(sections, pid, packet)
        if section is None:
            continue
        if pid == _PAT_PID and section[0] == _PAT_TABLE:
            for at in range(8, len(section) - 7, 4):
                number = int.from_bytes(section[at : at + 2], "big")
                if number:
                    map_pid = int.from_bytes(section[at + 2 : at + 4], "big") & 0x1FFF
                    maps[map_pid] = number
                    sections.setdefault(map_pid, bytearray())
        elif section[0] == _PMT_TABLE and pid in maps:
            number = int.from_bytes(section[3:5], "big")
            found.setdefault(number, _streams(section))
            if len(found) >= len(maps):
                return found, True
    return found, False


def _grid(head: bytes) -> tuple[int, int]:
    """The distance between packets and where the first begins; 0 where there are none."""
    for stride in _STRIDES:
        # From one byte of synchronisation to the next: most bytes are none.
        first = head.find(_SYNC, 0, stride)
        while first >= 0:
            if head[first : first + _IN_A_ROW * stride : stride] == _ROW:
                return stride, first
            first = head.find(_SYNC, first + 1, stride)
    return 0, 0


def _collected(sections: dict[int, bytearray], pid: int, packet: bytes) -> bytes | None:
    """Adds a packet's payload to its section; returns the section once it is whole."""
    adaptation = packet[3] >> 4 & 3
    at = 4 + (1 + packet[4] if adaptation & 2 else 0)
    payload = packet[at:] if adaptation & 1 else b""
    if packet[1] & 0x40 and payload:
        payload = payload[1 + payload[0] :]
        sections[pid].clear()
    elif not sections[pid]:
        return None
    sections[pid].extend(payload)
    held = sections[pid]
    if len(held) < 3:
        return None
    length = 3 + (int.from_bytes(held[1:3], "big") & 0x0FFF)
    return bytes(held[:length]) if len(held) >= length else None


def _streams(section: bytes) -> frozenset[int]:
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
    found: set[int] = set()
    while at + 5 <= len(section) - 4:
        found.add(int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF)
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF)
    return frozenset(found)
