"""`waivers.toml`: which findings of which assets are accepted, by whom, why and until when.

What an operator confirmed as a true fault stands in the same file, under `[[rejected]]`: it changes
no verdict, and is shown beside the finding.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, cast

from defectscope.errors import ProfileError

_KEYS = ("sha256", "asset", "defect", "start", "end", "reason", "who", "until")
_TABLES = ("waivers", "rejected")
_MAX_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Waiver:
    """One acceptance.

    Attributes:
        defect: Which defect; `*` is any.
        reason: Why it is accepted.
        who: By whom.
        sha256: Of the file; empty where `asset` says which.
        asset: Pattern of the asset's name or address (`*` and `?`); empty where the hash does.
        start: First instant, seconds or timecode; empty from the beginning.
        end: First instant after, likewise; empty to the end.
        until: Last day on which it holds; None for ever.
    """

    defect: str
    reason: str
    who: str
    sha256: str = ""
    asset: str = ""
    start: str = ""
    end: str = ""
    until: date | None = None

    def is_of(self, uri: str, sha256: str) -> bool:
        """Tells whether it is about an asset."""
        if self.sha256:
            return self.sha256 == sha256
        name = uri.rstrip("/").rsplit("/", 1)[-1]
        return fnmatch(uri, self.asset) or fnmatch(name, self.asset)


@dataclass(frozen=True, slots=True)
class Waivers:
    """What was decided, in the file's order.

    Attributes:
        entries: What was accepted.
        rejected: What was confirmed as a fault.
    """

    entries: tuple[Waiver, ...] = ()
    rejected: tuple[Waiver, ...] = ()


def load_waivers(path: str | os.PathLike[str]) -> Waivers:
    """Reads a file of waivers.

    Raises:
        ProfileError: It cannot be read, or an entry is broken; the message says which.
    """
    try:
        raw = Path(path).read_bytes()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ProfileError(f"{os.fspath(path)}: {reason}") from None
    return read_waivers(raw, os.fspath(path))


def read_waivers(raw: bytes, name: str) -> Waivers:
    """Reads waivers from the bytes of their TOML.

    Args:
        raw: The file.
        name: What errors call it.

    Raises:
        ProfileError: It is not TOML, or an entry is broken.
    """
    if len(raw) > _MAX_BYTES:
        raise ProfileError(f"{name}: {len(raw)} bytes are too many for waivers")
    try:
        data = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProfileError(f"{name}: not TOML: {error}") from None
    if set(data) - set(_TABLES):
        raise ProfileError(
            f"{name}: entries stand under [[waivers]] or [[rejected]] and nothing else does"
        )
    waivers, rejected = (_entries(data.get(table, []), table, name) for table in _TABLES)
    return Waivers(waivers, rejected)


def _entries(entries: Any, table: str, name: str) -> tuple[Waiver, ...]:
    if not isinstance(entries, list):
        raise ProfileError(f"{name}: entries stand under [[{table}]]")
    found: list[Waiver] = []
    for number, entry in enumerate(cast("list[Any]", entries), 1):
        place = f"{name}: {'waiver' if table == 'waivers' else table} {number}"
        if not isinstance(entry, dict):
            raise ProfileError(f"{place} is no table")
        found.append(_waiver(cast("Mapping[str, Any]", entry), place))
    return tuple(found)


def _waiver(entry: Mapping[str, Any], place: str) -> Waiver:
    for key in entry:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_KEYS)}"
            raise ProfileError(f"{place}: unknown {key!r}; {hint}")
    until = entry.get("until")
    if isinstance(until, str):
        try:
            until = date.fromisoformat(until)
        except ValueError:
            raise ProfileError(f"{place}: until is a day, as 2027-01-31") from None
    if until is not None and not isinstance(until, date):
        raise ProfileError(f"{place}: until is a day, as 2027-01-31")
    texts: dict[str, str] = {}
    for key in _KEYS[:-1]:
        value = entry.get(key, "")
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise ProfileError(f"{place}: {key} must be text")
        texts[key] = str(value)
    for key in ("defect", "reason", "who"):
        if not texts[key].strip():
            raise ProfileError(f"{place}: it needs {key}")
    if bool(texts["sha256"]) == bool(texts["asset"]):
        raise ProfileError(f"{place}: it names the asset either by sha256 or by a pattern")
    return Waiver(until=until, **texts)


def waivers_toml(entries: Sequence[Waiver]) -> str:
    """Returns waivers as TOML, which `load_waivers` reads back."""
    return "\n".join(block_of(waiver, "waivers") for waiver in entries)


def block_of(waiver: Waiver, table: str) -> str:
    """Returns one entry as TOML, with its heading."""
    lines = [f"[[{table}]]"]
    for key in _KEYS[:-1]:
        value = str(getattr(waiver, key))
        if value:
            # A JSON string is a TOML basic string, but for DEL.
            lines.append(f"{key} = {json.dumps(value).replace(chr(0x7F), chr(92) + 'u007f')}")
    if waiver.until is not None:
        lines.append(f"until = {waiver.until.isoformat()}")
    return "\n".join(lines) + "\n"
