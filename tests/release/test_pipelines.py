"""The pipelines of the examples call what the command line has, and fail where a build is worse."""

from __future__ import annotations

import json
import re
import shlex
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from defectscope.cli.main import build_parser, main
from defectscope.media.encoding import VideoEncoding
from defectscope.media.frames import Frame, Plane
from defectscope.media.writer import write_clip

PIPELINES = Path(__file__).parents[2] / "examples" / "pipelines"


def commands(text: str) -> list[list[str]]:
    """The calls of defectscope in a file, with its variables as they stand."""
    joined = re.sub(r"\\\n\s*", " ", text)
    found: list[list[str]] = []
    for line in re.findall(r"defectscope (?:compare|capture) [^\n]*", joined):
        found.append(shlex.split(line.replace("$run", "1"))[1:])
    return found


@pytest.mark.parametrize("name", ["buildspec-release.yml", "release.yml"])
def test_pipelines_are_yaml_and_their_commands_parse(name: str) -> None:
    text = (PIPELINES / name).read_text("utf-8")
    loaded: Any = yaml.safe_load(text)
    assert loaded
    folded = re.sub(r">-\n\s+(defectscope[^\n]*)\n\s+", r"\1 ", text)
    calls = commands(folded)
    assert calls
    for call in calls:
        build_parser().parse_args(call)
    assert any("--fail-on-worse" in call for call in calls)


def session(path: Path, startup_s: float, rng: np.random.Generator) -> None:
    """A captured session: a dark screen, then noise that moves, at 30 a second."""
    first = round((1.0 + startup_s) * 30)

    def frames() -> Any:
        for k in range(90):
            luma = np.full((96, 160), 40, np.uint8)
            if k >= first:
                luma = rng.integers(30, 200, (96, 160), dtype=np.uint8)
            chroma = np.full((48, 80), 128, np.uint8)
            yield Frame(
                k, 1, tuple(Plane(p, p.shape[1], p.shape[0]) for p in (luma, chroma, chroma)), 8
            )

    video = path.with_name(path.name.removesuffix(".session.json") + ".mkv")
    encoding = VideoEncoding(160, 96, Fraction(30), preset="ultrafast", crf=10.0)
    write_clip(video, frames=frames(), video=encoding)
    made = {
        "schema": "defectscope/session/1",
        "capture": video.name,
        "source": "x11grab::1",
        "nominal_fps": 30.0,
        "began_at": 1000.0,
        "device": {"name": "tv", "title": "A", "app_build": path.parent.name, "title_fps": 30.0},
        "marks": [{"name": "launch", "at": 1001.0}],
        "events": [],
        "times_us": [round(1e6 * k / 30) for k in range(90)],
        "repeated": 0,
        "lost": 0,
        "drift_ppm": None,
    }
    path.write_text(json.dumps(made))


def test_a_slower_build_fails_the_pipeline_and_an_equal_one_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    for build, startup_s in (("base", 0.4), ("equal", 0.4), ("slow", 0.9)):
        (tmp_path / build).mkdir()
        for k in range(8):
            late_s = startup_s + float(rng.uniform(0, 0.2))
            session(tmp_path / build / f"{k}.session.json", late_s, rng)
    report = tmp_path / "release.xml"

    def status(candidate: str) -> int:
        call = ["compare", str(tmp_path / "base"), str(tmp_path / candidate), "--json", "-"]
        return main([*call, "--detectors", "none", "--junit", str(report), "--fail-on-worse"])

    assert status("equal") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "no difference seen"
    assert "<failure" not in report.read_text()
    assert status("slow") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "worse"
    assert found["measures"][0]["measure"] == "startup_s"
    assert found["measures"][0]["difference"]["mean"] == pytest.approx(0.5, abs=0.1)
    assert 'name="startup_s"' in report.read_text()
    assert "<failure" in report.read_text()


def test_sessions_are_compared_with_sessions(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    session(tmp_path / "a" / "x.session.json", 0.4, rng)
    (tmp_path / "b" / "x.mp4").write_bytes(b"")
    assert main(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
