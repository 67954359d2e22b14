"""WebVTT and SubRip, line by line, so that a broken cue costs only itself.

Libraries stop at the first fault or pass over it in silence; quality control needs its line.
Source: WebVTT, W3C Candidate Recommendation of 4 April 2019; SubRip has no standard.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from defectscope.errors import CaptionsError
from defectscope.media.cues import (
    BAD_ARROW,
    BAD_TIME,
    NO_HEADER,
    NO_TIMES,
    CaptionFault,
    Captions,
    Cue,
)

# A million cues are read and judged; beyond three nobody can mean it.
MAX_CUES = 3_000_000
_MAX_FAULTS = 1000
_TIME = re.compile(r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)[.,](\d{3})")
_TAG = re.compile(r"</?[^<>\n]{0,200}>|\{\\[^{}\n]{0,200}\}")
# Blocks of WebVTT that hold no cue.
_OTHER = ("NOTE", "STYLE", "REGION")


def seconds(text: str) -> float | None:
    """Gives a time of either format in seconds, None for what is none."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, whole, thousandths = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(whole) + int(thousandths) / 1000


def read_text(text: str, style: str, faults: Sequence[CaptionFault] = ()) -> Captions:
    """Gives the cues of a WebVTT or SubRip file.

    Args:
        text: The whole file.
        style: `webvtt` or `srt`.
        faults: What was wrong with its bytes.

    Raises:
        CaptionsError: There are more cues than any programme can have.
    """
    found = list(faults)
    cues: list[Cue] = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at = 0
    if style == "webvtt":
        if not lines[0].startswith("WEBVTT"):
            found.append(CaptionFault(1, NO_HEADER))
        else:
            while at < len(lines) and lines[at].strip():
                at += 1
    count = len(lines)
    while at < count:
        if not lines[at].strip():
            at += 1
            continue
        first = at
        while at < count and lines[at].strip():
            at += 1
        _block(lines, first, at, style, cues, found)
        if len(cues) > MAX_CUES:
            raise CaptionsError(f"more than {MAX_CUES} cues")
    found.sort(key=lambda fault: fault.source_line)
    return Captions(style, tuple(cues), tuple(found[:_MAX_FAULTS]))


def _block(
    lines: list[str], first: int, end: int, style: str, cues: list[Cue], found: list[CaptionFault]
) -> None:
    """Reads lines between two blank ones."""
    if style == "webvtt" and lines[first].startswith(_OTHER):
        return
    timed = next((k for k in range(first, min(first + 2, end)) if "-->" in lines[k]), None)
    if timed is None:
        # Blank lines inside a cue are common in SubRip: such text has no times of its own.
        bad = next((k for k in range(first, min(first + 2, end)) if _looks_timed(lines[k])), None)
        if bad is not None:
            found.append(CaptionFault(bad + 1, BAD_ARROW))
        elif lines[first].strip().isdigit() or not cues:
            found.append(CaptionFault(first + 1, NO_TIMES))
        return
    left, _, right = lines[timed].partition("-->")
    start_s, end_s = seconds(left), seconds(right.split()[0] if right.split() else "")
    if start_s is None or end_s is None:
        found.append(CaptionFault(timed + 1, BAD_TIME))
        return
    shown = tuple(plain(line) for line in lines[timed + 1 : end])
    cues.append(Cue(start_s, end_s, shown, timed + 1))


def _looks_timed(line: str) -> bool:
    return "->" in line or len(_TIME.findall(line)) == 2


def plain(line: str) -> str:
    """Gives a line without mark-up."""
    if "<" in line or "{" in line:
        line = _TAG.sub("", line)
    return (html.unescape(line) if "&" in line else line).strip()
