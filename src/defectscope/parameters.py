"""What can be set: type, unit, range, default and meaning of a parameter, stated once.

    @parameters
    class Params:
        min_duration_s: Annotated[float, number(0, 60, "Shorter ones are not reported.", "s")] = 0.2

From this come the checks, `defectscope detectors NAME`, the tables of the documentation, the JSON
Schema and the OpenAPI document. msgspec checks a value against its annotation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from typing import (
    Annotated,
    Any,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Meta

from defectscope.errors import InvalidParameterError
from defectscope.near_words import meant

P = TypeVar("P")
# Longer texts, and lists of more, are a mistake.
MAX_TEXT = 1000
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}


def number(
    low: float,
    high: float,
    meaning: str,
    unit: str = "",
    *,
    above: bool = False,
    multiple_of: int | None = None,
) -> Meta:
    """Returns what a number may be, both ends included.

    Args:
        low: Least value.
        high: Greatest value.
        meaning: What it does, in a sentence or two.
        unit: Its unit; empty for counts and shares.
        above: It must be more than `low`.
        multiple_of: It must be a multiple of this.
    """
    more: dict[str, Any] = {"extra_json_schema": {"unit": unit}} if unit else {}
    more["gt" if above else "ge"] = low
    if multiple_of is not None:
        more["multiple_of"] = multiple_of
    return Meta(le=high, description=meaning, **more)


def choice(choices: Iterable[str], meaning: str) -> Meta:
    """Returns what a word may be.

    Args:
        choices: All that it may be.
        meaning: What it does.
    """
    return Meta(description=meaning, extra_json_schema={"enum": tuple(choices)})


def text(meaning: str, pattern: str | None = None) -> Meta:
    """Returns what a text, or a list of texts, may be; a text may have to match a pattern."""
    if pattern is None:
        return Meta(description=meaning, max_length=MAX_TEXT)
    return Meta(description=meaning, max_length=MAX_TEXT, pattern=pattern)


def switch(meaning: str) -> Meta:
    """Returns what a switch does when it is on."""
    return Meta(description=meaning)


@dataclass_transform(frozen_default=True)
def parameters(kind: type[P]) -> type[P]:
    """Makes a class a frozen dataclass that refuses what its annotations do not allow.

    Its own `__post_init__` then checks what concerns several parameters, and raises ValueError.
    """
    own = cast("Callable[[Any], None] | None", kind.__dict__.get("__post_init__"))

    def checked(self: Any) -> None:
        for parameter in described(type(self)):
            parameter.check(getattr(self, parameter.name))
        if own is not None:
            try:
                own(self)
            except ValueError as error:
                raise InvalidParameterError(str(error)) from None

    cast("Any", kind).__post_init__ = checked
    return dataclass(frozen=True, slots=True)(kind)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter.

    Attributes:
        name: Its name; a suffix tells the unit.
        annotation: Its type, with what it may be.
        default: What it is when it is not set; None where it has none.
        meaning: What it does.
        unit: Its unit; empty where it has none.
        meta: Bounds of a number; None where there are none.
        choices: The words that it may be; empty where it is no choice.
        pattern: What a text must match; empty for any.
    """

    name: str
    annotation: Any
    default: Any
    meaning: str
    unit: str
    meta: Meta | None
    choices: tuple[str, ...]
    pattern: str = ""

    @property
    def kind(self) -> str:
        """Its JSON type: `number`, `integer`, `boolean`, `string` or `array`."""
        plain = _plain(self.annotation)
        return _TYPES.get(plain, "array" if get_origin(plain) is tuple else "string")

    @property
    def allowed(self) -> str:
        """What it may be, in words, as `0 to 60 s` or `low, normal or high`."""
        if self.choices:
            *others, last = self.choices
            return f"{', '.join(others)} or {last}" if others else last
        if self.kind == "boolean":
            return "true or false"
        if self.kind == "array":
            return "words, separated by commas"
        if self.pattern:
            return f"a text that matches {self.pattern}"
        if self.meta is None:
            return f"a {self.kind}"
        low = _shown(self.meta.ge if self.meta.ge is not None else self.meta.gt)
        span = f"{low} to {_shown(self.meta.le)}"
        words = span if self.meta.gt is None else f"above {span}"
        words += f" {self.unit}" if self.unit else ""
        if self.meta.multiple_of is not None:
            words += f", a multiple of {_shown(self.meta.multiple_of)}"
        return words if self.kind != "integer" else f"{words} (whole)"

    def check(self, value: Any) -> None:
        """Accepts a value.

        Raises:
            InvalidParameterError: It is of another type or out of range; names both.
        """
        try:
            msgspec.convert(value, self.annotation)
            if self.choices and value not in self.choices:
                raise ValueError
            # Bounds keep infinity out; without bounds this does, and NaN from anywhere.
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError
        except (msgspec.ValidationError, ValueError, OverflowError):
            shown = repr(value)
            shown = shown if len(shown) <= 40 else f"{shown[:37]}..."
            raise InvalidParameterError(f"{self.name} is {self.allowed}, not {shown}") from None

    def read(self, text: Any) -> Any:
        """Returns text as a value of this parameter's type; what cannot be read stays as it is."""
        if not isinstance(text, str) or self.kind == "string":
            return text
        if self.kind == "array":
            return tuple(part for part in text.split(",") if part)
        plain = text.strip()
        try:
            if self.kind == "boolean":
                return {"true": True, "false": False}[plain.lower()]
            return int(plain) if self.kind == "integer" else float(plain)
        except (KeyError, ValueError):
            return text

    def schema(self) -> dict[str, Any]:
        """Returns its JSON Schema."""
        made: dict[str, Any] = {"type": self.kind, "description": self.meaning}
        if self.choices:
            made["enum"] = list(self.choices)
        if self.unit:
            made["unit"] = self.unit
        if self.pattern:
            made["pattern"] = self.pattern
        if self.kind == "array":
            made["items"] = {"type": "string"}
        if self.meta is not None:
            bounds = {
                "minimum": self.meta.ge,
                "exclusiveMinimum": self.meta.gt,
                "maximum": self.meta.le,
                "multipleOf": self.meta.multiple_of,
            }
            made |= {name: value for name, value in bounds.items() if value is not None}
        if self.default is not None:
            made["default"] = self.default
        return made


@cache
def described(kind: type[Any]) -> tuple[Parameter, ...]:
    """Returns the parameters of a class in order."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        _parameter(f.name, hints[f.name], None if f.default is MISSING else f.default)
        for f in fields(kind)
    )


def schema(kind: type[Any]) -> dict[str, Any]:
    """Returns the JSON Schema of a class's parameters, none of which need be given."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {p.name: p.schema() for p in described(kind)},
    }


def table(kind: type[Any]) -> str:
    """Returns the parameters of a class as a table of Markdown."""
    rows = ["| parameter | default | range | meaning |\n|---|---|---|---|\n"]
    for each in described(kind):
        default = str(each.default).lower() if each.kind == "boolean" else each.default
        meaning = each.meaning.replace("|", "\\|")
        rows.append(f"| `{each.name}` | {default} | {each.allowed} | {meaning} |\n")
    return "".join(rows)


def overridden(params: P, values: Mapping[str, Any]) -> P:
    """Returns parameters with some replaced.

    Raises:
        InvalidParameterError: A name is unknown, or a value is of another type or out of range.
    """
    if not is_dataclass(params) or isinstance(params, type):
        raise InvalidParameterError("this detector has no parameters")
    known = {p.name: p for p in described(type(params))}
    for name, value in values.items():
        if name not in known:
            offered = ", ".join(known) or "none"
            raise InvalidParameterError(
                f"unknown parameter {name!r}; there are: {offered}{meant(name, known)}"
            )
        known[name].check(value)
    try:
        return cast("P", replace(cast("Any", params), **values))
    except ValueError as error:
        raise InvalidParameterError(str(error)) from None


def from_text(params: P, values: Mapping[str, Any]) -> P:
    """Returns parameters with some replaced, text being read as the type that the field has.

    Raises:
        InvalidParameterError: A name is unknown, or a value is of another type or out of range.
    """
    known = {p.name: p for p in described(cast("Any", type(params)))}
    read = {name: known[name].read(v) if name in known else v for name, v in values.items()}
    return overridden(params, read)


def _parameter(name: str, annotation: Any, default: Any) -> Parameter:
    metas = [m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Meta)]
    meta = metas[0] if metas else None
    extra = (meta.extra_json_schema if meta is not None else None) or {}
    return Parameter(
        name,
        annotation,
        default,
        (meta.description if meta is not None else None) or "",
        str(extra.get("unit", "")),
        meta if meta is not None and meta.le is not None else None,
        tuple(extra.get("enum", ())),
        (meta.pattern if meta is not None else None) or "",
    )


def _plain(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _shown(value: float | None) -> str:
    return "any" if value is None else f"{value:g}"
