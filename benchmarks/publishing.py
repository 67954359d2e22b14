"""Prints what was measured and, where a file is named, writes it there as well."""

from __future__ import annotations

from pathlib import Path


def publish(text: str, out: Path | None) -> None:
    """Prints a text, and writes it to a file.

    Args:
        text: Tables, as the pages of results hold them.
        out: The file; None for none.
    """
    print(text)
    if out:
        out.write_text(text)
