"""Requests held against AWS's own service model: botocore checks types and leaves the rest to AWS.

The model that botocore ships states for every member which values there are, how long or large they
may be and which pattern text has to match. AWS refuses what breaks one of these once a request was
sent; this says it before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import botocore.session
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel, OperationNotFoundError
from botocore.validate import ParamValidator

# Java's classes of characters, in which the patterns are written, as Python has them.
_CLASSES = {r"\p{L}": r"\w", r"\p{M}": "", r"\p{N}": r"\d", r"\p{Z}": r"\s", r"\p{Cntrl}": ""}
_SHOWN_CHARACTERS = 80


def model_faults(service: str, operation: str, request: Mapping[str, Any]) -> list[str]:
    """Returns what the service's model has against a request, one line each.

    Args:
        service: As boto3 names it.
        operation: As AWS's reference names it, for example `CreateModel`.
        request: The request's members.
    """
    known = operation_model(service, operation)
    if known is None or known.input_shape is None:
        return []
    shape: Any = known.input_shape
    report = ParamValidator().validate(dict(request), shape)
    if report.has_errors():
        return [line for line in report.generate_report().splitlines() if line]
    return list(_faults(shape, request, ""))


@cache
def operation_model(service: str, operation: str) -> OperationModel | None:
    """Returns the model of an operation; None where botocore has none of that name."""
    try:
        return _service(service).operation_model(operation)
    except (OperationNotFoundError, UnknownServiceError):
        return None


@cache
def operation_name(service: str, method: str) -> str:
    """Returns how AWS's reference names an operation that boto3 has as a method."""
    wanted = method.replace("_", "")
    try:
        names: list[str] = list(_service(service).operation_names)
    except UnknownServiceError:
        names = []
    found = [name for name in names if name.lower() == wanted]
    return found[0] if found else "".join(part.capitalize() for part in method.split("_"))


@cache
def _service(service: str) -> Any:
    session: Any = botocore.session.get_session()
    return session.get_service_model(service)


def _faults(shape: Any, value: Any, path: str) -> Iterator[str]:
    match shape.type_name:
        case "structure":
            for name, member in value.items():
                yield from _faults(shape.members[name], member, f"{path}.{name}" if path else name)
        case "list":
            yield from _length(shape, value, path, "items")
            for index, item in enumerate(value):
                yield from _faults(shape.member, item, f"{path}[{index}]")
        case "map":
            yield from _length(shape, value, path, "entries")
            for name, item in value.items():
                yield from _faults(shape.key, name, f"{path}: name")
                yield from _faults(shape.value, item, f"{path}.{name}")
        case "string":
            yield from _text(shape, str(value), path)
        case "integer" | "long" | "float" | "double":
            yield from _number(shape, value, path)
        case _:
            return


def _length(shape: Any, value: Any, path: str, unit: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and len(value) < low:
        yield f"{path} must have at least {low} {unit}, not {len(value)}"
    if high is not None and len(value) > high:
        yield f"{path} must have at most {high} {unit}, not {len(value)}"


def _text(shape: Any, value: str, path: str) -> Iterator[str]:
    shown = value if len(value) <= _SHOWN_CHARACTERS else value[:_SHOWN_CHARACTERS] + "..."
    yield from _length(shape, value, path, "characters")
    if shape.enum and value not in shape.enum:
        allowed = shape.enum if len(shape.enum) <= 8 else [*shape.enum[:8], "..."]
        yield f"{path} must be one of {', '.join(allowed)}, not {shown!r}"
    pattern = _pattern(shape.metadata.get("pattern", ""))
    if pattern is not None and not pattern.fullmatch(value):
        yield f"{path} must match {shape.metadata['pattern']}, not {shown!r}"


def _number(shape: Any, value: float, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if low is not None and value < low:
        yield f"{path} must be at least {low}, not {value}"
    if high is not None and value > high:
        yield f"{path} must be at most {high}, not {value}"


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    if not text:
        return None
    for java, ours in _CLASSES.items():
        text = text.replace(java, ours)
    try:
        return re.compile(text, re.S)
    except re.error:
        return None
