"""Captions of HLS and DASH packages on disk: files, segments of WebVTT, fragments of MP4.

Source: RFC 8216, 3.5 and 4.3.4.1; ISO/IEC 23009-1, 5.3.3; ISO/IEC 14496-30, clauses 5 and 7.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import av.error

from defectscope.errors import CaptionsError
from defectscope.media.captions.markup import webvtt_lines
from defectscope.media.captions.reading import MAX_BYTES, captions_from
from defectscope.media.captions.ttml import read_ttml
from defectscope.media.cues import MAX_CUES, MAX_FAULTS, CaptionFault, Captions, Cue
from defectscope.media.dash import dash_captions
from defectscope.media.hls import hls_captions
from defectscope.media.package import is_package, open_pieces
from defectscope.media.pieces import Joined, Piece

_DASH = ".mpd"
# A caption that goes on in the next fragment begins there within a tick of a millisecond.
_TOUCHING_S = 0.0015


def captions_with(media: object) -> str | None:
    """Returns what to read the captions from that go with a package; None where there are none.

    Raises:
        MediaError: The package, or its captions, cannot be read.
    """
    if not is_package(media):
        return None
    path = Path(os.fspath(cast("str", media)))
    return str(path) if _pieces(path)[0] else None


def _pieces(path: Path) -> tuple[list[Piece], bool]:
    return (dash_captions if path.suffix.lower() == _DASH else hls_captions)(path)


def read_package_captions(path: Path) -> Captions:
    """Returns the captions that go with a package's best variant.

    A cue that several segments repeat, or that goes on in the next fragment, is one cue.

    Args:
        path: The playlist or manifest.

    Raises:
        CaptionsError: There are none, or they cannot be read as captions.
        MediaError: The package cannot be read.
    """
    pieces, fragments = _pieces(path)
    if not pieces:
        raise CaptionsError(f"{path.name}: the package has no captions")
    if fragments:
        return _of_fragments(pieces, path.name)
    if len(pieces) == 1:
        return captions_from(_bytes(pieces[0]), pieces[0].path.name)
    return _of_segments(pieces)


def _bytes(piece: Piece) -> bytes:
    with Joined([piece], piece.path.name) as file:
        return file.read(MAX_BYTES + 1)


def _of_segments(pieces: list[Piece]) -> Captions:
    """Files that follow one another; each may map its times to the stream's clock by itself."""
    faults: list[CaptionFault] = []
    offset_s: float | None = None
    cues: dict[Cue, None] = {}
    kind, size = "webvtt", 0
    for piece in pieces:
        raw = _bytes(piece)
        size += len(raw)
        if size > MAX_BYTES:
            raise CaptionsError(f"{piece.path.name}: captions of more than {MAX_BYTES >> 20} MB")
        if not raw.strip():
            continue
        found = captions_from(raw, piece.path.name)
        kind = found.format
        faults += found.faults[: MAX_FAULTS - len(faults)]
        by_s = 0.0
        if found.mpegts_offset_s is not None:
            offset_s = found.mpegts_offset_s if offset_s is None else offset_s
            by_s = found.mpegts_offset_s - offset_s
        for cue in found.cues:
            at = replace(
                cue,
                start_s=round(cue.start_s + by_s, 6),
                end_s=round(cue.end_s + by_s, 6),
                source_line=None,
            )
            cues[at] = None
        if len(cues) > MAX_CUES:
            raise CaptionsError(f"more than {MAX_CUES} cues")
    return Captions(kind, tuple(cues), tuple(faults), mpegts_offset_s=offset_s)


def _of_fragments(pieces: list[Piece], name: str) -> Captions:
    """Samples of MP4, each with the text on screen for its duration, on the clock of the video."""
    cues: list[Cue] = []
    faults: list[CaptionFault] = []
    kind, size = "webvtt", 0
    try:
        with Joined(pieces, name) as file, open_pieces(file, name) as held:
            for packet in held.demux(held.streams[0]):
                data = bytes(packet)
                if packet.pts is None or not data:
                    continue
                size += len(data)
                if size > MAX_BYTES or len(cues) > MAX_CUES:
                    raise CaptionsError(f"{name}: more captions than any programme can have")
                begin_s = float(packet.pts * packet.time_base)
                end_s = begin_s + float((packet.duration or 0) * packet.time_base)
                if data.lstrip()[:1] == b"<":
                    found = read_ttml(data.decode("utf-8", "replace"))
                    kind = "ttml"
                    faults += found.faults[: MAX_FAULTS - len(faults)]
                    shown = [_while(cue, begin_s, end_s) for cue in found.cues]
                    _go_on(cues, [cue for cue in shown if cue is not None])
                else:
                    texts = list(_payloads(data))
                    _go_on(cues, [Cue(begin_s, end_s, webvtt_lines(text)) for text in texts])
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise CaptionsError(f"{name}: its captions cannot be read ({error})") from None
    # 0 on their clock is 0 on that of the container.
    return Captions(kind, tuple(cues), tuple(faults), mpegts_offset_s=0.0)


def _while(cue: Cue, begin_s: float, end_s: float) -> Cue | None:
    """The part of a cue within a sample; None if they do not overlap."""
    first_s, last_s = max(cue.start_s, begin_s), min(cue.end_s, end_s)
    if last_s <= first_s and cue.end_s > cue.start_s:
        return None
    return replace(cue, start_s=first_s, end_s=last_s, source_line=None)


def _go_on(cues: list[Cue], shown: list[Cue]) -> None:
    """Adds what a sample shows; what the one before showed up to here goes on."""
    for cue in shown:
        for place in range(len(cues) - 1, max(-1, len(cues) - 9), -1):
            before = cues[place]
            same = (before.lines, before.place) == (cue.lines, cue.place)
            if same and abs(before.end_s - cue.start_s) <= _TOUCHING_S:
                cues[place] = replace(before, end_s=cue.end_s)
                break
        else:
            cues.append(cue)


def _payloads(data: bytes) -> Iterator[str]:
    """The text of each cue box of a WebVTT sample; an empty box shows nothing."""
    for kind, body in _boxes(data):
        if kind == b"vttc":
            for inner, text in _boxes(body):
                if inner == b"payl":
                    yield text.decode("utf-8", "replace")


def _boxes(data: bytes) -> Iterator[tuple[Any, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size = struct.unpack_from(">I", data, at)[0]
        if size < 8:
            return
        yield data[at + 4 : at + 8], data[at + 8 : at + size]
        at += size
