"""Captions in fragments of MP4, written box by box: no library here writes them.

Source: ISO/IEC 14496-12 (boxes), ISO/IEC 14496-30 (stpp, wvtt).
"""

from __future__ import annotations

import struct

TIMESCALE = 1000
_UNITY = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def box(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind.encode() + body


def full(kind: str, *parts: bytes, flags: int = 0, version: int = 0) -> bytes:
    return box(kind, struct.pack(">I", version << 24 | flags), *parts)


def ttml_entry() -> bytes:
    names = b"http://www.w3.org/ns/ttml\0\0\0"
    return box("stpp", bytes(6), struct.pack(">H", 1), names)


def webvtt_entry() -> bytes:
    return box("wvtt", bytes(6), struct.pack(">H", 1), box("vttC", b"WEBVTT"))


def initialisation(entry: bytes) -> bytes:
    """The section before all fragments: one track of captions."""
    track_head = full(
        "tkhd", struct.pack(">5I", 0, 0, 1, 0, 0), bytes(16), _UNITY, bytes(8), flags=7
    )
    media_head = full("mdhd", struct.pack(">4IHH", 0, 0, TIMESCALE, 0, 0x15C7, 0))
    handler = full("hdlr", bytes(4), b"subt" if b"stpp" in entry else b"text", bytes(12), b"c\0")
    where = box("dinf", full("dref", struct.pack(">I", 1), full("url ", flags=1)))
    empty = [full(k, bytes(4)) for k in ("stts", "stsc", "stco")] + [full("stsz", bytes(8))]
    table = box("stbl", full("stsd", struct.pack(">I", 1), entry), *empty)
    media = box("mdia", media_head, handler, box("minf", full("nmhd"), where, table))
    extends = box("mvex", full("trex", struct.pack(">5I", 1, 1, 0, 0, 0)))
    times = struct.pack(">4IIHH", 0, 0, TIMESCALE, 0, 0x10000, 0x100, 0)
    head = full("mvhd", times, bytes(8), _UNITY, bytes(24), struct.pack(">I", 2))
    return box("ftyp", b"iso6\0\0\0\0iso6dash") + box(
        "moov", head, box("trak", track_head, media), extends
    )


def fragment(number: int, start_ms: int, samples: list[tuple[int, bytes]]) -> bytes:
    """A fragment whose samples, of (milliseconds, bytes), follow one another."""
    table = b"".join(struct.pack(">II", length, len(data)) for length, data in samples)

    def moof(offset: int) -> bytes:
        run = full("trun", struct.pack(">Ii", len(samples), offset), table, flags=0x301)
        time = full("tfdt", struct.pack(">Q", start_ms), version=1)
        track = box("traf", full("tfhd", struct.pack(">I", 1), flags=0x20000), time, run)
        return box("moof", full("mfhd", struct.pack(">I", number)), track)

    return moof(len(moof(0)) + 8) + box("mdat", *(data for _, data in samples))


def vttc(text: str) -> bytes:
    return box("vttc", box("payl", text.encode()))


VTTE = box("vtte")
