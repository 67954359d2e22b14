"""What holds of the whole source tree and no tool checks."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "defectscope"
FILES = sorted(SOURCE.rglob("*.py"))
MAX_LINES = 300


def package_of(module: str) -> str:
    return module.rpartition(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(SOURCE).as_posix())
def test_a_file_has_one_job_and_few_lines(path: Path) -> None:
    assert path.read_text("utf-8").count("\n") <= MAX_LINES


def test_private_names_stay_within_their_package() -> None:
    wrong: list[str] = []
    for path in FILES:
        own = "defectscope." + ".".join(path.relative_to(SOURCE).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            if not node.module.startswith("defectscope"):
                continue
            parts = [*node.module.split("."), *(name.name for name in node.names)]
            private = [p for p in parts if p.startswith("_") and not p.startswith("__")]
            if private and package_of(own) != package_of(node.module):
                wrong.append(f"{own} imports {private} from {node.module}")
    assert not wrong, "\n".join(wrong)
