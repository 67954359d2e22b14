"""Every test that a page names as its proof is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs").rglob("*.md"))
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_tests_that_a_page_names_exist(page: Path) -> None:
    for file, name in NAMED.findall(page.read_text("utf-8")):
        assert (ROOT / file).is_file(), file
        text = (ROOT / file).read_text("utf-8")
        assert not name or f"def {name}(" in text, f"{file}::{name}"


def test_the_desks_table_names_a_test_of_each_point() -> None:
    text = (ROOT / "docs/results/qc_desk.md").read_text("utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| [1-6-] \|", line)]
    assert len(rows) > 50
    assert {row[2] for row in rows} == set("123456-")
    for row in rows:
        assert any(name for _, name in NAMED.findall(row)), row
