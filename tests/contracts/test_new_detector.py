"""A detector made by the scaffold is green at once; a name that cannot be one is refused."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("src", "handlers", "model_artifacts", "docs", "tests", "scripts", "benchmarks")
NAME = "overlit_frames"


@pytest.fixture(scope="module")
def scaffold() -> ModuleType:
    spec = importlib.util.spec_from_file_location("new_detector", ROOT / "scripts/new_detector.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("BrightFrames", "not snake_case"),
        ("bright-frames", "not snake_case"),
        ("bright__frames", "not snake_case"),
        ("_bright", "not snake_case"),
        ("2bright", "not snake_case"),
        ("../bright", "not snake_case"),
        ("", "not snake_case"),
        ("b" * 41, "longer than 40"),
        ("while", "keyword"),
        ("match", "keyword"),
        ("json", "standard library"),
        ("all_detectors", "taken"),
        ("registry", "taken"),
        ("freeze", "docs/detectors/freeze.md is there"),
        ("stereo_image", "is there"),
    ],
)
def test_bad_names_are_refused_and_nothing_is_written(
    name: str, reason: str, scaffold: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(ROOT.glob("*/*"))
    assert scaffold.main([name]) == 2
    assert reason in capsys.readouterr().err
    assert set(ROOT.glob("*/*")) == before


def test_every_token_of_the_template_is_filled_in(scaffold: ModuleType, tmp_path: Path) -> None:
    written = scaffold.create(NAME, tmp_path)
    assert len(written) == 11
    for path in written:
        assert "{{" not in path.read_text("utf-8"), path
        assert "NAME" not in str(path.relative_to(tmp_path)), path


@pytest.mark.parametrize(
    "file", ["detectors/NAME/detector.py", "simulate/defects/NAME.py", "handlers/NAME/handler.py"]
)
def test_what_the_template_imports_is_there(
    file: str, scaffold: ModuleType, tmp_path: Path
) -> None:
    """Guards against renames without the slow tests."""
    scaffold.create(NAME, tmp_path)
    root = tmp_path if file.startswith("handlers") else tmp_path / "src" / "defectscope"
    code = (root / file.replace("NAME", NAME)).read_text("utf-8")
    for node in ast.parse(code).body:
        # Its own modules are not installed yet.
        if isinstance(node, ast.ImportFrom) and NAME not in (node.module or ""):
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, name.name) for name in node.names), ast.unparse(node)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkout")
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", ".venv")
    for folder in COPIED:
        shutil.copytree(ROOT / folder, root / folder, ignore=unwanted)
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / ".venv").symlink_to(sys.prefix)
    command(root, "scripts/new_detector.py", NAME)
    command(root, "benchmarks/gallery.py", "--only", NAME)
    return root


def command(root: Path, *arguments: str) -> None:
    """Runs Python in the checkout, whose own package it must find before any other."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_new_detector_passes_the_checks(checkout: Path) -> None:
    command(checkout, "-m", "ruff", "check", ".")
    command(checkout, "-m", "ruff", "format", "--check", ".")
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command(checkout, "-c", lint, "--no-logo")
    made = [str(p.relative_to(checkout)) for p in checkout.rglob(f"{NAME}*/*.py")]
    made += [f"src/defectscope/simulate/defects/{NAME}.py"]
    typed = [p for p in made if p.startswith(("src", "handlers"))]
    assert len(typed) == 5
    command(checkout, "-m", "pyright", *typed)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_new_detector_passes_every_suite_that_runs_over_all(checkout: Path) -> None:
    whole = ["tests/contracts/test_folders_agree.py", "tests/simulate/test_gallery.py"]
    command(checkout, "-m", "pytest", "-q", *whole)
    own = [f"tests/detectors/{NAME}", "tests/handlers/test_folders.py"]
    own += ["tests/simulate/test_simulator_contract.py", "tests/engine/test_invariants.py"]
    command(checkout, "-m", "pytest", "-q", *own, "-k", NAME)
