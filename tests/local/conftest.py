from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from defectscope.local import LocalSageMaker

ECHO = Path(__file__).parent / "echo"


@pytest.fixture(scope="session")
def echo_mar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("echo")
    # torch-model-archiver deletes $TMPDIR/<model-name>: it gets a TMPDIR of its own.
    (folder / "tmp").mkdir()
    command = "from model_archiver.model_packaging import generate_model_archive as g; g()"
    options = ["--model-name", "echo", "--version", "1.0", "--handler", str(ECHO / "handler.py")]
    options += ["-c", str(ECHO / "model-config.yaml"), "--export-path", str(folder), "-f"]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", command, *options],
        check=True,
        capture_output=True,
        env={**os.environ, "TMPDIR": str(folder / "tmp")},
    )
    return folder / "echo.mar"


@pytest.fixture(scope="session")
def echo_tar(echo_mar: Path) -> Path:
    target = echo_mar.with_name("model.tar.gz")
    with tarfile.open(target, "w:gz") as tar:
        tar.add(echo_mar, "echo.mar")
    return target


@pytest.fixture(scope="module")
def local():
    with LocalSageMaker() as running:
        yield running
