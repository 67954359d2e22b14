"""The page with its media: what it plays, where it stands, what it lets in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sample_reports import HOSTILE, finding, report_of

from defectscope.findings import Report
from defectscope.media import open_media
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.frames import Frame, Plane, Samples
from defectscope.media.proxy import write_proxy
from defectscope.media.stills import read_stills
from defectscope.media.writer import write_clip
from defectscope.report.html import write
from defectscope.report.playing import proxy_of

pytestmark = pytest.mark.browser
FPS, FRAMES, RATE_HZ = 25, 100, 48000


def level_of(frame: int) -> int:
    return 40 + 2 * frame


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds whose grey says which frame it is; a tone on the left from 1 s to 2 s."""
    path = tmp_path_factory.mktemp("clip") / "a clip #1 <b>.mp4"
    chroma = Plane(np.full((32, 48), 128, np.uint8), 48, 32)

    def frame(k: int) -> Frame:
        luma = Plane(np.full((64, 96), level_of(k), np.uint8), 96, 64)
        return Frame(pts=k, duration=1, planes=(luma, chroma, chroma), bit_depth=8)

    time_s = np.arange(RATE_HZ * FRAMES // FPS) / RATE_HZ
    left = 0.5 * np.sin(2 * np.pi * 1000 * time_s) * ((time_s >= 1) & (time_s < 2))
    right = 0.1 * np.sin(2 * np.pi * 300 * time_s)
    sound = np.stack([left, right], axis=1).astype(np.float32)
    write_clip(
        path,
        frames=(frame(k) for k in range(FRAMES)),
        video=VideoEncoding(96, 64, Fraction(FPS), crf=6, gop_frames=12),
        runs=[Samples(0, sound)],
        audio=AudioEncoding(RATE_HZ, "stereo"),
    )
    return path


def report_on(clip: Path) -> Report:
    found = [
        finding("freeze", 1.0, 1.4, motion_code=0.1),
        finding("audio_artifacts", 1.0, 2.0, "major", 0.9, "audio_hum", hum_hz=1000.0),
    ]
    report = report_of(found, duration_s=FRAMES / FPS, uri=clip.name)
    video = {"width": 96, "height": 64, "frame_rate": "25/1", "codec": "h264"}
    return replace(report, asset={**report.asset, "video": video})


@pytest.fixture
def page(browser: Any, clip: Path) -> Iterator[Any]:
    target = clip.with_name("report.html")
    write(report_on(clip), target, clip)
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    said: list[str] = []

    def on_console(message: Any) -> None:
        said.append(message.text)

    def on_error(error: Any) -> None:
        said.append(str(error))

    page.on("console", on_console)
    page.on("pageerror", on_error)
    page.goto(target.as_uri())
    page.wait_for_function("() => document.getElementById('video').readyState >= 2")
    yield page
    page.close()
    assert [line for line in said if "getImageData" not in line] == []


SEEKED = "() => { const v = document.getElementById('video'); return !v.seeking; }"
FRAME_SHOWN = "Math.floor(document.getElementById('video').currentTime * 25 + 1e-3)"


def test_it_plays_what_lies_beside_it(page: Any) -> None:
    # It stands at the worst moment of the first finding: the middle of 1.0 to 1.4 s.
    page.wait_for_function(SEEKED)
    assert page.inner_text("#now") == "00:00:01:05"
    assert page.evaluate(FRAME_SHOWN) == 30
    # One after the other: Chromium may hang in a seek that another one interrupts.
    for key in "..,":
        page.keyboard.press(key)
        page.wait_for_function(SEEKED)
    assert page.evaluate(FRAME_SHOWN) == 31
    assert page.inner_text("#now") == "00:00:01:06"
    # The first frame that is past the finding, and the last one before it.
    page.click('#strip button[data-moment="before"]')
    page.wait_for_function(SEEKED)
    assert page.evaluate(FRAME_SHOWN) == 24
    page.keyboard.press("m")
    page.wait_for_function(SEEKED)
    assert page.evaluate(FRAME_SHOWN) == 35
    shown = page.evaluate(
        "new Promise(r => { const v = document.getElementById('video'), c ="
        " document.createElement('canvas'); c.width = 96; c.height = 64; const p ="
        " c.getContext('2d'); v.requestVideoFrameCallback((_, f) => r(f.mediaTime));"
        " v.currentTime = (50 + 0.5) / 25; })"
    )
    assert shown == pytest.approx(50 / 25, abs=0.001)


def test_it_loops_a_finding_with_handles_and_follows_on_the_timeline(page: Any) -> None:
    page.select_option("#handles", "0")
    page.keyboard.press("l")
    page.wait_for_function("() => !document.getElementById('video').paused")
    times = page.evaluate(
        "new Promise(done => { const v = document.getElementById('video'), seen = [], t ="
        " performance.now(); const look = () => { seen.push(v.currentTime);"
        " performance.now() - t > 1300 ? done(seen) : requestAnimationFrame(look); }; look(); })"
    )
    inside = [t for t in times if 0.9 <= t <= 1.6]
    assert len(inside) >= 0.95 * len(times)
    # It came back to the start at least once.
    assert any(later < earlier - 0.2 for earlier, later in pairwise(times))
    assert page.is_visible("#playhead")
    page.keyboard.press(" ")
    assert page.evaluate("document.getElementById('video').paused")


def test_a_channel_alone(page: Any, clip: Path) -> None:
    # From a disk the browser gives silence, so the page asks for the file to be opened.
    page.locator("#channels button").first.click()
    assert "Open media" in page.inner_text("#note")
    page.set_input_files("#file", str(clip))
    page.wait_for_function("() => document.getElementById('video').src.startsWith('blob:')")
    page.wait_for_function("() => document.getElementById('video').readyState >= 2")
    page.locator("#channels button").first.click()
    assert page.get_attribute("#channels button >> nth=0", "aria-pressed") == "true"
    page.keyboard.press("c")
    assert page.get_attribute("#channels button >> nth=1", "aria-pressed") == "true"
    page.keyboard.press("c")
    assert page.locator('#channels button[aria-pressed="true"]').count() == 0


def test_a_finding_in_sound_is_seen(page: Any) -> None:
    page.keyboard.press("j")
    assert page.locator('canvas[aria-label^="Waveform of FL, FR from 00:00.00"]').is_visible()
    assert page.locator(".spectrogram img").evaluate("i => i.naturalWidth") == 320
    # The left channel is loud from 1 s to 2 s alone; a quarter of its picture each.
    painted = page.evaluate(
        "() => { const c = document.querySelector('.waves canvas'), d ="
        " c.getContext('2d').getImageData(0, 0, c.width, c.height).data, y = 16;"
        " const at = (s) => d[(y * c.width + Math.round(38 + (c.width - 38) * s / 3)) * 4 + 3];"
        " return [0.5, 1.5, 2.5].map(at); }"
    )
    assert painted[1] == 255
    assert painted[0] == painted[2] == 0


def test_a_proxy_keeps_frames_and_channels(clip: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    proxy = proxy_of(page)
    write_proxy(clip, proxy)
    stills = read_stills(proxy, [(k + 0.5) / FPS for k in (0, 24, 99)], 64)
    for k, still in zip((0, 24, 99), stills, strict=True):
        assert still is not None
        assert abs(float(still.rgb.mean()) - (level_of(k) - 16) * 255 / 219) < 6
    with open_media(proxy) as reader:
        sound = [item for item in reader.read(1.2, 1.8, video=False) if isinstance(item, Samples)]
    data = np.concatenate([run.data for run in sound])
    assert 0.3 < np.sqrt((data**2).mean(axis=0))[0] < 0.4
    assert np.sqrt((data**2).mean(axis=0))[1] < 0.1
    write(report_on(clip), page, clip)
    assert '"src":"./report.proxy.mp4","proxy":true' in page.read_text("utf-8")
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["report.html", "report.proxy.mp4"]


def test_only_a_plain_name_is_played(clip: Path, tmp_path: Path) -> None:
    beside = clip.with_name("beside.html")
    write(report_on(clip), beside, clip)
    text = beside.read_text("utf-8")
    assert '"src":"./a%20clip%20%231%20%3Cb%3E.mp4"' in text
    elsewhere = tmp_path / "elsewhere.html"
    write(report_on(clip), elsewhere, clip)
    assert '"media":null' in elsewhere.read_text("utf-8")
    # A report cannot name what is played.
    hostile = replace(report_on(clip), asset={**report_on(clip).asset, "uri": "../../etc/passwd"})
    write(hostile, elsewhere)
    assert '"media":null' in elsewhere.read_text("utf-8")
    for text in (beside.read_text("utf-8"), elsewhere.read_text("utf-8")):
        policy = re.search(r'Security-Policy" content="([^"]+)"', text)
        assert policy is not None
        assert "default-src 'none'" in policy[1]
        assert "media-src 'self' blob:;" in policy[1]
        assert "connect-src 'none'" in policy[1]
        assert "unsafe" not in policy[1]
    assert HOSTILE not in text


def test_seeks_are_handed_on_one_at_a_time(page: Any) -> None:
    # A browser that is told of a seek while it seeks may never end either.
    page.evaluate(
        "() => { window.seeks = [0, 0]; const v = document.getElementById('video');"
        " v.addEventListener('seeking', () => window.seeks[0]++);"
        " v.addEventListener('seeked', () => window.seeks[1]++); }"
    )
    before = page.evaluate(FRAME_SHOWN)
    page.evaluate("() => { for (let k = 0; k < 20; k++) document.getElementById('on').click(); }")
    page.wait_for_function(
        f"() => !document.getElementById('video').seeking && {FRAME_SHOWN} === {before + 20}"
    )
    begun, ended = page.evaluate("window.seeks")
    # The first, and of those that were wished meanwhile the last alone.
    assert begun == ended == 2
