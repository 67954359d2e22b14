"""Decisions in the page: served it writes them, opened as a file it offers waivers.toml."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from defectscope.desk.decisions import Decisions
from defectscope.desk.review_server import Reviewed, ReviewServer
from defectscope.findings import Finding, Report
from defectscope.report.html import write
from defectscope.waivers import apply_waivers, load_waivers

pytestmark = pytest.mark.browser
# Text that would be something else in TOML, in a pattern, or in a page.
REASON = 'end "card" \\ is </script> a still\x7f [[waivers]]'


def report() -> Report:
    def found(detector: str, start_s: float) -> Finding:
        end = start_s + 1.5
        return Finding(detector, detector, start_s, end, 0.9, "major")

    return Report(
        asset={"uri": "in/a[1]*.mov", "duration_s": 10.0},
        findings=(found("freeze", 1.0), found("blur", 5.0)),
        verdicts={"freeze": {"verdict": "fail"}, "blur": {"verdict": "fail"}},
        curves={},
        detectors={},
        timing={},
    )


def opened(browser: Any, address: str) -> Any:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.complaints = []

    def on_console(message: Any) -> None:
        page.complaints.append(message.text)

    def on_error(error: Any) -> None:
        page.complaints.append(str(error))

    page.on("console", on_console)
    page.on("pageerror", on_error)
    page.goto(address)
    page.wait_for_selector("html[data-ready]")
    return page


def accept(page: Any) -> None:
    page.keyboard.press("a")
    page.keyboard.type(REASON)
    page.fill(".waive input >> nth=1", "A. Operator")
    page.fill('.waive input[type="date"]', "2999-01-31")
    page.keyboard.press("Enter")


def test_served_it_writes_waivers_and_decides_again(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    server = ReviewServer([Reviewed(Decisions(report(), path, None))])
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        page = opened(browser, server.address)
        assert page.inner_text("#stamp") == "FAIL"
        page.keyboard.press("a")
        page.keyboard.press("Enter")
        assert "name is needed" in page.inner_text(".problem")
        page.keyboard.press("Escape")
        accept(page)
        page.wait_for_selector(".decision.accepted")
        assert "A. Operator, until 2999-01-31" in page.inner_text(".decision")
        assert len(load_waivers(path).entries) == 1
        page.keyboard.press("j")
        page.fill(".waive input >> nth=1", "A. Operator")
        page.keyboard.press("Escape")
        page.keyboard.press("r")
        page.wait_for_selector(".decision.rejected")
        assert page.inner_text("#decided").startswith("1 accepted, 1 rejected")
        # Another look at the page has it all.
        page.reload()
        page.wait_for_selector("html[data-ready]")
        assert page.locator('.row[data-decision="accepted"]').count() == 1
        assert page.locator('.row[data-decision="rejected"]').count() == 1
        page.keyboard.press("k")
        page.keyboard.press("u")
        page.wait_for_selector(".waive")
        assert load_waivers(path).entries == ()
        assert page.complaints == []
        page.close()
    finally:
        server.close()
        thread.join()


@pytest.mark.parametrize("sha256", ["", "ab" * 32])
def test_as_a_file_it_offers_what_analyze_reads(browser: Any, tmp_path: Path, sha256: str) -> None:
    one = report()
    if sha256:
        one = replace(one, asset={**one.asset, "sha256": sha256})
    write(one, tmp_path / "report.html")
    page = opened(browser, (tmp_path / "report.html").as_uri())
    accept(page)
    page.wait_for_selector(".decision.accepted")
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "waivers.toml"
    download.value.save_as(tmp_path / "waivers.toml")
    waivers = load_waivers(tmp_path / "waivers.toml")
    assert waivers.entries[0].reason == REASON
    assert waivers.entries[0].sha256 == sha256
    marked = apply_waivers(one, waivers)
    assert [f.waiver is not None for f in marked.findings] == [True, False]
    other = replace(one, asset={**one.asset, "uri": "in/a1x.mov", "sha256": "cd" * 32})
    assert all(f.waiver is None for f in apply_waivers(other, waivers).findings)
    assert page.complaints == []
    page.close()
