"""Checks a report against the JSON Schema that ships beside this file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from defectscope.errors import MalformedRequestError


@cache
def load_schema() -> Mapping[str, Any]:
    """Returns the JSON Schema (2020-12) of `report.json`."""
    text = resources.files("defectscope.report").joinpath("schema.json").read_text("utf-8")
    return json.loads(text)


def validate(report: Any) -> None:
    """Accepts a report's object or says what is wrong with it, and where.

    Beyond the schema: a finding does not end before it starts and its detector has a verdict, a
    curve's halves are equally long, and every number is finite.

    Raises:
        MalformedRequestError: The first fault, with its place as `findings[3].end_s`.
    """
    # An analysis writes reports and reads none: it need not wait for this import.
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    validator = Draft202012Validator(dict(load_schema()))
    error = best_match(validator.iter_errors(report))
    if error is not None:
        raise MalformedRequestError(f"{_place(error.absolute_path)}: {_shorten(error.message)}")
    for place, fault in _faults(report):
        raise MalformedRequestError(f"{place}: {fault}")


def _faults(report: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    """What the schema language cannot say."""
    yield from _not_finite(report, [])
    for index, finding in enumerate(report["findings"]):
        place = f"findings[{index}]"
        if finding["end_s"] < finding["start_s"]:
            yield f"{place}.end_s", "the finding ends before it starts"
        if finding.get("end_frame", 0) < finding.get("start_frame", 0):
            yield f"{place}.end_frame", "the finding ends before it starts"
        if finding["detector"] not in report["verdicts"]:
            yield f"{place}.detector", f"{finding['detector']!r} has no verdict"
    for detector, by_name in report["curves"].items():
        for name, curve in by_name.items():
            if len(curve["min"]) != len(curve["max"]):
                yield f"curves.{detector}.{name}", "min and max differ in length"


def _not_finite(value: Any, path: list[str | int]) -> Iterable[tuple[str, str]]:
    """JSON has no NaN and no infinity, though Python's reader lets them in."""
    if isinstance(value, float):
        if not math.isfinite(value):
            yield _place(path), "a number must be finite"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, [*path, str(key)])
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if isinstance(item, float | list | tuple | dict):
                yield from _not_finite(item, [*path, index])


def _place(path: Iterable[str | int]) -> str:
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".") or "report"


def _shorten(message: str, limit: int = 240) -> str:
    """Validators quote the faulty value, which may be the whole report."""
    return message if len(message) <= limit else f"{message[: limit // 2]} … {message[-80:]}"
