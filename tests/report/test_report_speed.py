"""A two-hour report of 2,000 findings: how fast it opens, and how long its longest task is.

Bounds are on the processor time of the page's main thread, which a busy machine does not change;
what passed on the clock is printed beside it (`pytest -s`).
"""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_reports import DETECTORS, finding, report_of

from defectscope.findings import Report, Severity
from defectscope.media.stills import encode_jpeg
from defectscope.report import html

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOST_OPENING_S, LONGEST_TASK_MS = 1.0, 50.0
TWO_HOURS_S = 7200.0


def long_report(count: int = 2000) -> Report:
    draw = random.Random(11)
    findings = []
    for _ in range(count):
        start_s = round(draw.uniform(0, TWO_HOURS_S - 20), 2)
        severity: Severity = draw.choice(("minor", "minor", "minor", "major", "critical"))
        length_s = round(draw.uniform(0.04, 15), 2)
        name = draw.choice(DETECTORS)
        evidence: dict[str, Any] = {
            "score": draw.random(),
            "luma_code": 16.2,
            "frames": 12,
            "level_dbfs": -40.0,
        }
        findings.append(finding(name, start_s, start_s + length_s, severity, 0.9, **evidence))
    return report_of(findings, duration_s=TWO_HOURS_S, uri="masters/feature.mxf")


def with_frames(page: str) -> str:
    """Fills the page with as many frames as it may hold; they are noise, so as large as can be."""
    noise = np.random.default_rng(3).integers(0, 255, (360, 640, 3), dtype=np.uint8)
    text = base64.b64encode(encode_jpeg(noise, quantiser=12)).decode("ascii")
    head, data, tail = page.partition('"stills":{}')
    assert data
    most = min(html.MAX_THUMBNAILS, html.MAX_HEAVY_BYTES // len(text))
    stills = {str(k): {"at": text, "at_s": 1.0} for k in range(most)}
    return head + '"stills":' + json.dumps(stills) + tail


def longest_task_ms(page: Any, act: Callable[[], None]) -> tuple[float, float]:
    """Returns the longest task of the page's main thread: processor time, and by the clock."""
    events: list[dict[str, Any]] = []
    session = page.context.new_cdp_session(page)
    ended: list[bool] = []

    def collected(message: dict[str, Any]) -> None:
        events.extend(message["value"])

    def complete(_: Any) -> None:
        ended.append(True)

    session.on("Tracing.dataCollected", collected)
    session.on("Tracing.tracingComplete", complete)
    session.send(
        "Tracing.start",
        {"transferMode": "ReportEvents", "categories": "toplevel,devtools.timeline,__metadata"},
    )
    act()
    session.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(50)
    session.detach()
    # The renderer's main threads; of several pages the one that worked most is ours.
    threads = {
        (e["pid"], e["tid"])
        for e in events
        if e.get("name") == "thread_name" and e["args"].get("name") == "CrRendererMain"
    }
    tasks = [
        (e.get("tdur", e["dur"]) / 1000, e["dur"] / 1000)
        for e in events
        if e.get("name") in ("RunTask", "ThreadControllerImpl::RunTask")
        and e.get("ph") == "X"
        and (e["pid"], e["tid"]) in threads
    ]
    assert len(tasks) > 100, "the trace holds no tasks"
    return max(t for t, _ in tasks), max(t for _, t in tasks)


def test_it_opens_in_a_second_and_scrolls_smoothly(tmp_path: Path, browser: Any) -> None:
    file = tmp_path / "feature.html"
    text = with_frames(html.render(long_report()))
    file.write_text(text, "utf-8")
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    # What is measured is its own time, not for how long a busy machine lets it wait.
    page.goto(file.as_uri(), timeout=120_000)
    page.wait_for_selector("html[data-ready]")
    clock_s = page.evaluate(
        "() => new Promise(r => requestAnimationFrame(() => setTimeout(() =>"
        " r(performance.now() / 1000))))"
    )
    metrics = session.send("Performance.getMetrics")["metrics"]
    opening_s = {m["name"]: m["value"] for m in metrics}["ThreadTime"]
    box = page.locator("#list").bounding_box()

    def scroll() -> None:
        page.mouse.move(box["x"] + 60, box["y"] + 60)
        for _ in range(60):
            page.mouse.wheel(0, 900)
            page.wait_for_timeout(16)
        # A busy browser takes the turns of the wheel later.
        page.wait_for_function("() => document.getElementById('list').scrollTop > 10_000")
        for key in ["j"] * 10 + ["PageDown"] * 5:
            page.keyboard.press(key)
            page.wait_for_timeout(16)

    task_ms, task_clock_ms = longest_task_ms(page, scroll)
    page.close()
    print(  # noqa: T201
        f"{len(text) / 1e6:.1f} MB: opened in {clock_s:.2f} s ({opening_s:.2f} s at work); "
        f"longest task of scrolling: {task_ms:.0f} ms at work, {task_clock_ms:.0f} ms on the clock"
    )
    assert opening_s <= MOST_OPENING_S
    assert task_ms <= LONGEST_TASK_MS
