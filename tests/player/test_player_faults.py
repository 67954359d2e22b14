"""In headless Chromium: what is wrong in a clip is found while it plays, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import page as pages
import pytest

FRAME_S = 1 / clips.FPS
BUCKET_S = 0.2
SLACK_S = 0.5

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(player: Path, made: Path) -> Iterator[pages.Site]:
    with pages.served({"/dist/": player / "dist", "/clips/": made}) as site:
        yield site


def played(browser: Any, site: pages.Site, script: str) -> dict[str, Any]:
    errors: list[str] = []
    page = pages.opened(browser, site, errors)
    result = page.evaluate(script)
    page.close()
    assert errors == []
    return result


def test_a_clean_clip_has_no_findings(browser: Any, site: pages.Site) -> None:
    result = played(browser, site, "whole('/clips/clean.mp4')")
    assert result["log"] == []
    assert result["status"]["state"] == "watching"
    assert result["status"]["variant"] == "wasm"
    assert result["status"]["source"] == "webcodecs"
    assert result["status"]["frames"]["measured"] > 100


@pytest.mark.parametrize("name", clips.FAULTS)
def test_each_fault_is_found_as_it_plays(name: str, browser: Any, site: pages.Site) -> None:
    truth = clips.FAULTS[name][1]
    result = played(browser, site, f"whole('/clips/{name}.mp4')")
    findings = result["findings"]
    assert [(f["detector"], f["kind"]) for f in findings] == [(truth.detector, truth.kind)]
    finding = findings[0]
    assert finding["state"] == "closed"
    grid_s = BUCKET_S if truth.detector == "compression_blockiness" else FRAME_S
    assert abs(finding["start_s"] - truth.start_s) <= grid_s + 1e-6
    assert abs(finding["end_s"] - truth.end_s) <= grid_s + 1e-6
    opened = next(each for each in result["log"] if each["state"] == "open")
    # An interval of levels is told by its undoing: motion may look like its onset.
    since_s = truth.end_s if truth.kind == "illegal_range" else truth.start_s
    late_s = opened["reported_at_s"] - since_s
    assert late_s <= clips.MIN_DURATION_S[truth.detector] + SLACK_S, late_s
