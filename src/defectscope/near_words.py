"""Suggests known words for an unknown one. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def meant(word: str, known: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` where a word is close to one that is known, else nothing.

    A part of a name will do: `blockines` means `compression_blockiness`.
    """
    names = sorted(known, reverse=True)
    spelt = {part: name for name in names for part in name.split("_")}
    spelt |= {name: name for name in names}
    near = get_close_matches(word, spelt, n=1)
    return f"; did you mean {spelt[near[0]]!r}?" if near else ""
