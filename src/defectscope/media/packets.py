"""Packets of a file: read, altered and written again without decoding; and NAL units.

The simulators damage streams here, where transmission and storage damage them in life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from os import PathLike, fspath
from typing import Any, Literal

import av
import av.error
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer

from defectscope.errors import InvalidParameterError, UnreadableMediaError
from defectscope.media.codecs import add_copied_stream, codec_name
from defectscope.media.decoding_times import DecodingTimes

Framing = Literal["annexb", "length"]
NalCodec = Literal["h264", "hevc"]


@dataclass(frozen=True, slots=True)
class PacketRecord:
    """One coded packet.

    Attributes:
        stream: Number of its stream in the file.
        medium: `video`, `audio`, `subtitle` or `data`.
        codec: FFmpeg's name of the codec.
        data: The coded bytes.
        pts: Presentation time in ticks, None where the container has none.
        dts: Decoding time in ticks, None where the container has none.
        duration: Ticks, 0 where unknown.
        time_base: Seconds per tick.
        key: A random access point.
        position: Byte of the file at which it is stored, None where unknown.
    """

    stream: int
    medium: str
    codec: str
    data: bytes
    pts: int | None
    dts: int | None
    duration: int
    time_base: Fraction
    key: bool
    position: int | None = None

    @property
    def time_s(self) -> float | None:
        """When it is presented on the container's clock, in seconds."""
        ticks = self.dts if self.pts is None else self.pts
        return None if ticks is None else float(ticks * self.time_base)

    def ticks(self, seconds: float) -> int:
        """Returns seconds as ticks of this packet's clock."""
        return round(Fraction(seconds).limit_denominator(1_000_000) / self.time_base)


Alter = Callable[[PacketRecord], Iterable[PacketRecord]]


def read_packets(path: str | PathLike[str]) -> Iterator[PacketRecord]:
    """Returns the packets of a file in the order in which they are stored.

    Raises:
        UnreadableMediaError: It is not media.
    """
    container = _open(path)
    try:
        for packet in container.demux():
            if packet.size > 0:
                yield _record(packet)
    finally:
        container.close()


def rewrite_packets(
    source: str | PathLike[str],
    destination: str | PathLike[str],
    alter: Alter,
    *,
    container_format: str | None = None,
    options: Mapping[str, str] | None = None,
) -> None:
    """Copies a file packet by packet through a function that may change, drop or add packets.

    Decoding times must go on rising in every stream, as muxers demand; presentation times need
    not. Streams of data that a muxer cannot describe are left out.

    Args:
        source: The file to read.
        destination: The file to write; its suffix names the container.
        alter: Returns what shall be written for a packet.
        container_format: FFmpeg's muxer, where the suffix does not say.
        options: Options of the muxer.

    Raises:
        UnreadableMediaError: The source is not media.
        InvalidParameterError: The container cannot hold the streams or the altered packets.
    """
    container = _open(source)
    target = fspath(destination)
    try:
        out = av.open("file:" + target, "w", format=container_format, options=dict(options or {}))
        try:
            kept = [s for s in container.streams if s.type in ("video", "audio", "subtitle")]
            made = {s.index: add_copied_stream(out, s) for s in kept}
            for packet in _timed(container.demux(kept)):
                for record in alter(_record(packet)):
                    out.mux(_packet(record, made[record.stream]))
        finally:
            out.close()
    except (av.error.FFmpegError, ValueError) as error:
        raise InvalidParameterError(f"{target}: cannot be written ({error})") from None
    finally:
        container.close()


def elementary_stream(path: str | PathLike[str]) -> tuple[str, list[PacketRecord]]:
    """Returns the codec and the packets of the first video stream, H.264 and HEVC as Annex B.

    Raises:
        UnreadableMediaError: It is not media or has no video.
    """
    container = _open(path)
    try:
        if not container.streams.video:
            raise UnreadableMediaError(f"{fspath(path)}: no video")
        stream = container.streams.video[0]
        codec = codec_name(stream.codec_context)
        extra = stream.codec_context.extradata or b""
        # MP4 and Matroska store lengths before NAL units and parameter sets apart.
        convert = codec in ("h264", "hevc") and extra[:1] == b"\x01"
        chain = BitStreamFilterContext(f"{codec}_mp4toannexb", stream) if convert else None
        records: list[PacketRecord] = []
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            filtered = [packet] if chain is None else chain.filter(packet)
            records.extend(_record(each, stream) for each in filtered)
        return codec, records
    finally:
        container.close()


@dataclass(frozen=True, slots=True)
class Nal:
    """One network abstraction layer unit.

    Attributes:
        data: Header and payload, without start code or length.
        codec: Which codec's headers it has.
    """

    data: bytes
    codec: NalCodec

    @property
    def kind(self) -> int:
        """The type in its header (H.264 table 7-1, HEVC table 7-1), -1 for an empty unit."""
        if not self.data:
            return -1
        return self.data[0] & 0x1F if self.codec == "h264" else (self.data[0] >> 1) & 0x3F

    @property
    def is_slice(self) -> bool:
        """It carries frame data; everything else steers the decoder."""
        return 1 <= self.kind <= 5 if self.codec == "h264" else 0 <= self.kind <= 31

    @property
    def is_random_access(self) -> bool:
        """It is a slice of an IDR (H.264) or IRAP (HEVC) frame."""
        return self.kind == 5 if self.codec == "h264" else 16 <= self.kind <= 23


def split_nals(data: bytes, codec: NalCodec, framing: Framing = "annexb") -> list[Nal]:
    """Returns the NAL units of a packet.

    Args:
        data: A packet's bytes.
        codec: `h264` or `hevc`.
        framing: `annexb` for start codes, `length` for four-byte lengths as MP4 has them.
    """
    if framing == "length":
        return [Nal(unit, codec) for unit in _split_lengths(data)]
    units: list[Nal] = []
    start = data.find(b"\x00\x00\x01")
    while start >= 0:
        begin = start + 3
        start = data.find(b"\x00\x00\x01", begin)
        unit = data[begin:] if start < 0 else data[begin:start]
        # A unit never ends in zero bytes: those belong to the next start code (Annex B.1.1).
        units.append(Nal(unit.rstrip(b"\x00"), codec))
    return units


def join_nals(units: Sequence[Nal], framing: Framing = "annexb") -> bytes:
    """Returns a packet of NAL units."""
    if framing == "length":
        return b"".join(len(u.data).to_bytes(4, "big") + u.data for u in units)
    return b"".join(b"\x00\x00\x00\x01" + u.data for u in units)


def _split_lengths(data: bytes) -> Iterator[bytes]:
    position = 0
    while position + 4 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        yield data[position + 4 : position + 4 + length]
        position += 4 + length


def flip_bytes(
    data: bytes, rng: np.random.Generator, every_bytes: float, *, keep_bytes: int = 0
) -> bytes:
    """Returns the bytes with some replaced by chance, as noise on a line or a bad disk leaves them.

    Args:
        data: What to damage.
        rng: Where chance comes from.
        every_bytes: Mean distance between damaged bytes; at least 1.
        keep_bytes: Bytes at the start that stay whole, such as headers.
    """
    if len(data) <= keep_bytes:
        return data
    values = np.frombuffer(data, np.uint8).copy()
    hit = rng.random(len(values)) < 1 / max(1.0, every_bytes)
    hit[:keep_bytes] = False
    # 1 to 255 added modulo 256: a damaged byte is never the old one.
    values[hit] += rng.integers(1, 256, int(hit.sum()), dtype=np.uint8)
    return values.tobytes()


def _timed(packets: Iterable[Any]) -> Iterator[Any]:
    """Packets that hold something, every one with its decoding time."""
    streams: dict[int, DecodingTimes] = {}
    for packet in packets:
        if packet.size > 0:
            yield from streams.setdefault(packet.stream.index, DecodingTimes()).push(packet)
    for times in streams.values():
        yield from times.flush()


def _open(path: str | PathLike[str]) -> InputContainer:
    try:
        return av.open("file:" + fspath(path), metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise UnreadableMediaError(f"{fspath(path)}: not a media file ({error})") from None


def _record(packet: Any, stream: Any = None) -> PacketRecord:
    stream = stream or packet.stream
    return PacketRecord(
        stream=stream.index,
        medium=stream.type,
        codec=codec_name(stream.codec_context),
        data=bytes(packet),
        pts=packet.pts,
        dts=packet.dts,
        duration=packet.duration or 0,
        time_base=packet.time_base,
        key=packet.is_keyframe,
        position=packet.pos if packet.pos is not None and packet.pos >= 0 else None,
    )


def _packet(record: PacketRecord, stream: Any) -> Any:
    packet = av.Packet(record.data)
    packet.stream = stream
    packet.time_base = record.time_base
    packet.pts = record.pts
    packet.dts = record.dts
    packet.duration = record.duration
    packet.is_keyframe = record.key
    return packet
