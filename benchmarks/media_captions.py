"""Writes a short film with captions of one kind in a container, and says what is read of them.

Used by `media_table.py`. Captions go in as packets of the codec's own form, those of the frame's
user data (A/53) as messages in front of its slices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import media_films
import numpy as np
from media_films import RATE, add_video, encoded
from numpy.typing import NDArray

from defectscope.analysis import analyze
from defectscope.detectors.caption_quality.embedded import bytes_table, embedded_tracks
from defectscope.errors import DefectscopeError
from defectscope.media import open_media
from defectscope.media.captions.caption_bytes import CaptionBytes
from defectscope.media.cues import Cue
from defectscope.media.sidecar import read_captions

FRAMES, SIZE = 50, (64, 48)
TEXT = "a caption"
_TTML = (
    '<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="{0}s" end="{1}s">'
    + TEXT
    + "</p></div></body></tt>"
)
# Codec of the track, and the bytes of a packet that is on screen from one instant to another.
TRACKS: dict[str, tuple[str, Any]] = {
    "SubRip": ("subrip", lambda a, b: TEXT.encode()),
    "WebVTT": ("webvtt", lambda a, b: TEXT.encode()),
    "ASS": ("ass", lambda a, b: f"0,0,Default,,0,0,0,,{{\\i1}}{TEXT}".encode()),
    "mov_text": ("mov_text", lambda a, b: len(TEXT).to_bytes(2, "big") + TEXT.encode()),
    "TTML (stpp)": ("ttml", lambda a, b: _TTML.format(a, b).encode()),
    "WebVTT (wvtt)": ("mov_text", lambda a, b: len(TEXT).to_bytes(2, "big") + TEXT.encode()),
    "DVB": ("dvbsub", lambda a, b: _dvb()),
    "DVB teletext": ("dvb_teletext", lambda a, b: b"\x10" + b"\x02\x2c" + bytes(44)),
    "PGS": ("pgssub", lambda a, b: _graphics(a)),
}
# In H.264's user data, whatever the container.
USER_DATA = ("EIA-608", "EIA-708")
# Containers that can hold captions.
CONTAINERS = {
    name: media_films.CONTAINERS[name]
    for name in ("MP4", "QuickTime", "Matroska", "WebM", "MPEG-TS", "NUT", "AVI", "FLV", "MXF")
}
# A block each: code page, standard, country; number, times and text (EBU Tech 3264).
_STL_HEAD = bytearray(b" " * 1024)
for _at, _text in ((0, b"850STL25.01100"), (238, b"000010000100114023"), (255, b"100000000")):
    _STL_HEAD[_at : _at + len(_text)] = _text
_STL_BLOCK = bytes((0, 0, 0, 255, 0, 0, 0, 0, 10, 0, 0, 1, 5, 20, 2, 0)) + TEXT.encode()
SIDE_CARS: dict[str, tuple[str, str | bytes]] = {
    "SubRip": ("srt", f"1\n00:00:00,400 --> 00:00:01,200\n{TEXT}\n"),
    "WebVTT": ("vtt", f"WEBVTT\n\n00:00.400 --> 00:01.200\n{TEXT}\n"),
    "TTML, IMSC, EBU-TT": ("ttml", _TTML.format(0.4, 1.2)),
    "SCC": (
        "scc",
        "Scenarist_SCC V1.0\n\n00:00:00:00\t9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef80 942f "
        "942f\n\n00:00:01:00\t942c 942c\n",
    ),
    "EBU STL": ("stl", bytes(_STL_HEAD) + _STL_BLOCK.ljust(128, b"\x8f")),
}


def _graphics(start_s: float) -> bytes:
    """Returns a display set of Blu-ray's graphics: an image of two rows."""

    def segment(kind: int, data: bytes) -> bytes:
        return bytes((kind,)) + len(data).to_bytes(2, "big") + data

    size = (64).to_bytes(2, "big") + (48).to_bytes(2, "big")
    pixels = b"\0\x04\0\x02" + b"\x01\x01\x01\x01\0\0" * 2
    return (
        segment(0x16, size + b"\x10\0\x01\x80\0\0\x01\0\0\0\0\0\x04\0\x04")
        + segment(0x17, b"\x01\0\0\0\0\0" + size)
        + segment(0x14, b"\0\0\x01\xeb\x80\x80\xff")
        + segment(0x15, b"\0\0\0\xc0" + len(pixels).to_bytes(3, "big") + pixels)
        + segment(0x80, b"")
    )


def _dvb() -> bytes:
    """Returns a display set of DVB subtitles (ETSI EN 300 743): one region, four samples."""

    def segment(kind: int, data: bytes) -> bytes:
        return bytes((0x0F, kind, 0, 1)) + len(data).to_bytes(2, "big") + data

    line = b"\x10\x55\x00\xf0"
    return (
        segment(0x10, b"\x02\x08\x00\xff\0\0\0\0")
        + segment(0x11, b"\0\x07\0\x10\0\x02\x27\0\0\0\0\0\0\0\0\0")
        + segment(0x13, b"\0\0\x01\0\x04\0\x04" + line + line)
        + segment(0x80, b"")
    )


def _user_data(text: str, eia_708: bool) -> dict[int, list[tuple[int, int, int]]]:
    """Returns triplets of A/53 by frame that load a caption, show it and take it away."""

    def odd(code: int) -> int:
        return code if code.bit_count() % 2 else code | 0x80

    if eia_708:
        show = b"\x98\x20\x4a\x00\x20\x0f\x11" + text.encode() + b"\x03"
        away = b"\x8a\xff"
        return {
            frame: _packet_708(data, n)
            for n, (frame, data) in enumerate({10: show, 30: away}.items())
        }
    pairs = [(0x14, 0x20), (0x14, 0x20), (0x14, 0x70), (0x14, 0x70)]
    codes = [ord(letter) for letter in text] + [0] * (len(text) % 2)
    pairs += zip(codes[::2], codes[1::2], strict=True)
    pairs += [(0x14, 0x2F), (0x14, 0x2F)]
    found = {2 + k: [(0, odd(a), odd(b))] for k, (a, b) in enumerate(pairs)}
    return found | {30: [(0, odd(0x14), odd(0x2C))], 31: [(0, odd(0x14), odd(0x2C))]}


def _packet_708(block: bytes, sequence: int) -> list[tuple[int, int, int]]:
    packet = bytes([1 << 5 | len(block)]) + block
    packet += b"\0" * (1 - len(packet) % 2)
    packet = bytes([sequence << 6 | (len(packet) + 1) // 2]) + packet
    return [(3 if k == 0 else 2, packet[k], packet[k + 1]) for k in range(0, len(packet), 2)]


def _message(triplets: list[tuple[int, int, int]]) -> bytes:
    """Returns triplets as an H.264 message of user data (ATSC A/53-4, 6.2.3)."""
    data = b"".join(bytes((0xFC | kind, a, b)) for kind, a, b in triplets)
    user = b"\xb5\x00\x31GA94\x03" + bytes((0x40 | len(triplets), 0xFF)) + data + b"\xff"
    raw = bytes((4, len(user))) + user + b"\x80"
    # No three bytes may look like the beginning of a unit.
    return b"\0\0\0\1\6" + re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", raw)


def _planes() -> Iterator[NDArray[np.uint8]]:
    """Gives the luma of frames that grow lighter."""
    for number in range(FRAMES):
        yield np.full((SIZE[1], SIZE[0]), 60 + number, np.uint8)


def write_user_data(path: Path, muxer: str, kind: str) -> None:
    """Writes two seconds of H.264 whose frames carry captions as user data."""
    groups = _user_data(TEXT, kind == "EIA-708")
    stream_path = path.with_suffix(".264")
    with av.open(str(stream_path), "w", format="h264") as film:
        video = add_video(film, "libx264", SIZE)
        video.codec_context.options = {"bf": "0"}
        for packets in encoded(video, _planes()):
            film.mux(packets)
    # A message belongs before the first slice of its frame.
    slices = re.compile(rb"\x00{2,3}\x01(?=[\x01\x21\x41\x61\x05\x25\x45\x65])")
    count = iter(range(FRAMES))
    raw = slices.sub(
        lambda m: _message(groups.get(next(count, FRAMES), [(0, 0x80, 0x80)])) + m[0],
        stream_path.read_bytes(),
    )
    stream_path.write_bytes(raw)
    with av.open(str(stream_path)) as made, av.open(str(path), "w", format=muxer) as out:
        source = made.streams.video[0]
        copy = out.add_stream_from_template(source)
        for number, packet in enumerate(p for p in made.demux(source) if p.size):
            packet.pts = packet.dts = round(number / RATE / packet.time_base)
            packet.stream = copy
            out.mux(packet)


def write_film(path: Path, muxer: str, codec: str, packet_of: Any) -> None:
    """Writes two seconds of video with one caption from 0.4 to 1.2 s."""
    with av.open(str(path), "w", format=muxer) as film:
        video = add_video(film, "libvpx" if muxer == "webm" else "libx264", SIZE)
        track = film.add_mux_stream(codec)
        base = Fraction(1, 90_000 if muxer == "mpegts" else 1000)
        for number, packets in enumerate(encoded(video, _planes())):
            film.mux(packets)
            if number == 10:
                packet = av.Packet(packet_of(0.4, 1.2))
                packet.time_base, packet.stream = base, track
                packet.pts = packet.dts = int(Fraction(2, 5) / base)
                packet.duration = int(Fraction(4, 5) / base)
                film.mux(packet)


def tried(folder: Path, container: str, kind: str) -> str:
    """Returns what becomes of a combination: `read`, why not, or nothing where none can be made."""
    suffix, muxer = CONTAINERS[container]
    path = folder / f"captions.{suffix}"
    try:
        if kind in USER_DATA:
            write_user_data(path, muxer, kind)
        else:
            write_film(path, muxer, *TRACKS[kind])
        if kind == "WebVTT (wvtt)":
            # FFmpeg writes none: the name alone is tried.
            path.write_bytes(path.read_bytes().replace(b"tx3g", b"wvtt"))
        with av.open(str(path)) as made:
            there = any(stream.type == "subtitle" for stream in made.streams)
            renamed = kind == "WebVTT (wvtt)"
            if kind in TRACKS and (muxer != "mp4" if renamed else not there):
                return ""
    except (av.error.FFmpegError, ValueError, OSError, RuntimeError):
        return ""
    try:
        with open_media(path) as reader:
            items = list(reader.read())
        tracks = analyze(path, detectors=["caption_quality"]).tracks
    except DefectscopeError as error:
        return error.code
    found = [item for item in items if isinstance(item, Cue) and not item.clears]
    if any(cue.image or TEXT in " ".join(cue.lines) for cue in found):
        return "read"
    rows = bytes_table(item for item in items if isinstance(item, CaptionBytes))
    tracks_708 = embedded_tracks(rows, float(FRAMES / RATE)).values()
    if any(len(TEXT) in track.characters for track in tracks_708):
        return "read"
    reason = next((t["reason"] for t in tracks if t["medium"] == "captions" and t["reason"]), "")
    return reason or "no caption came of it"


def side_car(folder: Path, kind: str) -> str:
    """Returns `read` where a side-car file gives its caption."""
    suffix, data = SIDE_CARS[kind]
    path = folder / f"captions.{suffix}"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    captions = read_captions(path)
    return "read" if captions.cues and not captions.faults else "not read"


def table(folder: Path) -> tuple[list[str], int, int]:
    """Returns the rows of the table, and how many combinations were tried and read."""
    rows: list[str] = []
    counted = {"tried": 0, "read": 0}
    for container in CONTAINERS:
        found: dict[str, list[str]] = {}
        for kind in (*TRACKS, *USER_DATA):
            outcome = tried(folder, container, kind)
            if outcome:
                found.setdefault(outcome, []).append(kind)
        rows.append(row(container, found, counted))
    found = {}
    for kind in SIDE_CARS:
        found.setdefault(side_car(folder, kind), []).append(kind)
    rows.append(row("a file beside the media", found, counted))
    return rows, counted["tried"], counted["read"]


def row(name: str, found: dict[str, list[str]], counted: dict[str, int]) -> str:
    """Returns one row of the table, and counts what is in it."""
    counted["tried"] += sum(map(len, found.values()))
    counted["read"] += len(found.get("read", []))
    read = ", ".join(found.get("read", [])) or "none"
    rest = "; ".join(f"{', '.join(n)}: {said}" for said, n in found.items() if said != "read")
    return f"| {name} | {read} | {rest} |"
