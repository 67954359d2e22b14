"""Takes channels.toml apart: where a key stands, and the document with some of its channels."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Sequence

_HEADER = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.\"-]+)\s*\]\]?", re.MULTILINE)


def of_channels(text: str, names: Collection[str]) -> str:
    """Returns the document with these channels and all that is common, comments left out.

    Args:
        text: A document that was read without an error.
        names: The channels that are kept.
    """
    starts = [match.start() for match in _HEADER.finditer(text)]
    parts = [text[a:b] for a, b in zip([0, *starts], [*starts, len(text)], strict=True)]
    kept: list[str] = []
    number = -1
    channels = tomllib.loads(text)["channel"]
    for part in parts:
        match = _HEADER.match(part)
        table = match[1].replace('"', "") if match else ""
        if table == "channel":
            number += 1
        # Sub-tables of a channel follow it.
        own = table.split(".")[0] == "channel"
        if not own or channels[number]["name"] in names:
            kept.append(part)
    lines = [line for line in "".join(kept).splitlines() if not line.lstrip().startswith("#")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n"


def line_of(lines: Sequence[str], table: str, key: str, number: int) -> int:
    """Returns the line of a key in the `number`-th table of a name; its header without one."""
    seen, inside, header = -1, table == "", 1
    for at, line in enumerate(lines, 1):
        match = _HEADER.match(line)
        if match:
            own = match[1].replace('"', "")
            if own == table:
                seen += 1
                if seen == number:
                    header = at
            inside = own == table and seen == number
            if table == "" and key and own.split(".")[0] == key:
                return at
            continue
        if inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*(=|\.)", line):
            return at
    return header
