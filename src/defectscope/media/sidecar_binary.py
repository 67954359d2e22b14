"""EBU STL: subtitles of the broadcast archives, by ttconv.

Source: EBU Tech 3264-E.
"""

from __future__ import annotations

import io
import logging
from typing import Any

from defectscope.errors import CaptionsError
from defectscope.media.cues import Captions, Cue


def read_stl(raw: bytes, name: str) -> Captions:
    """Gives the cues of an EBU STL file.

    Raises:
        CaptionsError: It cannot be read, or the reader is not installed.
    """
    try:
        import ttconv.stl.reader as reader
    except ImportError:
        raise CaptionsError(f"{name}: EBU STL needs the package ttconv") from None
    logging.getLogger("ttconv").setLevel(logging.CRITICAL)
    model: Any = None
    try:
        model = reader.to_model(io.BytesIO(raw))
    except Exception as error:  # a reader of hostile bytes may fail in any way
        raise CaptionsError(f"{name}: not EBU STL ({type(error).__name__})") from None
    cues: list[Cue] = []
    body = None if model is None else model.get_body()
    if body is not None:
        _collect(body, 0.0, cues)
    if not cues:
        raise CaptionsError(f"{name}: an EBU STL file without subtitles")
    return Captions("stl", tuple(cues))


def _collect(element: Any, offset_s: float, cues: list[Cue]) -> None:
    begin = element.get_begin()
    start_s = offset_s + float(begin or 0)
    if type(element).__name__ == "P":
        end = element.get_end()
        if end is not None:
            lines = tuple(part.strip() for part in _text(element).split("\n"))
            cues.append(Cue(start_s, offset_s + float(end), lines))
        return
    for child in element:
        _collect(child, start_s, cues)


def _text(element: Any) -> str:
    kind = type(element).__name__
    if kind == "Br":
        return "\n"
    if kind == "Text":
        return str(element.get_text())
    return "".join(_text(child) for child in element)
