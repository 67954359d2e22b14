"""hls.js, dash.js and Shaka Player play a ladder: what they do is no finding, what it holds is."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any

import clips
import ladder
import page as pages
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "build" / "player-examples"
FRAMES = 10 * clips.FPS
BLACK = range(175, 210)
# The network holds back what comes after this many segments.
HELD_AFTER = 5
SWITCH = {
    "hls": "(i) => { player.nextLevel = i; }",
    "dash": """(i) => {
        player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
        player.setRepresentationForTypeByIndex('video', i, true);
    }""",
    "shaka": """(i) => {
        player.configure('abr.enabled', false);
        const tracks = player.getVariantTracks().sort((a, b) => a.bandwidth - b.bandwidth);
        player.selectVariantTrack(tracks[i], true);
    }""",
}
SOURCE = {"hls": "master.m3u8", "dash": "stream.mpd", "shaka": "stream.mpd"}
BEFORE = """async (turn) => {
    const v = document.querySelector('video');
    const until = (test, limit_ms = 30000) => new Promise((done) => {
        const began = performance.now();
        const poll = () => test() ? done(true)
            : performance.now() - began > limit_ms ? done(false) : setTimeout(poll, 20);
        poll();
    });
    window.until = until;
    window.film = v;
    window.turn = eval(turn);
    const ok = [];
    ok.push(await until(() => window.handle && v.currentTime > 0.6));
    const height = v.videoHeight;
    const other = height > 200 ? 0 : 1;
    window.turn(other);
    ok.push(await until(() => v.videoHeight !== height));
    const begun_s = v.currentTime;
    ok.push(await until(() => v.currentTime > begun_s + 0.5));
    v.currentTime = 3.4;
    ok.push(await until(() => v.currentTime > 3.8 && !v.seeking));
    v.currentTime = 2.0;
    ok.push(await until(() => v.currentTime > 2.4 && !v.seeking));
    window.turn(1 - other);
    ok.push(await until(() => v.readyState < 3 && v.currentTime > 3));
    return ok;
}"""
AFTER = """async () => {
    const ok = await until(() => film.ended, 40000);
    await new Promise((done) => setTimeout(done, 400));
    return { ok, findings: handle.findings(), status: handle.status(),
             events: handle.events.map((e) => [e.type, e.duration_ms, e.height ?? 0]) };
}"""


# The network falls to this after a while: less than the upper rung takes, more than the lower.
SLOW_BPS = 350e3
FAST_BPS = 4e6
SLOW_FROM = 5
BY_ITSELF = """async () => {
    const v = document.querySelector('video');
    const until = (test, limit_ms = 60000) => new Promise((done) => {
        const began = performance.now();
        const poll = () => test() ? done(true)
            : performance.now() - began > limit_ms ? done(false) : setTimeout(poll, 20);
        poll();
    });
    const ok = [await until(() => window.handle && v.currentTime > 0.2)];
    ok.push(await until(() => v.ended));
    await new Promise((done) => setTimeout(done, 400));
    return { ok, findings: handle.findings(),
             heights: handle.events.filter((e) => e.type === 'rendition').map((e) => e.height) };
}"""


@pytest.fixture(scope="module")
def ladders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ladders")
    frames = list(clips.scene(seed=9, frames=FRAMES))
    ladder.write(folder / "clean", frames)
    for index in BLACK:
        for plane, code in zip(frames[index], (16, 128, 128), strict=True):
            plane[:] = code
    ladder.write(folder / "black", frames)
    return folder


@pytest.mark.parametrize("film", ["clean", "black"])
@pytest.mark.parametrize("player_name", SOURCE)
def test_a_ladder_is_played(browser: Any, ladders: Path, player_name: str, film: str) -> None:
    built = EXAMPLES / player_name
    if not (built / "main.js").is_file():
        pytest.skip("the examples are not built: make player-examples")
    go_on = threading.Event()

    def gate(path: str, at: int) -> None:
        part = re.search(r"-(\d{3})\.m4s$", path)
        if part and int(part[1]) > HELD_AFTER:
            go_on.wait(60)

    folders = {"/films/": ladders, "/": built}
    lines: list[str] = []
    errors: list[str] = []
    with pages.served(folders) as site:
        site.page = (built / "index.html").read_bytes()
        site.gate = gate
        page = browser.new_page(viewport={"width": 700, "height": 420})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: lines.append(message.text))
        page.goto(f"{site.origin}/?src=/films/{film}/{SOURCE[player_name]}")
        try:
            steps = page.evaluate(BEFORE, SWITCH[player_name])
            page.wait_for_timeout(1200)
        finally:
            go_on.set()
        result = page.evaluate(AFTER)
        page.close()
    assert errors == []
    assert all(steps), steps
    assert result["ok"], result
    assert result["status"]["state"] == "watching"
    kinds = [kind for kind, _, _ in result["events"]]
    assert kinds.count("seek") >= 2
    assert len({height for kind, _, height in result["events"] if kind == "rendition"}) == 2
    assert max(ms for kind, ms, _ in result["events"] if kind == "rebuffering") >= 800
    told = [line for line in lines if line.startswith("open")]
    if film == "clean":
        assert told == []
        assert result["findings"] == []
        return
    (finding,) = result["findings"]
    assert finding["kind"] == "black_frames"
    assert abs(finding["start_s"] - BLACK.start / clips.FPS) <= 2 / clips.FPS
    assert abs(finding["end_s"] - BLACK.stop / clips.FPS) <= 2 / clips.FPS


@pytest.mark.parametrize("player_name", SOURCE)
def test_a_player_switches_by_itself(browser: Any, ladders: Path, player_name: str) -> None:
    built = EXAMPLES / player_name
    if not (built / "main.js").is_file():
        pytest.skip("the examples are not built: make player-examples")

    def gate(path: str, at: int) -> None:
        part = re.search(r"-(\d{3})\.m4s$", path)
        slow = part is not None and int(part[1]) >= SLOW_FROM
        time.sleep(8 * pages.PART_BYTES / (SLOW_BPS if slow else FAST_BPS))

    errors: list[str] = []
    with pages.served({"/films/": ladders, "/": built}) as site:
        site.page = (built / "index.html").read_bytes()
        site.gate = gate
        page = browser.new_page(viewport={"width": 700, "height": 420})
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{site.origin}/?src=/films/clean/{SOURCE[player_name]}")
        result = page.evaluate(BY_ITSELF)
        page.close()
    assert errors == []
    assert all(result["ok"]), result
    assert 360 in result["heights"], result
    assert result["heights"][-1] == 180, result
    assert result["findings"] == []
