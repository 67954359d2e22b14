from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; skips where it or playwright is not installed."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # Beside this file, which is on the path by now only.
    import page as pages

    if not Path(pages.CHROMIUM).exists():
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=pages.CHROMIUM, args=pages.FLAGS)
        yield browser
        browser.close()
