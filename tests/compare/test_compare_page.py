"""The page of a comparison shows both versions at one frame, and asks nobody for anything."""

from __future__ import annotations

import itertools
import json
import re
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from defectscope.cli.main import main
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage

FRAMES, DROPPED, LATER = 100, 60, 5


def written(path: Path, numbers: list[int]) -> None:
    footage = list(Footage(seed=9, width=240, height=136, frames=FRAMES, cuts_s=(1.5,)))
    frames = (Frame(k, 1, footage[n].planes, 8) for k, n in enumerate(numbers))
    encoding = VideoEncoding(240, 136, Fraction(25), crf=20.0, gop_frames=10)
    write_clip(path, frames=frames, video=encoding)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comparison")
    base, candidate = folder / "base.mp4", folder / "can<i>didate.mp4"
    written(base, list(range(FRAMES)))
    written(candidate, [n for n in range(LATER, FRAMES) if n != DROPPED])
    path = folder / "page.html"
    call = ["compare", str(base), str(candidate), "--html", str(path), "--json"]
    assert main([*call, str(folder / "result.json"), "--detectors", "freeze"]) == 0
    return path


def data_of(page: Path) -> dict[str, Any]:
    found = re.search(r'id="data">(.*?)</script>', page.read_text("utf-8"), re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_pairs_in_the_page_are_those_of_the_alignment(page: Path) -> None:
    data = data_of(page)
    first = [LATER, 0, DROPPED - LATER]
    assert data["runs"] == [first, [DROPPED + 1, DROPPED - LATER, FRAMES - DROPPED - 1]]
    assert data["base_frames"] == FRAMES
    assert data["media"] == ["./base.mp4", "./can%3Ci%3Edidate.mp4"]
    result = json.loads(page.with_name("result.json").read_text("utf-8"))
    assert data["verdict"] == result["verdict"] == "worse"
    assert data["worst"] == result["metrics"]["worst"]
    assert "<i>" not in page.read_text("utf-8").split("<body>")[1].split("<script>")[0]


def until(tab: Any, expression: str) -> None:
    """Waits without evaluating text in the page, which its policy forbids."""
    end_s = time.monotonic() + 60
    while not tab.evaluate(expression):
        assert time.monotonic() < end_s, expression
        time.sleep(0.02)


def test_two_folders_have_no_page(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    call = ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--html", str(tmp_path / "p.html")]
    assert main(call) == 2


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (420, "light")])
def test_both_versions_stand_at_the_same_frame(
    browser: Any, page: Path, width: int, scheme: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab = context.new_page()
    complaints: list[str] = []
    asked: list[str] = []
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(page.as_uri())
    both = "['base', 'candidate'].map((i) => document.getElementById(i))"
    until(tab, f"{both}.every((video) => video.readyState >= 2 && !video.seeking)")

    def at(frame: int) -> tuple[float, float, str]:
        tab.evaluate(
            "n => { const s = document.getElementById('seek'); s.value = n;"
            " s.dispatchEvent(new Event('input')) }",
            frame,
        )
        until(tab, f"{both}.every((video) => !video.seeking)")
        return tuple(
            tab.evaluate(
                "[document.getElementById('base').currentTime * 25,"
                " document.getElementById('candidate').currentTime * 25,"
                " document.getElementById('shown').textContent]"
            )
        )

    for frame, other in ((20, 15), (59, 54), (61, 55), (99, 93)):
        base, candidate, words = at(frame)
        assert (int(base), int(candidate)) == (frame, other)
        assert f"{other} of the candidate" in words
    assert "does not have" in at(DROPPED)[2]
    tab.keyboard.press("a")
    hidden = "getComputedStyle(document.getElementById('candidate')).visibility"
    assert tab.evaluate(hidden) == "hidden"
    tab.keyboard.press("w")
    tab.evaluate(
        "() => { const s = document.getElementById('wipe'); s.value = 30;"
        " s.dispatchEvent(new Event('input')) }"
    )
    assert "30%" in tab.evaluate("document.getElementById('candidate').style.clipPath")
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert complaints == []
    local = itertools.filterfalse(lambda url: url.startswith(("file:", "data:", "blob:")), asked)
    assert list(local) == []
    context.close()
