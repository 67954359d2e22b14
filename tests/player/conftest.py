from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Test folders are no packages; what this folder's tests share lies beside them.
sys.path.insert(0, str(Path(__file__).parent))

REPOSITORY = Path(__file__).parents[2]
PLAYER = REPOSITORY / "player"
# What the package is built of; src/generated is written by the build.
SOURCES = (
    (PLAYER, ("src/*.*", "src/[!g]*/*", "scripts/*", "rust/*.wasm", "package*.json")),
    (REPOSITORY, ("src/defectscope/features/kernel.wasm", "model_artifacts/*/detector.json")),
)


def _is_old() -> bool:
    """Tells whether something that the package is built of has changed since."""
    built = PLAYER / "dist" / "index.js"
    made_s = built.stat().st_mtime if built.is_file() else 0.0
    paths = (p for folder, names in SOURCES for name in names for p in folder.glob(name))
    return any(path.stat().st_mtime > made_s for path in paths)


@pytest.fixture(scope="session")
def player() -> Path:
    """The npm package, built; skips where node or its packages are not installed."""
    if shutil.which("node") is None or not (PLAYER / "node_modules").is_dir():
        pytest.skip("the player's packages are not installed: make player")
    # A build empties dist/ first: tests of two processes must not meet there.
    with (Path(tempfile.gettempdir()) / "defectscope-player-build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_old():
            subprocess.run(["node", "scripts/build.mjs"], cwd=PLAYER, check=True, timeout=120)
    return PLAYER
