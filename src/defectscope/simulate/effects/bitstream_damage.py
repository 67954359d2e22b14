"""Breaks coded video where transmission and storage break it: bytes, slices, transport packets.

Frames are coded into a transport stream, damaged inside a span, and left for a decoder to make
the best of. Headers of the first frame stay whole, so that there is something to decode.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from defectscope.findings import Interval
from defectscope.media.packets import (
    PacketRecord,
    elementary_stream,
    flip_bytes,
    join_nals,
    rewrite_packets,
    split_nals,
)
from defectscope.media.transport import TsPacket, ts_packets

Damage = Literal["byte_noise", "slice_loss", "packet_loss"]
DAMAGES: tuple[Damage, ...] = ("byte_noise", "slice_loss", "packet_loss")

# A muxer looks for a start code at the head of a packet, and a frame header follows it.
_KEPT_BYTES = 12
# Source: ISO/IEC 13818-2, table 6-1 (slice start codes).
_MPEG2_SLICES = range(0x01, 0xB0)
# Encoders whose streams FFmpeg carries in a transport stream. Others go into NUT, whose muxer
# does not look into packets: that of Matroska refuses a broken AV1 stream.
_TRANSPORTED = ("libx264", "libx265", "mpeg1video", "mpeg2video", "mpeg4")
# What a transport packet carries: 188 bytes less its header (ISO/IEC 13818-1, 2.4.3.2).
_PAYLOAD_BYTES = 184


@dataclass(frozen=True, slots=True)
class Harm:
    """How a stream is broken.

    Attributes:
        damage: `byte_noise` replaces bytes, `slice_loss` drops coded slices, `packet_loss` drops
            188-byte packets of the transport stream, or what they would carry of another one.
        rate: Share of the bytes, slices or packets that are hit inside the span, 0 to 1.
        burst_packets: Mean run of transport packets that are lost together.
    """

    damage: Damage
    rate: float
    burst_packets: float = 1.0


def container_of(encoder: str) -> str:
    """Returns FFmpeg's muxer for a stream that is to be broken."""
    return "mpegts" if encoder in _TRANSPORTED else "nut"


def break_stream(
    source: Path,
    destination: Path,
    span: Interval,
    harm: Harm,
    rng: np.random.Generator,
    *,
    container_format: str = "mpegts",
) -> None:
    """Writes a stream with its video damaged inside a span.

    Args:
        source: An intact stream.
        destination: The damaged one.
        span: When, on the container's own clock.
        harm: How.
        rng: Where chance comes from.
        container_format: FFmpeg's muxer of both.
    """
    if harm.damage == "packet_loss" and container_format == "mpegts":
        _lose_packets(source, destination, span, harm, rng)
        return
    video: set[int] = set()

    def alter(record: PacketRecord) -> list[PacketRecord]:
        if record.medium != "video" or (video and record.stream not in video):
            return [record]
        first = not video
        video.add(record.stream)
        at = record.time_s
        if first or at is None or not span.start_s <= at < span.end_s:
            return [record]
        if harm.damage == "byte_noise":
            every = 1 / max(harm.rate, 1e-9)
            return [
                replace(record, data=flip_bytes(record.data, rng, every, keep_bytes=_KEPT_BYTES))
            ]
        if harm.damage == "packet_loss":
            data = _without_payloads(record.data, harm, rng)
        else:
            data = _without_slices(record, harm.rate, rng)
        return [replace(record, data=data)] if data else []

    rewrite_packets(source, destination, alter, container_format=container_format)


def _without_slices(record: PacketRecord, rate: float, rng: np.random.Generator) -> bytes:
    if record.codec == "h264" or record.codec == "hevc":
        units = split_nals(record.data, record.codec)
        kept = [u for u in units if not u.is_slice or rng.random() >= rate]
        return join_nals(kept) if any(u.is_slice for u in kept) else b""
    if record.codec not in ("mpeg1video", "mpeg2video"):
        # No slices to be told apart: all of the frame is lost.
        return b"" if rng.random() < rate else record.data
    head, *parts = record.data.split(b"\x00\x00\x01")
    kept = [p for p in parts if not p or p[0] not in _MPEG2_SLICES or rng.random() >= rate]
    return head + b"".join(b"\x00\x00\x01" + part for part in kept)


def _without_payloads(data: bytes, harm: Harm, rng: np.random.Generator) -> bytes:
    """Returns a frame with zeros where payloads are lost; nothing where it lost its beginning."""
    kept: list[bytes] = []
    lost = _losses(harm, rng)
    for start in range(0, len(data), _PAYLOAD_BYTES):
        payload = data[start : start + _PAYLOAD_BYTES]
        if not next(lost):
            kept.append(payload)
        elif start == 0:
            return b""
        else:
            kept.append(bytes(len(payload)))
    return b"".join(kept)


def _losses(harm: Harm, rng: np.random.Generator) -> Iterator[bool]:
    """Says of one packet after the other whether it is lost; losses come in runs."""
    losing = 0
    while True:
        if losing == 0 and rng.random() < harm.rate / harm.burst_packets:
            losing = int(rng.geometric(1 / harm.burst_packets))
        yield losing > 0
        losing = max(0, losing - 1)


def _lose_packets(
    source: Path, destination: Path, span: Interval, harm: Harm, rng: np.random.Generator
) -> None:
    _, records = elementary_stream(source)
    packets = ts_packets(source.read_bytes())
    video = _video_pid(packets)
    times = [record.time_s for record in records]
    unit, lost = -1, _losses(harm, rng)
    kept: list[bytes] = []
    for packet in packets:
        if packet.pid != video:
            kept.append(packet.data)
            continue
        unit += packet.starts_unit
        at = times[unit] if 0 <= unit < len(times) else None
        inside = unit > 0 and at is not None and span.start_s <= at < span.end_s
        if inside and next(lost):
            continue
        kept.append(packet.data)
    destination.write_bytes(b"".join(kept))


def _video_pid(packets: list[TsPacket]) -> int:
    """The identifier whose units begin with a video PES header (ISO/IEC 13818-1, table 2-22)."""
    for packet in packets:
        if not packet.starts_unit or packet.pid == 0:
            continue
        start = 4 + (1 + packet.data[4] if packet.data[3] & 0x20 else 0)
        head = packet.data[start : start + 4]
        if head[:3] == b"\x00\x00\x01" and 0xE0 <= head[3] <= 0xEF:
            return packet.pid
    return -1
