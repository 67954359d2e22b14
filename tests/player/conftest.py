from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
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
    with _alone(Path(tempfile.gettempdir()) / "defectscope-player-build.lock"):
        if _is_old():
            subprocess.run(["node", "scripts/build.mjs"], cwd=PLAYER, check=True, timeout=120)
    return PLAYER


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clip of each fault, and `clean.mp4`; written once for all processes."""
    import clips

    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / "player-clips"
    with _alone(shared / "player-clips.lock"):
        if not folder.exists():
            making = shared / "player-clips.part"
            making.mkdir(exist_ok=True)
            clips.make(making)
            making.rename(folder)
    return folder


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Holds a lock between processes until the block ends."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
