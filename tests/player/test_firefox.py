"""In Firefox, which gives blue, green and red without a time: what is found, and what not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import clips
import firefox
import ladder
import page as pages
import pytest

# Every clip plays for its six seconds, after those in Chromium: more than a minute.
pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.long]

# Levels beyond black and white do not survive as red, green and blue; a repeat may be ours.
NOT_FOUND = ("stutter", "illegal_range")
FOUND = tuple(name for name in clips.FAULTS if name not in NOT_FOUND)
# Frames that a busy machine does not tell the page of are no fault of the decisions.
TOLERANCE_S = 4 / clips.FPS
WHOLE = "whole('/clips/{}.mp4', {{ budget: {{ main_ms: 1000, worker_ms: 1000 }} }})"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a clean film of ten seconds in segments."""
    folder = tmp_path_factory.mktemp("films")
    ladder.write(folder / "clean", list(clips.scene(seed=9, frames=10 * clips.FPS)))
    return folder


@pytest.fixture(scope="module")
def site(player: Path, made: Path, films: Path) -> Iterator[pages.Site]:
    folders = {"/dist/": player / "dist", "/clips/": made, "/films/": films}
    with pages.served(folders) as site:
        yield site


@pytest.fixture(scope="module")
def driven(site: pages.Site) -> Iterator[firefox.Firefox]:
    if firefox.FIREFOX is None:
        pytest.skip("Firefox is not installed: apt-get install firefox-esr")
    with firefox.started(site) as driven:
        yield driven


def test_a_clean_clip_has_no_findings(driven: firefox.Firefox) -> None:
    result = driven.evaluate(WHOLE.format("clean"))
    assert result["log"] == []
    status = result["status"]
    assert (status["state"], status["variant"], status["source"]) == (
        "watching",
        "wasm",
        "webcodecs",
    )
    assert status["frames"]["measured"] > 60
    assert status["memoryBytes"] < 7.5e6


@pytest.mark.parametrize("name", FOUND)
def test_each_fault_is_found_as_it_plays(name: str, driven: firefox.Firefox) -> None:
    truth = clips.FAULTS[name][1]
    result = driven.evaluate(WHOLE.format(name))
    findings = result["findings"]
    assert [(f["detector"], f["kind"]) for f in findings] == [(truth.detector, truth.kind)]
    assert abs(findings[0]["start_s"] - truth.start_s) <= TOLERANCE_S
    assert abs(findings[0]["end_s"] - truth.end_s) <= TOLERANCE_S + 0.2 * (name == "blockiness")
    opened = next(each for each in result["log"] if each["state"] == "open")
    late_s = opened["reported_at_s"] - truth.start_s
    assert late_s <= clips.MIN_DURATION_S[truth.detector] + 0.5 + TOLERANCE_S, late_s


@pytest.mark.parametrize("name", NOT_FOUND)
def test_what_cannot_be_told_is_not_told(name: str, driven: firefox.Firefox) -> None:
    assert driven.evaluate(WHOLE.format(name))["findings"] == []


def test_at_1080_lines_memory_stays_within_its_bound(driven: firefox.Firefox, made: Path) -> None:
    clips.enlarge(made / "black.mp4", made / "hd.mp4", 1920, 1080)
    result = driven.evaluate(WHOLE.format("hd"))
    status = result["status"]
    assert (status["state"], status["source"]) == ("watching", "webcodecs")
    assert status["memoryBytes"] < 7.5e6
    assert status["frames"]["measured"] > 30
    assert [f["kind"] for f in result["findings"]] == ["black_frames"]


def test_pauses_seeks_and_hidden_tabs_are_told_as_such(driven: firefox.Firefox) -> None:
    result = driven.evaluate(pages.DISTURBED)
    assert result["log"] == []
    assert result["state"] == "watching"
    kinds = [kind for kind, _ in result["events"]]
    assert kinds.count("seek") == 2
    assert {"pause", "hidden"} <= set(kinds)


def test_rebuffering_is_no_freeze(driven: firefox.Firefox) -> None:
    result = driven.evaluate(pages.HELD)
    assert result["waited"]
    assert result["ended"]
    assert result["log"] == []
    assert result["findings"] == []
    assert result["status"]["frames"]["measured"] > result["shown"] > 20
    assert max(ms for kind, ms in result["events"] if kind == "rebuffering") >= 800
