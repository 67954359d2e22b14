"""What the player or the page does is no fault of the film, and nothing of the page is touched."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import page as pages
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clean clip, and one that is black in the middle."""
    folder = tmp_path_factory.mktemp("clips")
    clean = list(clips.scene(seed=8))
    clips.write(folder / "clean.mp4", clean, crf=4)
    clips.FAULTS["black"][0](clean)
    clips.write(folder / "black.mp4", clean)
    return folder


@pytest.fixture(scope="module")
def site(player: Path, folder: Path) -> Iterator[pages.Site]:
    with pages.served({"/dist/": player / "dist", "/clips/": folder}) as site:
        yield site


@pytest.fixture
def page(browser: Any, site: pages.Site) -> Iterator[Any]:
    errors: list[str] = []
    page = pages.opened(browser, site, errors)
    yield page
    page.close()
    assert errors == []


def test_pauses_seeks_and_hidden_tabs_are_told_as_such(page: Any) -> None:
    result = page.evaluate(pages.DISTURBED)
    assert result["log"] == []
    assert result["state"] == "watching"
    assert result["meanwhile"] <= 1
    kinds = [kind for kind, _ in result["events"]]
    assert kinds.count("seek") == 2
    assert {"pause", "hidden"} <= set(kinds)
    assert dict(result["events"])["pause"] >= 800


def test_rebuffering_is_no_freeze(page: Any, site: pages.Site, folder: Path) -> None:
    go_on = threading.Event()
    size = (folder / "clean.mp4").stat().st_size
    held = size * 2 // 5

    def gate(path: str, at: int) -> None:
        if path.endswith("clean.mp4") and at >= held:
            go_on.wait(60)

    site.gate = gate
    try:
        page.evaluate("play('/clips/clean.mp4')")
        # The network holds back the rest of the film, until the player has waited for it.
        # Before it plays it has nothing either, for as long as a busy machine takes.
        waiting = page.evaluate(
            """async () => {
            const v = document.getElementById('v');
            return await until(() => v.currentTime > 0.5) && await until(() => v.readyState < 3);
        }"""
        )
        page.wait_for_timeout(1200)
        go_on.set()
        result = page.evaluate(
            """async () => {
            await until(() => document.getElementById('v').ended, 20000);
            return { log, events: events.map((e) => [e.type, e.duration_ms]) };
        }"""
        )
    finally:
        go_on.set()
        site.gate = lambda path, at: None
    assert waiting
    assert result["log"] == []
    assert max(ms for kind, ms in result["events"] if kind == "rebuffering") >= 800


def test_a_battery_that_runs_low_stops_it(page: Any) -> None:
    result = page.evaluate(
        """async () => {
        const battery = Object.assign(new EventTarget(), { charging: false, level: 0.5 });
        navigator.getBattery = async () => battery;
        const v = document.getElementById('v');
        const measured = () => handle.status().frames.measured;
        await play('/clips/clean.mp4');
        await until(() => measured() > 10);
        battery.level = 0.1;
        battery.dispatchEvent(new Event('levelchange'));
        // Two frames may be under way.
        const before = measured() + 2, at_s = v.currentTime;
        await until(() => v.currentTime > at_s + 0.8);
        const low = measured() - before;
        battery.charging = true;
        battery.dispatchEvent(new Event('chargingchange'));
        const went_on = await until(() => measured() > before + 10);
        return { low, went_on, log, events: events.map((e) => [e.type, e.duration_ms]) };
    }"""
    )
    assert result["low"] <= 0
    assert result["went_on"]
    assert result["log"] == []
    assert dict(result["events"])["battery"] >= 700


def test_a_video_that_the_page_may_not_read_is_not_applicable(page: Any, site: pages.Site) -> None:
    state = page.evaluate(
        f"""async () => {{
        await play('{site.other_origin}/clips/clean.mp4');
        await until(() => handle.status().state !== 'watching');
        const v = document.getElementById('v');
        return [handle.status().state, handle.status().reason, v.paused, v.crossOrigin];
    }}"""
    )
    assert state == ["not_applicable", "tainted", False, None]


def test_protected_media_are_not_applicable(page: Any) -> None:
    state = page.evaluate(
        """async () => {
        await play('/clips/clean.mp4');
        document.getElementById('v').dispatchEvent(new Event('encrypted'));
        return [handle.status().state, handle.status().reason];
    }"""
    )
    assert state == ["not_applicable", "protected"]


def test_a_tight_budget_measures_fewer_frames(page: Any) -> None:
    status = page.evaluate(
        """async () => (await whole('/clips/clean.mp4', { budget: { worker_ms: 0.05 } })).status"""
    )
    assert status["stride"] > 1 or status["reason"] == "over_budget"


def test_no_more_frames_are_measured_than_asked_for(page: Any) -> None:
    result = page.evaluate("whole('/clips/black.mp4', { maxFps: 8 })")
    # Six seconds of 25 frames each.
    assert 20 <= result["status"]["frames"]["measured"] <= 6 * 8 + 1
    (finding,) = result["findings"]
    truth = clips.FAULTS["black"][1]
    assert abs(finding["start_s"] - truth.start_s) <= 0.2
    assert abs(finding["end_s"] - truth.end_s) <= 0.2


def test_read_back_through_a_canvas_finds_black_as_well(page: Any) -> None:
    result = page.evaluate("whole('/clips/black.mp4', { source: 'canvas' })")
    assert result["status"]["source"] == "canvas"
    (finding,) = result["findings"]
    truth = clips.FAULTS["black"][1]
    # Five frames a second: each end within one of them, and one more for a late callback.
    assert abs(finding["start_s"] - truth.start_s) <= 0.4
    assert abs(finding["end_s"] - truth.end_s) <= 0.4


def test_javascript_finds_what_webassembly_finds(page: Any) -> None:
    result = page.evaluate("whole('/clips/black.mp4', { engine: 'javascript' })")
    assert result["status"]["variant"] == "javascript"
    (finding,) = result["findings"]
    assert finding["kind"] == "black_frames"
    assert abs(finding["start_s"] - 2.6) <= 0.16


def test_the_overlay_comes_and_goes_with_its_key(page: Any) -> None:
    shown = page.evaluate(
        """async () => {
        await play('/clips/clean.mp4', { overlayKey: 'd' });
        const press = () => document.dispatchEvent(new KeyboardEvent('keydown', { key: 'd' }));
        const overlay = () => document.querySelector('[data-defectscope=overlay]');
        press();
        await until(() => overlay()?.textContent.includes('cost'));
        const text = overlay().textContent;
        press();
        await until(() => !overlay());
        return [text, overlay() === null];
    }"""
    )
    assert "640 x 360" in shown[0]
    assert shown[1]


def test_findings_are_sent_without_anything_personal(page: Any, site: pages.Site) -> None:
    from defectscope.player import parse

    site.posted.clear()
    page.evaluate(
        """whole('/clips/black.mp4?token=secret', {
            collector: '/collect', session: 'anna@example.com',
            content: 'title-1', app: '4.2.0', device: 'desktop' }).then(() => handle.stop())"""
    )
    deadline_s = time.monotonic() + 20
    while not site.posted and time.monotonic() < deadline_s:
        page.wait_for_timeout(50)
    assert site.posted
    text = json.dumps(site.posted)
    assert "anna" not in text
    assert "secret" not in text
    batches = [parse(json.dumps(each).encode()) for each in site.posted]
    # Where a busy machine makes the player wait within it, the black comes as two.
    assert {f.detector for b in batches for f in b.findings} == {"black_frames"}
    assert all(b.refused == () for b in batches)
