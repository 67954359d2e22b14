from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Test folders are no packages; what this folder's tests share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))

PLAYER = Path(__file__).parents[2] / "player"


@pytest.fixture(scope="session")
def player() -> Path:
    """The npm package, built; skips where node or its packages are not installed."""
    if shutil.which("node") is None or not (PLAYER / "node_modules").is_dir():
        pytest.skip("the player's packages are not installed: make player")
    if not (PLAYER / "dist" / "index.js").is_file():
        subprocess.run(["node", "scripts/build.mjs"], cwd=PLAYER, check=True, timeout=120)
    return PLAYER
