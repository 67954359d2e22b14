"""Suggests known words for an unknown one. Standard library only."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def meant(word: str, known: Iterable[str]) -> str:
    """Returns `; did you mean 'x'?` where a word is close to one that is known, else nothing."""
    near = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
