"""A worse build is called worse, an equal one is not, and nothing is left out without a word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from defectscope.capture.session import SessionError
from defectscope.errors import InvalidParameterError
from defectscope.release import Run, compare_releases, read_runs
from defectscope.release.junit import junit_of
from defectscope.release.matrix import NEVER_PLAYED
from defectscope.release.stratified import difference

CELLS = [(device, title) for device in ("tv", "box", "console") for title in ("A", "B")]


def runs(
    rng: np.random.Generator, *, slower_s: float = 0.0, more: float = 1.0, sessions: int = 6
) -> list[Run]:
    """Sessions of a build: devices differ threefold, builds by what is asked for."""
    made: list[Run] = []
    for number, (device, title) in enumerate(CELLS):
        for k in range(sessions):
            values = {
                "startup_s": 0.6 * (1 + number / 2) + slower_s + float(rng.normal(0, 0.08)),
                "stalls": float(rng.poisson(0.6 * more)),
                "stalled_s": float(rng.exponential(0.4 * more)),
                "findings": float(rng.poisson(0.8 * more)),
                "holds": 0.0,
                "black": 0.0,
            }
            made.append(Run(f"{device}-{title}-{k}", device, title, "1", values))
    return made


def test_a_slower_build_is_worse_and_comes_first() -> None:
    rng = np.random.default_rng(1)
    found = compare_releases(runs(rng), runs(rng, slower_s=0.2))
    assert found.verdict == "worse"
    assert found.whole[0].measure.name == "startup_s"
    assert found.whole[0].found is not None
    assert found.whole[0].found.low < 0.2 < found.whole[0].found.high
    assert "startup_s" in found.reasons[0]
    again = compare_releases(runs(rng, slower_s=0.2), runs(rng))
    assert again.verdict == "better"


def test_equal_builds_are_seldom_called_worse() -> None:
    rng = np.random.default_rng(2)
    verdicts = [compare_releases(runs(rng), runs(rng)).verdict for _ in range(8)]
    assert verdicts.count("worse") <= 1


def test_a_difference_nobody_can_see_is_none() -> None:
    rng = np.random.default_rng(3)
    base = runs(rng)
    later = [Run(r.name, r.device, r.title, "2", dict(r.values)) for r in base]
    for run in later:
        run.values["startup_s"] += 0.02
    found = compare_releases(base, later)
    assert found.verdict == "no difference seen"


def test_two_sessions_are_too_little_data() -> None:
    one = Run("a", "tv", "A", "1", {"startup_s": 0.5})
    other = Run("b", "tv", "A", "2", {"startup_s": 5.0})
    assert compare_releases([one], [other]).verdict == "too little data"


def test_a_build_that_does_not_play_is_worse() -> None:
    rng = np.random.default_rng(4)
    dead = [Run(r.name, r.device, r.title, "2", {}, NEVER_PLAYED) for r in runs(rng)]
    found = compare_releases(runs(rng), dead)
    assert found.verdict == "worse"
    assert "never played" in found.reasons[0]


def test_devices_that_differ_are_no_difference_of_builds() -> None:
    # The candidate was run on the slow device more often: within each device nothing changed.
    rng = np.random.default_rng(5)
    slow, fast = rng.normal(5, 0.1, 40), rng.normal(1, 0.1, 40)
    found = difference({"slow": (slow[:8], slow[8:]), "fast": (fast[:32], fast[32:])})
    assert found is not None
    assert found.p_value > 0.05
    assert abs(found.mean) < 0.1


def test_cells_of_one_build_alone_are_named() -> None:
    rng = np.random.default_rng(6)
    base, candidate = runs(rng), [r for r in runs(rng) if r.device != "tv"]
    assert compare_releases(base, candidate).unmatched == ("tv / A", "tv / B")
    only = [r for r in candidate if r.device == "box"]
    silent = [Run("a", "tv", "A", "1", {}, NEVER_PLAYED)]
    with pytest.raises(InvalidParameterError, match=r"in common \(left out: never played\)"):
        compare_releases(silent, silent)
    with pytest.raises(InvalidParameterError, match="in common"):
        compare_releases([r for r in base if r.device == "tv"], only)


def test_junit_and_json_say_the_same() -> None:
    rng = np.random.default_rng(7)
    broken = Run("x", "", "", "", {}, "bad_session: no")
    found = compare_releases(runs(rng), [*runs(rng, slower_s=0.3), broken])
    made: dict[str, Any] = json.loads(found.to_json())
    worse = [m["measure"] for m in made["measures"] if m["verdict"] == "worse"]
    suites = ElementTree.fromstring(junit_of(found))
    (whole,) = (s for s in suites.iter("testsuite") if s.get("name") == "release")
    failed = [c.get("name") for c in whole.iter("testcase") if c.find("failure") is not None]
    assert failed == worse
    assert "startup_s" in worse
    assert made["builds"]["candidate"]["left_out"] == {"x": "bad_session: no"}
    assert suites.find(".//error") is not None


def test_sessions_that_cannot_be_read_are_left_out_with_their_reason(tmp_path: Path) -> None:
    (tmp_path / "a.session.json").write_text("{}")

    def read(path: Path) -> Any:
        raise SessionError(f"{path.name}: no session file")

    (run,) = read_runs(tmp_path, read)
    assert run.left_out.startswith("bad_session")
    with pytest.raises(InvalidParameterError, match="holds no session"):
        read_runs(tmp_path / "none", read)
