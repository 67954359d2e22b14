"""Scenarist closed captions: time codes and the bytes of line 21.

Source: the files that Scenarist writes; SMPTE ST 12-1 for drop-frame time codes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from defectscope.errors import InvalidParameterError
from defectscope.media.captions.line21 import Pair, line21_cues
from defectscope.media.cues import BAD_BYTES, BAD_TIME, MAX_FAULTS, CaptionFault, Captions
from defectscope.media.timecode import Timecode

_RATE = Fraction(30000, 1001)
_WORD = re.compile(r"[0-9A-Fa-f]{4}")
_HEADER = "Scenarist_SCC"


def is_scc(text: str) -> bool:
    """Tells whether text begins as a Scenarist file does."""
    return text.startswith(_HEADER)


def read_scc(text: str, faults: Sequence[CaptionFault] = ()) -> Captions:
    """Returns the cues of a Scenarist file, first channel of the first field.

    Args:
        text: The whole file.
        faults: What was wrong with its bytes.
    """
    found = list(faults)
    pairs: list[Pair] = []
    latest = 0
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for number, line in enumerate(lines[1:], 2):
        if not line.strip():
            continue
        stamp, *words = line.split()
        try:
            # A comma or point before the frames is an old way to mark drop-frame.
            frame = Timecode.parse(stamp.replace(",", ";"), _RATE).frame
        except InvalidParameterError:
            found.append(CaptionFault(number, BAD_TIME))
            continue
        if any(_WORD.fullmatch(word) is None for word in words):
            found.append(CaptionFault(number, BAD_BYTES))
        for word in words:
            if _WORD.fullmatch(word) is not None:
                latest = max(latest, frame)
                at_s = float(latest / _RATE)
                pairs.append(Pair(at_s, int(word[:2], 16), int(word[2:], 16), number))
            frame += 1
    cues = line21_cues(pairs).get(1, [])
    return Captions("scc", tuple(cues), tuple(found[:MAX_FAULTS]), timecoded=True)
