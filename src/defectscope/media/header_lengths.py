"""Lengths that headers state and FFmpeg cuts down to what is there.

Sources: Multimedia Programming Interface and Data Specifications 1.0 (RIFF, WAVE, AVI), EBU Tech
3306 (RF64), Sony Wave64, Apple Core Audio Format Specification 1.0, Sun's audio files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

# Format tags of WAVE whose bytes a second are exact: PCM, float, A-law, mu-law, extensible.
_EVEN_TAGS = {1, 3, 6, 7, 0xFFFE}
# What programs write that cannot know yet how much will come: SoX the largest signed number less
# its header, others the largest number or nothing.
_UNKNOWN_FROM, _UNKNOWN_TO = 0x7FFFFF00, 0x7FFFFFFF
_UNKNOWN = {0, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1}
_EVEN_CAF = {b"lpcm", b"alaw", b"ulaw"}
# Bytes of a sample in Sun's audio files, by their encoding.
_SUN_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
_MAX_CHUNKS = 1000


def header_lengths_s(head: bytes, size: int) -> dict[int, float]:
    """Returns how long tracks are by the header of a file that lacks bytes, in seconds, by index.

    Args:
        head: The beginning of the file.
        size: Bytes of the whole file; not positive where that is not known.

    Returns:
        Nothing where all bytes are there, where the header says nothing, or in other formats.
    """
    if size <= 0:
        return {}
    try:
        if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
            return _wave(head, size)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _avi(head, size)
        if head[:4] == b"riff" and head[24:28] == b"wave":
            return _wave64(head, size)
        if head[:4] == b"caff":
            return _core_audio(head, size)
        if head[:4] == b".snd":
            return _sun(head, size)
    except struct.error:
        pass
    return {}


def _chunks(head: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields name, place of the contents and stated size of each chunk of RIFF."""
    for _ in range(_MAX_CHUNKS):
        if at + 8 > min(end, len(head)):
            return
        name, size = struct.unpack_from("<4sI", head, at)
        yield name, at + 8, size
        at += 8 + size + size % 2


def _missing(stated: int, there: int, per_s: float) -> dict[int, float]:
    """Returns the stated length of one track of a truncated file."""
    known = stated not in _UNKNOWN and not _UNKNOWN_FROM <= stated <= _UNKNOWN_TO
    return {0: stated / per_s} if known and per_s > 0 and stated > there else {}


def _wave(head: bytes, size: int) -> dict[int, float]:
    large, per_s = 0, 0.0
    for name, at, length in _chunks(head, 12, len(head)):
        if name == b"ds64":
            large = struct.unpack_from("<8xQ", head, at)[0]
        elif name == b"fmt ":
            tag, _, rate_hz, _, block = struct.unpack_from("<HHIIH", head, at)
            per_s = float(rate_hz * block) if tag in _EVEN_TAGS else 0.0
        elif name == b"data":
            stated = large if large and length == 0xFFFFFFFF else length
            return _missing(stated, size - at, per_s)
    return {}


def _wave64(head: bytes, size: int) -> dict[int, float]:
    at, per_s = 40, 0.0
    for _ in range(_MAX_CHUNKS):
        length = struct.unpack_from("<16xQ", head, at)[0]
        if head[at : at + 4] == b"fmt ":
            tag, _, rate_hz, _, block = struct.unpack_from("<HHIIH", head, at + 24)
            per_s = float(rate_hz * block) if tag in _EVEN_TAGS else 0.0
        elif head[at : at + 4] == b"data":
            return _missing(length - 24, size - at - 24, per_s)
        if length < 24:
            break
        at += (length + 7) // 8 * 8
    return {}


def _core_audio(head: bytes, size: int) -> dict[int, float]:
    at, per_s = 8, 0.0
    for _ in range(_MAX_CHUNKS):
        name, length = struct.unpack_from(">4sq", head, at)
        if name == b"desc":
            rate_hz, form, _, packet, frames = struct.unpack_from(">d4sIII", head, at + 12)
            per_s = rate_hz * packet / frames if form in _EVEN_CAF and frames else 0.0
        elif name == b"data":
            # Four bytes count edits.
            return _missing(length - 4, size - at - 16, per_s) if length > 4 else {}
        if length < 0:
            break
        at += 12 + length
    return {}


def _sun(head: bytes, size: int) -> dict[int, float]:
    start, stated, encoding, rate_hz, channels = struct.unpack_from(">4x5I", head)
    per_s = float(rate_hz * channels * _SUN_BYTES.get(encoding, 0))
    return _missing(stated, size - start, per_s)


def _avi(head: bytes, size: int) -> dict[int, float]:
    """Lengths by the headers of streams; a file of more than 1 GB goes on in further RIFFs."""
    whole = 8 + struct.unpack_from("<I", head, 4)[0]
    if whole == size:
        return {}
    lengths: dict[int, float] = {}
    for name, at, length in _chunks(head, 12, len(head)):
        if name != b"LIST" or head[at : at + 4] != b"hdrl":
            continue
        index = 0
        for inner, within, part in _chunks(head, at + 4, at + length):
            if inner != b"LIST" or head[within : within + 4] != b"strl":
                continue
            for last, place, _ in _chunks(head, within + 4, within + part):
                if last == b"strh":
                    scale, rate, _, count = struct.unpack_from("<4I", head, place + 20)
                    if scale and rate and count not in _UNKNOWN:
                        lengths[index] = count * scale / rate
            index += 1
        break
    return lengths
