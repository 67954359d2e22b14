"""Byte code for an archive, so that no worker compiles the package each time it starts.

TorchServe unpacks an archive into a fresh folder, with fresh dates. So the byte code is of the kind
that holds by the hash of its source (PEP 552, checked); another version of Python than this one
passes over it and compiles.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from defectscope.errors import DeployError

_TIMEOUT_S = 120


def byte_code(folder: Path) -> dict[str, bytes]:
    """Compiles what lies in a folder; returns the files by their names in it.

    Equal sources give equal bytes: a fresh interpreter compiles them, with a fixed seed.

    Raises:
        DeployError: A source does not compile.
    """
    command = [sys.executable, "-s", "-m", "compileall", "-q", "-f"]
    command += ["--invalidation-mode", "checked-hash", "-s", str(folder), str(folder)]
    done = subprocess.run(
        command,
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stdout.strip().splitlines() or ["no reason given"]
        raise DeployError(f"the archive's code does not compile: {lines[-1]}")
    made = sorted(folder.rglob("__pycache__/*.pyc"))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in made}
