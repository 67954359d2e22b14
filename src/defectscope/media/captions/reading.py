"""Reads captions of any supported format; the format is detected from the content."""

from __future__ import annotations

import re

from defectscope.errors import CaptionsError
from defectscope.media.captions.scc import is_scc, read_scc
from defectscope.media.captions.stl import is_stl, read_stl
from defectscope.media.captions.subrip import read_subrip
from defectscope.media.captions.ttml import read_ttml
from defectscope.media.captions.webvtt import read_webvtt
from defectscope.media.cues import BAD_XML, MAX_FAULTS, NOT_UTF8, CaptionFault, Captions

# Ten hours of dense captions are 2 MB; the bound keeps a wrong file from filling the memory.
MAX_BYTES = 128 * 1024 * 1024
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DECLARED = re.compile(rb"""<\?xml[^>]{1,200}encoding\s*=\s*["']([A-Za-z0-9._-]{2,40})["']""")
# What an XML declaration may name, beside Unicode's own.
_CODE_PAGES = re.compile(r"(?i)iso-?8859-\d{1,2}|latin-?1|(windows-?|cp)125\d|us-ascii|utf-?16")
# What is named instead of read.
_NOT_READ = (
    (re.compile(r"(?i)\[script info\]"), "Advanced SubStation (ASS, SSA)"),
    (re.compile(r"(?i)<sami"), "SAMI"),
    (re.compile(r"\{\d+\}\{\d*\}"), "MicroDVD"),
    (re.compile(r"(?i)\[information\]|\d+:\d\d:\d\d\.\d{2,3},\d+:\d\d:\d\d\.\d{2,3}"), "SubViewer"),
    (re.compile(r"(?i)\[(ti|ar|al|by|\d\d):"), "LRC"),
)


def captions_from(raw: bytes, name: str) -> Captions:
    """Returns the cues of a file, and what in it breaks its format.

    Args:
        raw: The whole file.
        name: What it is called.

    Raises:
        CaptionsError: It cannot be read as captions at all.
    """
    if len(raw) > MAX_BYTES:
        raise CaptionsError(f"{name}: captions of more than {MAX_BYTES >> 20} MB")
    if is_stl(raw):
        return read_stl(raw, name)
    text, faults = _decoded(raw)
    start = text[:1024].lstrip()
    if start.startswith(("<?xml", "<tt", "<!--")):
        found = read_ttml(text, faults)
        told = all(fault.message != BAD_XML for fault in found.faults)
    elif is_scc(start):
        found, told = read_scc(text, faults), True
    elif start.startswith("WEBVTT") or name.lower().endswith(".vtt"):
        if raw.startswith(_UTF16):
            faults.append(CaptionFault(1, NOT_UTF8))
        found, told = read_webvtt(text, faults), start.startswith("WEBVTT")
    else:
        found, told = read_subrip(text, faults), False
    # Where a file says what it is, having no cue is its fault and no reason to refuse it.
    if not found.cues and not told:
        known = next((format for mark, format in _NOT_READ if mark.match(start)), None)
        if known is not None:
            raise CaptionsError(f"{name}: {known} is not read as a file beside the media")
        raise CaptionsError(f"{name}: these are not captions")
    return found


def _decoded(raw: bytes) -> tuple[str, list[CaptionFault]]:
    """Returns the text, and a fault for each line that is not UTF-8.

    Such a line is read as Windows-1252, in which most files that are not UTF-8 were written. XML
    may declare another encoding.
    """
    if raw.startswith(_UTF16):
        return raw.decode("utf-16", "replace"), []
    declared = _DECLARED.match(raw[:512])
    if declared is not None and _CODE_PAGES.fullmatch(declared[1].decode("ascii")):
        try:
            return raw.decode(declared[1].decode("ascii")), []
        except (UnicodeDecodeError, LookupError):
            pass
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
            if len(faults) < MAX_FAULTS:
                faults.append(CaptionFault(number, NOT_UTF8))
    return "\n".join(lines), faults
