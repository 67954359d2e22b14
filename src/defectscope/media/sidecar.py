"""Reads side-car captions: WebVTT, SubRip, TTML/IMSC and EBU STL."""

from __future__ import annotations

import os
from pathlib import Path

from defectscope.errors import CaptionsError
from defectscope.media.cues import NOT_UTF8, CaptionFault, Captions
from defectscope.media.sidecar_binary import read_stl
from defectscope.media.sidecar_text import read_text
from defectscope.media.sidecar_xml import read_ttml
from defectscope.media.source import MediaLike, resolve

# Ten hours of dense captions are 2 MB; the bound keeps a wrong file from filling the memory.
_MAX_BYTES = 128 * 1024 * 1024
_MAX_FAULTS = 1000


def read_captions(media: MediaLike) -> Captions:
    """Gives the cues of a side-car file, and what in it breaks its format.

    The format is told from the content, so that uploads need no name.

    Raises:
        CaptionsError: It cannot be read as captions at all.
    """
    source = resolve(media)
    if isinstance(source, str | os.PathLike):
        name = Path(source).name
        try:
            with Path(source).open("rb") as file:
                raw = file.read(_MAX_BYTES + 1)
        except OSError as error:
            raise CaptionsError(f"{source}: {(error.strerror or 'unreadable').lower()}") from None
    elif isinstance(source, bytes | bytearray):
        name, raw = "captions", bytes(source)
    else:
        name = Path(str(getattr(source, "name", "captions"))).name
        raw = source.read(_MAX_BYTES + 1)
    if len(raw) > _MAX_BYTES:
        raise CaptionsError(f"{name}: captions of more than {_MAX_BYTES >> 20} MB")
    if raw[3:6] == b"STL" and len(raw) >= 1024:
        return read_stl(raw, name)
    text, faults = _decoded(raw)
    start = text[:1024].lstrip()
    if start.startswith(("<?xml", "<tt", "<!--")):
        found = read_ttml(text, faults)
    else:
        webvtt = start.startswith("WEBVTT") or name.lower().endswith(".vtt")
        found = read_text(text, "webvtt" if webvtt else "srt", faults)
    if not found.cues and (found.faults or found.format == "srt"):
        raise CaptionsError(f"{name}: these are not captions")
    return found


def _decoded(raw: bytes) -> tuple[str, list[CaptionFault]]:
    """Gives the text, and a fault for each line that is not UTF-8.

    Such a line is read as Windows-1252, in which most files that are not UTF-8 were written.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace"), []
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    faults: list[CaptionFault] = []
    lines: list[str] = []
    for number, line in enumerate(raw.replace(b"\r\n", b"\n").split(b"\n"), 1):
        try:
            lines.append(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError:
            lines.append(line.decode("cp1252", "replace"))
            if len(faults) < _MAX_FAULTS:
                faults.append(CaptionFault(number, NOT_UTF8))
    return "\n".join(lines), faults
