"""Programme tables of a transport stream as they come: which tracks there ought to be.

Source: ISO/IEC 13818-1, 2.4.4; ETSI TR 101 290, 5.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

PAT_PID = 0
_PAT_TABLE, _PMT_TABLE = 0x00, 0x02
# A hostile stream may name a table on every packet identifier.
_MAX_PROGRAMMES = 64
_MAX_TRACKS = 64
_LANGUAGE_DESCRIPTOR = 0x0A
_CRC_POLYNOMIAL = 0x04C11DB7
_MEDIUM = {
    0x01: "video", 0x02: "video", 0x10: "video", 0x1B: "video", 0x24: "video", 0x33: "video",
    0x03: "audio", 0x04: "audio", 0x0F: "audio", 0x11: "audio", 0x81: "audio", 0x87: "audio",
    0x1C: "audio", 0x2D: "audio",
}  # fmt: skip


def _table() -> list[int]:
    found: list[int] = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (_CRC_POLYNOMIAL if value & 0x80000000 else 0)
        found.append(value & 0xFFFFFFFF)
    return found


_CRC_TABLE = _table()


def crc_of(section: bytes) -> int:
    """Returns the CRC of a section, 0 where the one at its end is right."""
    value = 0xFFFFFFFF
    for byte in section:
        value = (value << 8) & 0xFFFFFFFF ^ _CRC_TABLE[value >> 24 ^ byte]
    return value


@dataclass(frozen=True, slots=True)
class TrackEntry:
    """A track that a programme map names.

    Attributes:
        pid: Its packet identifier.
        medium: `video`, `audio` or `other`.
        language: ISO 639-2 code, empty without one.
    """

    pid: int
    medium: str
    language: str = ""


class Tables:
    """Follows the programme association and the programme maps.

    Attributes:
        maps: Packet identifier of each programme's map, by programme.
        tracks: Tracks by programme.
        clocks: Packet identifiers that carry a PCR.
        changes: How often a map's tracks have changed since the first.
        crc_errors: Sections that are damaged.
    """

    def __init__(self) -> None:
        self.maps: dict[int, int] = {}
        self.tracks: dict[int, tuple[TrackEntry, ...]] = {}
        self.clocks: set[int] = set()
        self.changes = 0
        self.crc_errors = 0
        self._pids = np.array([PAT_PID])
        self._sections: dict[int, bytearray] = {}
        self._last: dict[int, bytes] = {}

    @property
    def pids(self) -> NDArray[np.int64]:
        """The packet identifiers that carry tables."""
        return self._pids

    def entries(self) -> list[TrackEntry]:
        """Returns the tracks of all programmes."""
        return [track for tracks in self.tracks.values() for track in tracks]

    def push(self, pid: int, packet: bytes) -> None:
        """Takes a packet that carries tables."""
        at = 5 + packet[4] if packet[3] & 0x20 else 4
        if at >= len(packet) or not packet[3] & 0x10:
            return
        payload = packet[at:]
        if packet[1] & 0x40:
            payload = payload[1 + payload[0] :]
            self._sections[pid] = bytearray()
        elif not self._sections.get(pid):
            return
        held = self._sections[pid]
        held.extend(payload)
        if len(held) < 3:
            return
        length = 3 + (int.from_bytes(held[1:3], "big") & 0x0FFF)
        if len(held) < length:
            return
        section = bytes(held[:length])
        self._sections[pid] = bytearray()
        # Ten times a second the same: only what is new is read.
        if section == self._last.get(pid):
            return
        if length < 12 or crc_of(section):
            self.crc_errors += 1
            return
        self._last[pid] = section
        if pid == PAT_PID and section[0] == _PAT_TABLE:
            self._read_association(section)
        elif section[0] == _PMT_TABLE and pid in self.maps.values():
            self._read_map(section)

    def _read_association(self, section: bytes) -> None:
        maps: dict[int, int] = {}
        for at in range(8, len(section) - 7, 4):
            number = int.from_bytes(section[at : at + 2], "big")
            if number and len(maps) < _MAX_PROGRAMMES:
                maps[number] = int.from_bytes(section[at + 2 : at + 4], "big") & 0x1FFF
        self.maps = maps
        self.tracks = {n: t for n, t in self.tracks.items() if n in maps}
        self._pids = np.array([PAT_PID, *sorted(set(maps.values()))])

    def _read_map(self, section: bytes) -> None:
        number = int.from_bytes(section[3:5], "big")
        if number not in self.maps:
            return
        self.clocks.add(int.from_bytes(section[8:10], "big") & 0x1FFF)
        at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
        found: list[TrackEntry] = []
        while at + 5 <= len(section) - 4 and len(found) < _MAX_TRACKS:
            pid = int.from_bytes(section[at + 1 : at + 3], "big") & 0x1FFF
            length = int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF
            language = _language(section[at + 5 : at + 5 + length])
            found.append(TrackEntry(pid, _MEDIUM.get(section[at], "other"), language))
            at += 5 + length
        tracks = tuple(found)
        if number in self.tracks and self.tracks[number] != tracks:
            self.changes += 1
        self.tracks[number] = tracks


def _language(descriptors: bytes) -> str:
    at = 0
    while at + 2 <= len(descriptors):
        length = descriptors[at + 1]
        if descriptors[at] == _LANGUAGE_DESCRIPTOR and length >= 3:
            return descriptors[at + 2 : at + 5].decode("ascii", "replace")
        at += 2 + length
    return ""
