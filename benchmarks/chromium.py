"""Headless Chromium, started in one way by the tests of pages, benchmarks and screenshots."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

# No sandbox: containers run it as root. The rest plays films without a click and without sound,
# and keeps the browser from asking the network.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable() -> str | None:
    """Returns the path of Chromium, or None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def headless() -> Generator[Any]:
    """Gives a browser of Playwright and closes it when the block ends.

    Raises:
        FileNotFoundError: Chromium is not installed.
    """
    from playwright.sync_api import sync_playwright

    if (found := executable()) is None:
        raise FileNotFoundError("Chromium is not installed (apt: chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
