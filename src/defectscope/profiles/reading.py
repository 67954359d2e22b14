"""Reads profiles from TOML: those that ship, and a house's own file. No rule without a source."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, cast

from defectscope.errors import ProfileError
from defectscope.profiles.model import POSITIONS, Bound, Profile, Rule, Score, Source

_TOP = ("profile", "sources", "parameters", "rules")
_PROFILE = ("id", "title", "edition", "about", "head_s", "tail_s")
_SOURCE = ("title", "edition", "states")
_BOUND = ("min", "max", "target", "tolerance", "one_of", "required")
_SCORE = ("name", "needs", "needs_least", *_BOUND)
_RULE = (
    *("id", "title", "source", "code", "vocabulary", "verdict", "unit", "note"),
    *("detector", "defect", "where", "measure", "position", "scores", "score", "fact", "unsure"),
    *_BOUND,
)
# Larger files are no profiles.
_MAX_BYTES = 1_000_000


def profile_names() -> tuple[str, ...]:
    """Returns the names of the profiles that ship, in alphabetical order."""
    folder = resources.files("defectscope.profiles").joinpath("data")
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def shipped_profile(name: str) -> Profile:
    """Reads a profile that ships; never a file that the name could point to.

    Raises:
        ProfileError: There is none of that name.
    """
    if name not in profile_names():
        near = get_close_matches(name, profile_names(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "a house's own is a path to .toml"
        known = ", ".join(profile_names())
        raise ProfileError(f"no profile {name[:64]!r}; there are {known}; {hint}")
    folder = resources.files("defectscope.profiles").joinpath("data")
    return read_profile(folder.joinpath(f"{name}.toml").read_bytes(), f"{name}.toml")


def load_profile(name: str) -> Profile:
    """Reads a profile that ships, by name, or a file of TOML, by path.

    Raises:
        ProfileError: There is none of that name, or it is damaged.
    """
    path = Path(name)
    if name in profile_names() or not (name.endswith(".toml") or "/" in name):
        return shipped_profile(name)
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise ProfileError(f"{name}: {size} bytes are too many for a profile")
        return read_profile(path.read_bytes(), path.name)
    except OSError as error:
        raise ProfileError(f"{name}: {(error.strerror or 'cannot be read').lower()}") from None


def read_profile(raw: bytes, name: str) -> Profile:
    """Reads a profile from the bytes of its TOML.

    Args:
        raw: The file.
        name: What errors call it.

    Raises:
        ProfileError: It is not a profile; the message names the place.
    """
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{name}: not TOML: {error}") from None
    try:
        return _profile(data, hashlib.sha256(raw).hexdigest())
    except ProfileError as error:
        raise ProfileError(f"{name}: {error.message}") from None


def _profile(data: Mapping[str, Any], sha256: str) -> Profile:
    _only(data, _TOP, "the profile")
    head = _table(data.get("profile"), "[profile]")
    _only(head, _PROFILE, "[profile]")
    sources: dict[str, Source] = {}
    for key, value in _table(data.get("sources", {}), "[sources]").items():
        place = f"[sources.{key}]"
        entry = _table(value, place)
        _only(entry, _SOURCE, place)
        sources[key] = Source(
            _text(entry, "title", place),
            _text(entry, "edition", place, ""),
            _text(entry, "states", place, ""),
        )
    parameters = {
        key: dict(_table(value, f"[parameters.{key}]"))
        for key, value in _table(data.get("parameters", {}), "[parameters]").items()
    }
    rules = data.get("rules", [])
    if not isinstance(rules, list) or not rules:
        raise ProfileError("there is no [[rules]]")
    read = tuple(
        _rule(_table(rule, f"rule {number}"), number, sources)
        for number, rule in enumerate(cast("list[Any]", rules), 1)
    )
    ids = [rule.id for rule in read]
    twice = next((id for id in ids if ids.count(id) > 1), None)
    if twice is not None:
        raise ProfileError(f"two rules are called {twice!r}")
    return Profile(
        id=_text(head, "id", "[profile]"),
        title=_text(head, "title", "[profile]"),
        edition=_text(head, "edition", "[profile]"),
        about=_text(head, "about", "[profile]", ""),
        sha256=sha256,
        rules=read,
        parameters=parameters,
        sources=sources,
        head_s=_number(head, "head_s", "[profile]") or 0.0,
        tail_s=_number(head, "tail_s", "[profile]") or 0.0,
    )


def _rule(data: Mapping[str, Any], number: int, sources: Mapping[str, Source]) -> Rule:
    place = f"rule {data.get('id', number)!r}"
    _only(data, _RULE, place)
    key = _text(data, "source", place)
    if key not in sources:
        raise ProfileError(
            f"{place}: its source {key!r} is not among [sources]: no source, no rule"
        )
    position = _text(data, "position", place, "anywhere")
    verdict = _text(data, "verdict", place, "fail")
    if position not in POSITIONS or verdict not in ("fail", "warn"):
        raise ProfileError(f"{place}: position is one of {POSITIONS}, verdict is fail or warn")
    unsure = _text(data, "unsure", place, "not_judged")
    if unsure not in ("not_judged", "skip"):
        raise ProfileError(f"{place}: unsure is not_judged or skip")
    scores = _scores(data, place)
    detector, fact = _text(data, "detector", place, ""), _text(data, "fact", place, "")
    if bool(detector) == bool(fact):
        raise ProfileError(f"{place}: it names either a detector or a fact")
    bound = _bound(data, place) if not scores else Bound()
    measure = _text(data, "measure", place, "")
    if fact and not bound.binds:
        raise ProfileError(f"{place}: a fact needs a bound")
    if bool(measure) != bool(bound.binds) and not fact:
        raise ProfileError(f"{place}: measure and a bound go together")
    where: dict[str, tuple[Any, ...]] = {}
    for name, value in _table(data.get("where", {}), place).items():
        where[name] = tuple(cast("list[Any]", value)) if isinstance(value, list) else (value,)
    return Rule(
        id=_text(data, "id", place),
        title=_text(data, "title", place),
        source=sources[key],
        code=_text(data, "code", place, ""),
        vocabulary=_text(data, "vocabulary", place, ""),
        verdict="warn" if verdict == "warn" else "fail",
        unit=_text(data, "unit", place, ""),
        note=_text(data, "note", place, ""),
        detector=detector,
        defect=_text(data, "defect", place, ""),
        where=where,
        measure=measure,
        bound=bound,
        position=position,
        scores=scores,
        fact=fact,
        skip_unsure=unsure == "skip",
    )


def _scores(data: Mapping[str, Any], place: str) -> tuple[Score, ...]:
    if "score" in data:
        return (Score(name=_text(data, "score", place), bound=_bound(data, place)),)
    found: list[Score] = []
    for entry in cast("list[Any]", data.get("scores", [])):
        score = _table(entry, place)
        _only(score, _SCORE, place)
        needs = None
        if "needs" in score:
            needs = (_text(score, "needs", place), _number(score, "needs_least", place) or 0.0)
        found.append(
            Score(name=_text(score, "name", place), bound=_bound(score, place), needs=needs)
        )
    return tuple(found)


def _bound(data: Mapping[str, Any], place: str) -> Bound:
    one_of = data.get("one_of")
    if one_of is not None and (not isinstance(one_of, list) or not one_of):
        raise ProfileError(f"{place}: one_of is a list of values")
    tolerance = _number(data, "tolerance", place)
    if tolerance is not None and "target" not in data:
        raise ProfileError(f"{place}: a tolerance needs a target")
    required = data.get("required", False)
    if not isinstance(required, bool):
        raise ProfileError(f"{place}: required is true or false")
    return Bound(
        min=_number(data, "min", place),
        max=_number(data, "max", place),
        target=_number(data, "target", place),
        tolerance=tolerance or 0.0,
        one_of=None if one_of is None else tuple(cast("list[Any]", one_of)),
        required=required,
    )


def _only(data: Mapping[str, Any], known: Sequence[str], place: str) -> None:
    for name in data:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(known)}"
            raise ProfileError(f"{place}: unknown {name!r}{hint}")


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ProfileError(f"{place} is missing or not a table")
    return cast("Mapping[str, Any]", value)


def _text(data: Mapping[str, Any], name: str, place: str, default: str | None = None) -> str:
    value = data.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise ProfileError(f"{place}: {name} must be text")
    return value


def _number(data: Mapping[str, Any], name: str, place: str) -> float | None:
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ProfileError(f"{place}: {name} must be a number")
    return float(value)
