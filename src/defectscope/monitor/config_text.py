"""Takes channels.toml apart: the same document with some of its channels."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection

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
