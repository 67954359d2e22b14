"""The part of JSONPath that batch transform's filters understand.

    $                      the whole value
    $.name  $['name']      one child;  $['a','b'] several, as an object
    $[0]  $[0,2]  $[1:3]   elements and slices
    $.*  $[*]              every child

Source: batch-transform-data-processing page, "Supported JSONPath operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

from defectscope.errors import LocalError

_Step = Callable[[Any], Any]

_TOKEN = re.compile(
    r"""\.(?P<name>[A-Za-z_][\w-]*)
      | \.?\[\s*(?P<inner>'[^']*'(?:\s*,\s*'[^']*')* | \*
                 | -?\d*(?:\s*:\s*-?\d*)?(?:\s*,\s*-?\d*(?:\s*:\s*-?\d*)?)* )\s*\]
      | (?P<star>\.\*)""",
    re.VERBOSE,
)


class FilterError(LocalError):
    """A filter is malformed or does not fit the value it is applied to."""


def compile_path(path: str) -> _Step:
    """Returns a function that selects from a JSON value.

    Raises:
        FilterError: The path is outside of what is supported.
    """
    if not path.startswith("$"):
        raise FilterError(f"a JSONPath starts with $: {path!r}")
    steps: list[_Step] = []
    position = 1
    while position < len(path):
        token = _TOKEN.match(path, position)
        if token is None:
            raise FilterError(f"not a supported JSONPath: {path!r}")
        steps.append(_step(token))
        position = token.end()

    def select(value: Any) -> Any:
        for step in steps:
            value = step(value)
        return value

    return select


def _step(token: re.Match[str]) -> _Step:
    if token["star"] or token["inner"] == "*":
        return _every_child
    if token["name"]:
        return lambda value: _child(value, token["name"])
    inner = token["inner"]
    if inner.startswith("'"):
        names = re.findall(r"'([^']*)'", inner)
        if len(names) == 1:
            return lambda value: _child(value, names[0])
        return lambda value: {name: _child(value, name) for name in names}
    parts = [part.strip() for part in inner.split(",")]
    if any(not part for part in parts):
        raise FilterError("an index is missing")
    if len(parts) == 1 and ":" not in parts[0]:
        return lambda value: _element(value, int(parts[0]))
    return lambda value: [item for part in parts for item in _elements(value, part)]


def _child(value: Any, name: str) -> Any:
    if not isinstance(value, dict) or name not in value:
        raise FilterError(f"there is no {name!r} to select")
    return cast("dict[str, Any]", value)[name]


def _every_child(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    if isinstance(value, list):
        return cast("list[Any]", value)
    raise FilterError("* needs an object or an array")


def _element(value: Any, index: int) -> Any:
    if not isinstance(value, list):
        raise FilterError("an index needs an array")
    items = cast("list[Any]", value)
    if not -len(items) <= index < len(items):
        raise FilterError(f"index {index} is outside of an array of {len(items)}")
    return items[index]


def _elements(value: Any, part: str) -> list[Any]:
    if ":" not in part:
        return [_element(value, int(part))]
    if not isinstance(value, list):
        raise FilterError("a slice needs an array")
    start, _, end = (piece.strip() for piece in part.partition(":"))
    bounds = slice(int(start) if start else None, int(end) if end else None)
    return cast("list[Any]", value)[bounds]
