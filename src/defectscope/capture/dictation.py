"""Marks and events that a script writes, a line each, while a recording runs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

from defectscope.capture.recording import Recording
from defectscope.errors import InvalidParameterError

STOP = "stop"
_MAX_LINE = 4096


def take_marks(lines: Iterable[str], recording: Recording) -> None:
    """Notes what each line says, until `stop`, the end, or the recording's end.

    A line is a name (`play`), or JSON: `{"mark": "seek", "at": 1795947904.7}` or
    `{"event": "waiting", "at": ...}`; `at` is Unix time in seconds, now where it is missing.

    Args:
        lines: What the script writes.
        recording: The running recording.

    Raises:
        InvalidParameterError: A line says neither.
    """
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if text == STOP or not recording.running:
            return
        if not text:
            continue
        try:
            _take(text, recording)
        except InvalidParameterError as error:
            raise InvalidParameterError(f"marks, line {number}: {error.message}") from None


def _take(text: str, recording: Recording) -> None:
    if not text.startswith("{"):
        recording.mark(text)
        return
    try:
        data: Any = json.loads(text[:_MAX_LINE])
    except (ValueError, RecursionError):
        raise InvalidParameterError("a line is a name or a JSON object") from None
    fields = cast("dict[str, Any]", data)
    kinds = {"mark": recording.mark, "event": recording.event}
    named = [kind for kind in kinds if kind in fields]
    if len(named) != 1 or set(fields) - {"mark", "event", "at"}:
        raise InvalidParameterError('an object has "mark" or "event", and "at"')
    kinds[named[0]](fields[named[0]], fields.get("at"))
