"""Parameters of simulators: drawn from a severity, set by name, written as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, TypeVar, cast

import numpy as np

from defectscope.errors import InvalidParameterError

P = TypeVar("P")


def parameters(params: Any) -> dict[str, Any]:
    """Returns a Params object as a JSON-ready mapping."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(params).items()}


def override(params: P, values: Mapping[str, Any]) -> P:
    """Returns a copy of a Params object with some fields set.

    Text is read as the type that the field holds: numbers, true or false, comma-separated tuples.
    Bounds are the business of the dataclass' own `__post_init__`.

    Raises:
        InvalidParameterError: There is no such field, or the value is of the wrong type or range.
    """
    known = {f.name: getattr(params, f.name) for f in fields(cast("Any", params))}
    changed: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise InvalidParameterError(f"unknown parameter {name!r}; there are: {listed}")
        changed[name] = _convert(name, value, known[name])
    try:
        return type(params)(**{**known, **changed})
    except ValueError as error:
        raise InvalidParameterError(str(error)) from None


def same_kind(params: Any, given: Mapping[str, Any]) -> bool:
    """Tells whether the named choices among the given values are those of a draw."""
    drawn = asdict(params)
    return all(v == given[k] for k, v in drawn.items() if k in given and isinstance(v, str))


def _convert(name: str, value: Any, like: Any) -> Any:
    text = str(value).strip()
    try:
        if isinstance(like, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(like, int):
            return int(text)
        if isinstance(like, float):
            number = float(text)
            if not np.isfinite(number):
                raise ValueError(text)
            return number
        if isinstance(like, tuple):
            parts = value if isinstance(value, list | tuple) else text.split(",")
            first = cast("tuple[Any, ...]", like)[0] if like else ""
            return tuple(_convert(name, part, first) for part in cast("list[Any]", parts))
        return text
    except (KeyError, ValueError):
        kind = type(like).__name__
        raise InvalidParameterError(f"parameter {name!r} wants {kind}, not {text!r}") from None


def ladder(severity: float, steps: tuple[float, float, float, float, float]) -> float:
    """Returns the value of a severity from those of its five steps, straight lines between."""
    return float(np.interp(severity, (1, 2, 3, 4, 5), steps))


def jitter(rng: np.random.Generator, value: float, share: float = 0.1) -> float:
    """Returns a value drawn within +- `share` of the given one, so that no two clips are alike."""
    return value * float(rng.uniform(1 - share, 1 + share))
