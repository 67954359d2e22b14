"""Reads the fields of a request record; each raises MalformedRequestError for what is none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from defectscope.errors import MalformedRequestError

_MAX_ID_CHARACTERS = 256
# Source: ISO/IEC 13818-1, 2.4.4.5 (program_number has 16 bits).
_MAX_PROGRAM = 65_535


def text(key: str, value: Any) -> str:
    """Returns text that is not empty."""
    if not isinstance(value, str) or not value:
        raise MalformedRequestError(f"{key} must be text")
    return value


def identifier(key: str, value: Any) -> str:
    """Returns the caller's own name for a record, as text."""
    given = text(key, str(value) if type(value) is int else value)
    if len(given) > _MAX_ID_CHARACTERS:
        raise MalformedRequestError(f"{key} must have at most {_MAX_ID_CHARACTERS} characters")
    return given


def seconds(key: str, value: Any) -> float:
    """Returns a time in seconds, at least 0 and finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedRequestError(f"{key} must be a number of seconds")
    try:
        time_s = float(value)
    except OverflowError:
        time_s = math.inf
    if not (0.0 <= time_s < math.inf):
        raise MalformedRequestError(f"{key} must be at least 0 and finite")
    return time_s


def number(key: str, value: Any) -> int:
    """Returns the number of a programme."""
    if type(value) is not int or not 0 < value <= _MAX_PROGRAM:
        raise MalformedRequestError(f"{key} must be a whole number from 1 to {_MAX_PROGRAM}")
    return value


def names(key: str, value: Any) -> tuple[str, ...]:
    """Returns names, each once, in their order."""
    given = cast("Sequence[Any]", value) if isinstance(value, list) else ()
    if not given or not all(isinstance(name, str) for name in given):
        raise MalformedRequestError(f"{key} must be a list of names")
    return tuple(dict.fromkeys(given))


def by_detector(key: str, value: Any) -> Mapping[str, Mapping[str, Any]]:
    """Returns parameters by detector."""
    outer = cast("Mapping[str, Any]", value) if isinstance(value, dict) else None
    if outer is None or not all(isinstance(inner, dict) for inner in outer.values()):
        raise MalformedRequestError(f"{key} must be an object of objects, by detector")
    return outer


def flag(key: str, value: Any) -> bool:
    """Returns true or false."""
    if not isinstance(value, bool):
        raise MalformedRequestError(f"{key} must be true or false")
    return value


def parts(key: str, value: Any) -> tuple[Mapping[str, Any], ...]:
    """Returns the reports of segments."""
    given = cast("Sequence[Any]", value) if isinstance(value, list) else ()
    if not given or not all(isinstance(part, dict) for part in given):
        raise MalformedRequestError(f"{key} must be a list of reports")
    return tuple(given)
