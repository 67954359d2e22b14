"""The page of what AWS asks names tests, and each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "aws.md"
NAMED = sorted(
    set(re.findall(r"`(?:tests/\w+/)?(test_\w+\.py)(?:::(test_\w+))?", PAGE.read_text("utf-8")))
)


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 60


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_a_test_that_the_page_names_is_there(file: str, test: str) -> None:
    (path,) = (ROOT / "tests").rglob(file)
    # Where the page cuts a name short, it says how the name begins.
    assert re.search(rf"^def {test}", path.read_text("utf-8"), re.M), test
