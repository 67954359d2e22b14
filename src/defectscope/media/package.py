"""HLS and DASH packages on disk as one file: the best variant, with the sound that goes with it."""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from heapq import merge
from pathlib import Path
from typing import IO, Any

import av
import av.error

from defectscope.errors import UnreadableMediaError
from defectscope.media.codecs import add_copied_stream
from defectscope.media.dash import dash_files, dash_pieces
from defectscope.media.hls import hls_files, hls_pieces
from defectscope.media.packet_copy import PacketCopy
from defectscope.media.pieces import Joined, Piece

_HLS, _DASH = (".m3u8", ".m3u"), (".mpd",)
SUFFIXES = (*_HLS, *_DASH)
# What segments are made of. No playlist is among them: what a segment names is never opened.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,aac,ac3,eac3,mp3"
# Source: RFC 8216, 3.4: the time of packed sound, 33 bits of 90 kHz in eight bytes.
_ID3_OWNER = b"com.apple.streaming.transportStreamTimestamp\0"
_HEAD_BYTES, _TICKS_HZ = 4096, 90_000


def is_package(media: object) -> bool:
    """Tells whether something is the path of a playlist or manifest, by its suffix."""
    if not isinstance(media, str | os.PathLike):
        return False
    name = str(os.fspath(media))
    return "://" not in name and Path(name).suffix.lower() in SUFFIXES


def package_files(path: Path) -> set[Path]:
    """Returns the files that belong to a package, resolved, as far as they can be told."""
    return dash_files(path) if path.suffix.lower() in _DASH else hls_files(path)


def open_package(path: Path) -> IO[bytes]:
    """Returns a package as one seekable file.

    Segments of one variant are read where they lie. Where the sound lies apart, the packets of both
    are copied, undecoded, into a temporary file that has no name.

    Args:
        path: The playlist (`.m3u8`) or manifest (`.mpd`).

    Raises:
        MediaNotFoundError: It, or a segment of it, is missing.
        MediaRefusedError: It names what lies outside its folder.
        UnreadableMediaError: It is broken, encrypted, or of a kind that is not read.
    """
    dash = path.suffix.lower() in _DASH
    video, sound = dash_pieces(path) if dash else hls_pieces(path)
    joined: Any = Joined(video, path.name)
    return joined if not sound else _together(joined, Joined(sound, path.name), sound, path.name)


def _together(video: Any, sound: Any, pieces: list[Piece], name: str) -> IO[bytes]:
    file: Any = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        with video, sound, open_pieces(video, name) as pictures, open_pieces(sound, name) as sounds:
            if not pictures.streams.video or not sounds.streams.audio:
                raise UnreadableMediaError(f"{name}: a variant without what it should hold")
            with av.open(file, "w", format="mp4") as out:
                copies: list[PacketCopy] = []
                for held, stream, late_s in (
                    (pictures, pictures.streams.video[0], 0.0),
                    (sounds, sounds.streams.audio[0], _packed_s(pieces[0])),
                ):
                    made = add_copied_stream(out, stream)
                    made.time_base = stream.time_base
                    copies.append(PacketCopy(held, stream, made, late_s))
                ordered = merge(*(copy.until(None) for copy in copies), key=_decoded_s)
                for packet in ordered:
                    out.mux(packet)
    except (av.error.FFmpegError, ValueError, OSError) as error:
        file.close()
        reason = str(getattr(error, "strerror", None) or error).split(":")[0].lower()
        raise UnreadableMediaError(f"{name}: its parts do not go together ({reason})") from None
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def _decoded_s(packet: Any) -> Fraction:
    return Fraction(packet.dts) * packet.time_base


def open_pieces(file: Any, name: str) -> Any:
    """Returns segments one after another as a container.

    Args:
        file: The segments as one file.
        name: What the package is called.

    Raises:
        UnreadableMediaError: They are no media.
    """
    try:
        return av.open(
            file,
            options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (av.error.FFmpegError, ValueError, OSError):
        raise UnreadableMediaError(f"{name}: its segments are no media") from None


def _packed_s(piece: Piece) -> float:
    """The time at which packed sound begins, seconds; 0 where its container says that itself."""
    with piece.path.open("rb") as file:
        file.seek(piece.first)
        head = file.read(_HEAD_BYTES)
    place = head.find(_ID3_OWNER) if head.startswith(b"ID3") else -1
    if place < 0:
        return 0.0
    stated = head[place + len(_ID3_OWNER) :][:8]
    return int.from_bytes(stated, "big") / _TICKS_HZ
