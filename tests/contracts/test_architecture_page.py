"""docs/architecture.md shows the house as it is: every package, in the order that is checked."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "defectscope"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
DRAWING = PAGE.split("```")[1]


def rooms() -> set[str]:
    """Returns the packages and modules at the top of the source tree."""
    packages = {p.parent.name for p in SOURCE.glob("*/__init__.py")}
    return packages | {p.stem for p in SOURCE.glob("*.py")} - {"__init__"}


def test_the_drawing_has_the_layers_that_are_checked() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers = next(c["layers"] for c in contracts["contracts"] if c["type"] == "layers")
    drawn = [re.split(r"\s{2,}", line.strip())[0] for line in DRAWING.splitlines() if line.strip()]
    assert drawn[:-1] == layers
    assert drawn[-1] == "client, deploy, rows, near_words"


def test_every_package_has_its_row_and_every_path_exists() -> None:
    rows = re.findall(r"^\| (`.+?) \| .+? \| (`.+?) \|$", PAGE, re.MULTILINE)
    named = {name.split("/")[0] for cell, _ in rows for name in re.findall(r"`([\w/<>]+)`", cell)}
    assert named == rooms()
    for _, cell in rows:
        for path in re.findall(r"`([\w/]+\.py)`", cell):
            assert (SOURCE / path).is_file() or path == "detector.py", path
