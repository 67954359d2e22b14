"""Firefox as Debian ships it, driven by the page itself: it asks for scripts and posts answers.

Playwright's own Firefox is a patched one; the page needs no driver, only autoplay.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import page as pages

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
PREFERENCES = {
    "media.autoplay.default": 0,
    "media.volume_scale": "0.0",
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.reportingpolicy.firstRun": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
}
RUNNER = """<script type=module>
const errors = [];
addEventListener('error', (event) => errors.push(event.message));
addEventListener('unhandledrejection', (event) => errors.push(String(event.reason)));
const answer = {};
const script = await (await fetch('/task')).text();
try {
  const value = (0, eval)(script);
  answer.value = await (typeof value === 'function' ? value() : value);
} catch (error) {
  answer.error = String(error);
}
await fetch('/answer', { method: 'POST', body: JSON.stringify({ ...answer, errors }) });
location.reload();
</script>
"""


class Firefox:
    """A headless Firefox on a site; each script runs in a page of its own."""

    def __init__(self, site: pages.Site) -> None:
        self._tasks: queue.Queue[str] = queue.Queue()
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        site.files["/firefox.html"] = (pages.PAGE + RUNNER).encode()
        site.answering["/task"] = self._task
        site.taking["/answer"] = lambda body: self._answers.put(json.loads(body))

    def _task(self) -> bytes:
        return self._tasks.get().encode()

    def evaluate(self, script: str, limit_s: float = 120.0) -> Any:
        """Returns what a script gives, or what the function gives that it is.

        Raises:
            AssertionError: The script or the page failed.
            queue.Empty: No answer within `limit_s`.
        """
        self._tasks.put(script)
        answer = self._answers.get(timeout=limit_s)
        assert "error" not in answer, answer
        assert answer["errors"] == [], answer
        return answer.get("value")


@contextmanager
def started(site: pages.Site) -> Iterator[Firefox]:
    """Runs Firefox on a site until the block ends."""
    assert FIREFOX is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items()]
        (Path(profile) / "user.js").write_text("\n".join(lines) + "\n", "utf-8")
        driven = Firefox(site)
        command = [FIREFOX, "--headless", "--no-remote", "--profile", profile]
        process = subprocess.Popen(
            [*command, site.origin + "/firefox.html"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield driven
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
