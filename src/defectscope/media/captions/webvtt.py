"""WebVTT, block by block as browsers parse it, with a fault for what they pass over in silence.

Source: WebVTT, W3C Candidate Recommendation of 4 April 2019, sections 6.1 (file parsing) and 6.3
(cue timings and settings); RFC 8216, section 3.5 (X-TIMESTAMP-MAP).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from defectscope.errors import CaptionsError
from defectscope.media.captions.markup import webvtt_lines
from defectscope.media.cues import (
    BAD_ARROW,
    BAD_MAP,
    BAD_TIME,
    COMMA,
    MAX_CUES,
    MAX_FAULTS,
    NO_HEADER,
    NO_TIMES,
    CaptionFault,
    Captions,
    Cue,
)

_SPACE = " \t\n\f\r"
_STAMP = re.compile(r"(?:([0-9]+):)?([0-9]{2}):([0-9]{2})\.([0-9]{3})(?![0-9])")
_LOOSE = re.compile(r"[0-9]+:[0-9]{1,2}[:.,][0-9]{1,3}")
_MAP = re.compile(r"X-TIMESTAMP-MAP\s*=(.*)", re.IGNORECASE)
_CLOCK_HZ = 90_000
# Where a cue is shown; `size` alone moves nothing.
_PLACING = ("vertical", "line", "position", "align", "region")


def stamp_s(text: str) -> float | None:
    """Returns a WebVTT timestamp in seconds, None for what is none."""
    found = _STAMP.match(text)
    return None if found is None or found.end() != len(text) else _seconds(found)


def _seconds(found: re.Match[str]) -> float | None:
    hours, minutes, seconds, thousandths = found.groups()
    if int(minutes) > 59 or int(seconds) > 59 or len(hours or "") > 9:
        return None
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(thousandths) / 1000


@dataclass
class _Cursor:
    """Lines still to be parsed, and what came of those before."""

    lines: list[str]
    at: int = 0
    cues: list[Cue] = field(default_factory=list[Cue])
    faults: list[CaptionFault] = field(default_factory=list[CaptionFault])
    offset_s: float | None = None


def read_webvtt(text: str, faults: Sequence[CaptionFault] = ()) -> Captions:
    """Returns the cues of a WebVTT file and what in it no browser shows.

    Args:
        text: The whole file.
        faults: What was wrong with its bytes.

    Raises:
        CaptionsError: There are more cues than any programme can have.
    """
    text = text.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n")
    cursor = _Cursor(text.split("\n"), faults=list(faults))
    first = cursor.lines[0]
    if first[:6] == "WEBVTT" and first[6:7] in ("", " ", "\t"):
        cursor.at = 1
        _header(cursor)
    else:
        # A browser shows nothing at all; the cues are read so that they can be evaluated.
        cursor.faults.append(CaptionFault(1, NO_HEADER))
        # What was meant for a header is no lost caption as well.
        cursor.at = int(first.lstrip("\ufeff" + _SPACE)[:6].upper() == "WEBVTT")
    while cursor.at < len(cursor.lines):
        if not cursor.lines[cursor.at]:
            cursor.at += 1
            continue
        _block(cursor)
        if len(cursor.cues) > MAX_CUES:
            raise CaptionsError(f"more than {MAX_CUES} cues")
    cursor.faults.sort(key=lambda fault: fault.source_line)
    return Captions(
        "webvtt",
        tuple(cursor.cues),
        tuple(cursor.faults[:MAX_FAULTS]),
        mpegts_offset_s=cursor.offset_s,
    )


def _header(cursor: _Cursor) -> None:
    """Reads the header's lines, up to a blank one or the first with an arrow."""
    lines = cursor.lines
    while cursor.at < len(lines) and lines[cursor.at] and "-->" not in lines[cursor.at]:
        found = _MAP.match(lines[cursor.at])
        if found is not None:
            cursor.offset_s = timestamp_map_s(found[1])
            if cursor.offset_s is None:
                cursor.faults.append(CaptionFault(cursor.at + 1, BAD_MAP))
        cursor.at += 1


def timestamp_map_s(text: str) -> float | None:
    """Returns the transport stream's time at cue time 0, in seconds; None for what is no map."""
    parts = dict(part.strip().split(":", 1) for part in text.split(",") if ":" in part)
    named = {key.strip().upper(): value.strip() for key, value in parts.items()}
    local_s = stamp_s(named.get("LOCAL", ""))
    ticks = named.get("MPEGTS", "")
    if local_s is None or not re.fullmatch(r"[0-9]{1,12}", ticks):
        return None
    return int(ticks) / _CLOCK_HZ - local_s


def _block(cursor: _Cursor) -> None:
    """Collects one block: a cue, a style sheet, a region, a comment or nothing."""
    lines, first = cursor.lines, cursor.at
    buffer: list[str] = []
    timed: int | None = None
    timing: tuple[float, float, str] | None = None
    while cursor.at < len(lines):
        line = lines[cursor.at]
        if "-->" in line:
            # Only the first or second line of a block can hold its times.
            if timed is not None or cursor.at - first > 1:
                break
            timed, timing = cursor.at, _timing(line)
            if timing is not None:
                buffer.clear()
        elif not line:
            break
        else:
            buffer.append(line)
        cursor.at += 1
    if timing is not None and timed is not None:
        start_s, end_s, place = timing
        shown = webvtt_lines("\n".join(buffer))
        cursor.cues.append(Cue(start_s, end_s, shown, timed + 1, place=place))
    else:
        _note_lost(cursor, first, timed)


def _note_lost(cursor: _Cursor, first: int, timed: int | None) -> None:
    """Notes text that no browser shows, where its author meant it to be seen."""
    head = cursor.lines[first]
    kind = head.split(maxsplit=1)[0] if head.strip() else ""
    if kind == "NOTE" or (head.rstrip(_SPACE) in ("STYLE", "REGION") and timed is None):
        return
    if timed is not None:
        comma = "," in cursor.lines[timed] and _timing(cursor.lines[timed].replace(",", "."))
        cursor.faults.append(CaptionFault(timed + 1, COMMA if comma else BAD_TIME))
        return
    part = cursor.lines[first : min(first + 2, cursor.at)]
    arrow = next((k for k, line in enumerate(part) if _looks_timed(line)), None)
    if arrow is not None:
        cursor.faults.append(CaptionFault(first + arrow + 1, BAD_ARROW))
    elif any(line.strip() for line in cursor.lines[first : cursor.at]):
        cursor.faults.append(CaptionFault(first + 1, NO_TIMES))


def _looks_timed(line: str) -> bool:
    return len(_LOOSE.findall(line)) == 2


def _timing(line: str) -> tuple[float, float, str] | None:
    """Returns start, end and place of a line with an arrow, None where it is malformed."""
    left, _, right = line.partition("-->")
    start_s = stamp_s(left.strip(_SPACE))
    right = right.lstrip(_SPACE)
    found = _STAMP.match(right)
    end_s = None if found is None else _seconds(found)
    if start_s is None or end_s is None or found is None:
        return None
    settings = dict(
        part.split(":", 1) for part in right[found.end() :].split() if part.count(":") >= 1
    )
    place = " ".join(f"{key}:{settings[key]}" for key in _PLACING if key in settings)
    return start_s, end_s, place
