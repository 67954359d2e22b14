"""The page in headless Chromium: what it shows, how it is driven, what it must not do."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sample_reports import HOSTILE, empty_report, full_report, hostile_report, huge_report

from defectscope.findings import Report
from defectscope.report.html import render, write

pytestmark = pytest.mark.browser


@dataclass
class Opened:
    page: Any
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def note(self, message: str) -> None:
        # These tests read canvases back; the page itself never does.
        if "getImageData" not in message:
            self.complaints.append(message)

    def on_request(self, request: Any) -> None:
        self.requests.append(request.url)

    def on_console(self, message: Any) -> None:
        self.note(f"{message.type}: {message.text}")

    def on_error(self, error: Any) -> None:
        self.complaints.append(str(error))

    def rows(self) -> list[int]:
        script = "[...document.querySelectorAll('.row')].map(r => Number(r.dataset.index))"
        return self.page.evaluate(script)

    def selected(self) -> str:
        return self.page.locator('.row[aria-selected="true"]').get_attribute("id")

    def view(self) -> tuple[float, float]:
        # The timeline is drawn in the next animation frame.
        self.page.evaluate("() => new Promise(r => requestAnimationFrame(() => setTimeout(r, 0)))")
        stage = self.page.locator("#stage")
        return float(stage.get_attribute("data-start-s")), float(stage.get_attribute("data-end-s"))


Open = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    opened: list[Opened] = []

    def opener(
        report: Report,
        width: int = 1400,
        height: int = 900,
        scheme: str = "light",
        media: Path | None = None,
    ) -> Opened:
        file = tmp_path / f"{len(opened)}.html"
        write(report, file, media)
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
        it = Opened(page)
        page.on("request", it.on_request)
        page.on("console", it.on_console)
        page.on("pageerror", it.on_error)
        page.goto(file.as_uri())
        page.wait_for_selector("html[data-ready]")
        opened.append(it)
        return it

    yield opener
    for it in opened:
        # Checked after every test: nothing but the file itself and data, and no complaint.
        outside = [u for u in it.requests if not u.startswith(("file:", "data:"))]
        it.page.close()
        assert outside == []
        assert it.complaints == []


def test_it_shows_asset_rows_and_findings(open_page: Open) -> None:
    it = open_page(full_report())
    page = it.page
    assert page.title() == "trailer_1080p.mov – defectscope"
    assert page.inner_text("#asset") == "trailer_1080p.mov"
    assert "1920 × 1080" in page.inner_text("#facts")
    assert page.locator(".row").count() == 9
    assert page.locator("#labels button").count() == 9
    page.keyboard.press("q")
    assert page.locator("#labels button").count() == 21
    # Something is drawn on the timeline in the colours of all three severities.
    count = """() => { const c = document.getElementById('canvas');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      const seen = new Set(); for (let k = 0; k < d.length; k += 4)
        if (d[k + 3] > 200) seen.add([d[k], d[k + 1], d[k + 2]].map(v => v >> 5).join());
      return seen.size; }"""
    it.view()
    assert page.evaluate(count) >= 4


def test_filters_and_sorts(open_page: Open) -> None:
    it = open_page(full_report())
    page, report = it.page, full_report()
    page.click('button[data-severity="minor"]')
    assert all(report.findings[i].severity != "minor" for i in it.rows())
    assert page.inner_text("#count") == "6 of 9"
    page.select_option("#sort", "severity")
    ranks = [("critical", "major").index(report.findings[i].severity) for i in it.rows()]
    assert ranks == sorted(ranks)
    page.select_option("#sort", "length")
    lengths = [report.findings[i].interval.duration_s for i in it.rows()]
    assert lengths == sorted(lengths, reverse=True)
    page.select_option("#detector", "audio_artifacts")
    assert [report.findings[i].defect for i in it.rows()] == ["audio_hum"]
    page.select_option("#detector", "")
    page.fill("#search", "black 00:00:03")
    assert [report.findings[i].detector for i in it.rows()] == ["black_frames"]
    page.fill("#search", "no such words")
    assert it.rows() == []
    assert page.is_visible("#empty")


def test_keys_drive_everything(open_page: Open) -> None:
    it = open_page(full_report())
    page = it.page
    first = it.rows()
    assert it.selected() == f"finding-{first[0]}"
    for key, place in (
        ("j", 1),
        ("ArrowDown", 2),
        ("k", 1),
        ("End", 8),
        ("ArrowUp", 7),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        assert it.selected() == f"finding-{first[place]}"
        active = page.get_attribute("#list", "aria-activedescendant")
        assert active == it.selected()
    page.keyboard.press("/")
    page.keyboard.type("jz freeze?")
    assert page.input_value("#search") == "jz freeze?"
    assert not page.is_visible("#help")
    page.keyboard.press("Escape")
    assert page.input_value("#search") == ""
    page.keyboard.press("2")
    assert page.get_attribute('button[data-severity="major"]', "aria-pressed") == "false"
    page.keyboard.press("Escape")
    assert page.get_attribute('button[data-severity="major"]', "aria-pressed") == "true"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "detail"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") == "list"
    page.keyboard.press("?")
    assert page.is_visible("#help")
    page.keyboard.press("Escape")
    assert not page.is_visible("#help")


def test_the_timeline_zooms_pans_and_picks(open_page: Open) -> None:
    it = open_page(full_report())
    page = it.page
    assert it.view() == (0.0, 60.0)
    page.keyboard.press("+")
    assert it.view() == (15.0, 45.0)
    page.keyboard.press("ArrowRight")
    assert it.view() == (22.5, 52.5)
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    assert it.view() == (30.0, 60.0)
    page.keyboard.press("0")
    assert it.view() == (0.0, 60.0)
    box = page.locator("#canvas").bounding_box()
    labels = page.locator("#labels .name").all_inner_texts()
    line = next(k for k, text in enumerate(labels) if text.startswith("av sync"))
    x, y = box["x"] + box["width"] * 24 / 60, box["y"] + 26 + 34 * (line + 0.5)
    page.mouse.move(x, y)
    assert "av sync" in page.inner_text("#tip")
    page.mouse.click(x, y)
    assert "av sync" in page.inner_text("#detail h2").lower()
    page.keyboard.press("z")
    start_s, end_s = it.view()
    assert (start_s, end_s) == (12.0, 36.0)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - box["width"] / 4, y, steps=4)
    page.mouse.up()
    assert it.view()[0] == pytest.approx(18.0, abs=0.1)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -240)
    page.keyboard.up("Control")
    deadline_s = time.monotonic() + 20
    while it.view()[1] - it.view()[0] >= 24.0 and time.monotonic() < deadline_s:
        page.wait_for_timeout(50)
    assert it.view()[1] - it.view()[0] < 24.0


def test_evidence_is_drawn_and_named_with_units(open_page: Open) -> None:
    it = open_page(full_report())
    page = it.page
    page.locator(".row", has_text="block corruption").click()
    text = page.inner_text("#detail")
    assert "probability map" in page.inner_text("#shown")
    assert "Usual cause: Data were lost" in text
    assert re.search(r"corrupted area\s+0\.113", text)
    painted = """() => { const c = document.getElementById('overlay');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
      let n = 0; for (let k = 3; k < d.length; k += 4) if (d[k] > 60) n++;
      return n / (d.length / 4); }"""
    page.wait_for_function(painted.replace("return n / (d.length / 4)", "return n > 0"))
    assert 0.05 < page.evaluate(painted) < 0.5
    page.locator(".row", has_text="av sync").click()
    assert page.locator('.chart[aria-label^="Distance over offset"] canvas').is_visible()
    assert re.search(r"spread\s+18 ms", page.inner_text("#detail"))
    page.locator(".row", has_text="audio hum").click()
    assert re.search(r"level\s+−38\.2 dBFS", page.inner_text("#detail"))


CONTRAST = """() => {
  const parse = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, k) => sum + v * [0.2126, 0.7152, 0.0722][k], 0);
  const ground = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const c = parse(getComputedStyle(n).backgroundColor);
      if (c.length < 4 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const worst = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    const text = walker.currentNode.data.trim();
    if (!text || !node.checkVisibility() || node.closest("script, option")) continue;
    const a = light(parse(getComputedStyle(node).color)), b = light(ground(node));
    worst.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), node.className, text]);
  }
  return worst.sort((x, y) => x[0] - y[0]).slice(0, 3);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(open_page: Open, scheme: str) -> None:
    it = open_page(full_report(), scheme=scheme)
    it.page.keyboard.press("q")
    # Source: WCAG 2.2, success criterion 1.4.3, contrast of at least 4.5:1.
    worst = it.page.evaluate(CONTRAST)
    assert len(worst) == 3
    assert worst[0][0] >= 4.5, worst


def test_the_toggle_overrides_the_system_and_is_remembered(open_page: Open) -> None:
    it = open_page(empty_report(), scheme="dark")
    page = it.page
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.keyboard.press("t")
    light = page.evaluate(ground)
    assert light != dark
    page.reload()
    page.wait_for_selector("html[data-ready]")
    assert page.evaluate(ground) == light
    page.click("#theme")
    assert page.evaluate(ground) == dark


def test_hostile_strings_stay_text(open_page: Open) -> None:
    it = open_page(hostile_report())
    page = it.page
    assert page.evaluate("window.pwned") is None
    assert page.inner_text("#asset").startswith("</script><script>")
    assert page.locator("#detail img, #list img, #strip img").count() == 0
    assert HOSTILE[:30] in page.inner_text("#detail")
    assert page.evaluate("({}).x") is None
    # Even a script that found its way in would be refused by the policy of the page.
    page.evaluate(
        "document.body.append(Object.assign(document.createElement('script'),"
        " {textContent: 'window.pwned = 1'}))"
    )
    assert page.evaluate("window.pwned") is None
    assert any("Content Security Policy" in c for c in it.complaints)
    it.complaints.clear()


@pytest.mark.parametrize(
    ("has_video", "media", "told"),
    [
        (True, ["video", "audio"], "no frame at hand"),
        (False, ["video", "audio"], "its video is not decoded"),
        (False, ["audio"], "sound only"),
    ],
)
def test_it_says_why_there_is_no_frame(
    open_page: Open, has_video: bool, media: list[str], told: str
) -> None:
    report = full_report()
    asset = {k: v for k, v in report.asset.items() if has_video or k != "video"}
    tracks = tuple({"index": k, "medium": name} for k, name in enumerate(media))
    it = open_page(replace(report, asset=asset, tracks=tracks))
    assert it.page.inner_text("#shown") == told


def test_no_findings_and_no_streams(open_page: Open) -> None:
    it = open_page(empty_report())
    assert "No findings" in it.page.inner_text("#tally")
    for key in ("j", "Enter", "z", "End", "1", "s"):
        it.page.keyboard.press(key)
    bare = Report({"uri": "", "duration_s": 0.0}, (), {}, {}, {}, {})
    other = open_page(bare)
    assert other.view() == (0.0, 1.0)


def test_five_thousand_findings_over_ten_hours(open_page: Open) -> None:
    it = open_page(huge_report())
    page = it.page
    assert page.inner_text("#count") == "5000"
    took_ms = page.evaluate(
        "() => { const t = performance.now(); const s = document.getElementById('sort');"
        " s.value = 'severity'; s.dispatchEvent(new Event('change'));"
        " document.getElementById('list').getBoundingClientRect(); return performance.now() - t; }"
    )
    # The bound leaves room for a busy machine.
    assert took_ms < 7000
    # Only what is in sight is on the page.
    assert page.locator(".row").count() < 40
    page.keyboard.press("End")
    assert it.selected() == f"finding-{it.rows()[-1]}"
    page.keyboard.press("z")
    start_s, end_s = it.view()
    assert end_s - start_s < 120


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_list_viewer_detail_and_timeline_stay_in_one_window(
    open_page: Open, width: int, height: int
) -> None:
    it = open_page(huge_report(300), width=width, height=height)
    page = it.page
    places = (
        "['list', 'viewer', 'detail', 'stage'].map(id => {"
        " const b = document.getElementById(id).getBoundingClientRect();"
        " return [b.left >= 0, b.top >= 0, b.right <= innerWidth, b.top < innerHeight - 40]; })"
    )
    for key in ["j"] * 12 + ["End", "k", "k", "Home"]:
        page.keyboard.press(key)
        assert page.evaluate("scrollY") == 0
        assert all(all(place) for place in page.evaluate(places))
        seen = page.locator('.row[aria-selected="true"]').bounding_box()
        box = page.locator("#list").bounding_box()
        assert box["y"] - 1 <= seen["y"] <= box["y"] + box["height"] - seen["height"] + 1


def test_a_phone_gets_the_detail_as_a_sheet_and_no_sideways_scroll(open_page: Open) -> None:
    it = open_page(full_report(), width=390, height=800)
    page = it.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.is_visible("#detail")
    page.locator(".row").nth(2).click()
    assert page.is_visible("#detail")
    page.click("#detail .close")
    assert not page.is_visible("#detail")


def test_paper_gets_all_rows_in_light_without_controls(open_page: Open) -> None:
    it = open_page(full_report(), scheme="dark")
    page = it.page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("#search")
    assert page.locator(".row").count() == 9
    assert page.is_visible("#panel-facts")
    tall = page.evaluate(
        "(() => { const list = document.getElementById('list');"
        " return list.scrollHeight <= list.clientHeight; })()"
    )
    assert tall
    assert len(page.pdf(print_background=True)) > 20_000
    page.emulate_media(media="screen")


def test_a_link_points_at_a_finding(open_page: Open) -> None:
    it = open_page(full_report())
    it.page.keyboard.press("j")
    it.page.keyboard.press("j")
    assert it.page.url.endswith("#at-2")
    it.page.reload()
    it.page.wait_for_selector("html[data-ready]")
    assert it.selected() == "finding-2"
    assert it.page.evaluate("scrollY") == 0


def test_the_verdict_and_the_rules_travel_with_the_page() -> None:
    report = full_report()
    rule = {
        "id": "black", "title": HOSTILE, "detector": "black_frames", "measured": 1.2,
        "limit": "at most 1", "unit": "s", "verdict": "fail", "code": "V-1", "source": "contract",
        "findings": [1],
    }  # fmt: skip
    profile = {"id": "p", "title": HOSTILE, "edition": "1", "sha256": "0"}
    page = render(replace(report, profile=profile, rules=(rule,)))
    assert '"verdict":"fail"' in page
    assert '"limit":"at most 1"' in page
    assert HOSTILE not in page
