"""What each defect means in one plain sentence, and what usually causes it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from functools import cache
from importlib import resources


@cache
def advice() -> dict[str, dict[str, str]]:
    """Returns `wrong` and `cause`, a sentence each, by defect."""
    text = resources.files("defectscope.report").joinpath("advice.toml").read_text("utf-8")
    return tomllib.loads(text)


def advice_on(defects: Iterable[str]) -> dict[str, dict[str, str]]:
    """Returns the sentences on some defects; those of other packages have none."""
    known = advice()
    return {defect: known[defect] for defect in sorted(set(defects)) if defect in known}
