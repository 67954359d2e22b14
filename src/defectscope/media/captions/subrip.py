"""SubRip, line by line, so that a broken cue costs only itself.

Libraries stop at the first fault or pass over it in silence; quality control needs its line.
SubRip has no standard.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from defectscope.errors import CaptionsError
from defectscope.media.captions.markup import anchor, plain
from defectscope.media.cues import (
    BAD_ARROW,
    BAD_TIME,
    MAX_CUES,
    MAX_FAULTS,
    NO_TIMES,
    CaptionFault,
    Captions,
    Cue,
)

_TIME = re.compile(r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)[.,](\d{3})")
_CORNER = re.compile(r"[XY][12]:-?\d{1,5}")


def _time_s(text: str) -> float | None:
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, whole, thousandths = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(whole) + int(thousandths) / 1000


def read_subrip(text: str, faults: Sequence[CaptionFault] = ()) -> Captions:
    """Returns the cues of a SubRip file.

    Args:
        text: The whole file.
        faults: What was wrong with its bytes.

    Raises:
        CaptionsError: There are more cues than any programme can have.
    """
    found = list(faults)
    cues: list[Cue] = []
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    at, count = 0, len(lines)
    while at < count:
        if not lines[at].strip():
            at += 1
            continue
        first = at
        while at < count and lines[at].strip():
            at += 1
        _block(lines, first, at, cues, found)
        if len(cues) > MAX_CUES:
            raise CaptionsError(f"more than {MAX_CUES} cues")
    found.sort(key=lambda fault: fault.source_line)
    return Captions("srt", tuple(cues), tuple(found[:MAX_FAULTS]))


def _block(
    lines: list[str], first: int, end: int, cues: list[Cue], found: list[CaptionFault]
) -> None:
    """Reads lines between two blank ones."""
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
    start_s, end_s = _time_s(left), _time_s(right.split()[0] if right.split() else "")
    if start_s is None or end_s is None:
        found.append(CaptionFault(timed + 1, BAD_TIME))
        return
    raw = lines[timed + 1 : end]
    place = anchor("\n".join(raw)) or " ".join(_CORNER.findall(right))
    cues.append(Cue(start_s, end_s, tuple(plain(line) for line in raw), timed + 1, place=place))


def _looks_timed(line: str) -> bool:
    return "->" in line or len(_TIME.findall(line)) == 2
