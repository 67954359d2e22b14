"""A pair compared as a whole: frame, sound, findings, verdict, command line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from defectscope.cli.main import main
from defectscope.compare import compare, compare_catalogue
from defectscope.compare.alignment import NotComparableError
from defectscope.compare.finding_changes import match_findings
from defectscope.errors import InvalidParameterError
from defectscope.findings import Finding
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of

WHOLE = "the same file, encoded again"
RATE_HZ = 48_000


def spoken(path: Path, late_ms: float, crf: float = 20.0, seed: int = 5) -> Path:
    sound = music_like(3, 8.0, RATE_HZ)
    sound = np.roll(sound, round(late_ms / 1000 * RATE_HZ), axis=0)
    write_clip(
        path,
        frames=iter(Footage(seed=seed, width=240, height=136, frames=200, cuts_s=(3.0,))),
        runs=runs_of(sound),
        video=VideoEncoding(240, 136, Fraction(25), crf=crf),
        audio=AudioEncoding(),
    )
    return path


def finding(start_s: float, end_s: float, severity: Any = "major") -> Finding:
    return Finding("freeze", "freeze", start_s, end_s, 0.9, severity)


def test_a_late_sound_is_measured_against_the_frame(tmp_path: Path) -> None:
    base = spoken(tmp_path / "base.mp4", 0.0)
    late = spoken(tmp_path / "late.mp4", 120.0, crf=30.0)
    found = compare(base, late, detectors=("freeze",))
    assert found.sound is not None
    assert found.sound.offset_ms == pytest.approx(120.0, abs=1.0)
    assert found.verdict == "worse"
    assert "120 ms later" in found.reasons[0]
    assert found.quality is not None
    measured = found.quality.to_dict()
    assert measured["frames"] == 200
    assert 25 < measured["psnr_db"]["mean"] < 45
    assert 0.8 < measured["ssim"]["mean"] < 1.0


def test_an_equal_pair_shows_no_difference(tmp_path: Path) -> None:
    base = spoken(tmp_path / "base.mp4", 0.0)
    found = compare(base, base, detectors=("freeze", "black_frames"))
    assert found.verdict == "no difference seen"
    assert found.facts == ()
    assert found.quality is not None
    assert found.quality.to_dict()["psnr_db"]["min"] == 100.0
    json.loads(found.to_json())


def test_findings_are_matched_one_to_one() -> None:
    base = [finding(1.0, 2.0), finding(5.0, 6.0), finding(9.0, 9.2)]
    candidate = [finding(3.0, 4.1), finding(7.0, 8.0, "critical"), finding(20.0, 21.0)]
    changes = match_findings(base, candidate, lambda s: s - 2.0)
    assert [c.status for c in changes] == ["same", "worse", "fixed", "new"]


def test_a_sound_file_is_not_comparable(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "sound.wav"
    pcm = AudioEncoding(codec="pcm_s16le")
    write_clip(path, runs=runs_of(music_like(3, 1.0, RATE_HZ)), audio=pcm)
    with pytest.raises(NotComparableError, match="candidate has no video"):
        compare(write(WHOLE)[1], path)


def test_the_command_writes_json_and_junit(
    tmp_path: Path, write: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    version, path = write("5 frames dropped, 3 doubled")
    junit = tmp_path / "out" / "result.xml"
    status = main([
        "compare", str(write(WHOLE)[1]), str(path), "--detectors", "freeze",
        "--json", "-", "--junit", str(junit), "--every", "20", "--fail-on-worse",
    ])  # fmt: skip
    assert status == 1
    printed = json.loads(capsys.readouterr().out)
    assert printed["verdict"] == "worse"
    assert printed["alignment"]["dropped"] == list(version.dropped)
    assert printed["alignment"]["doubled"] == list(version.doubled)
    suites = ElementTree.fromstring(junit.read_text())
    assert (suites.attrib["failures"], suites[0].attrib["failures"]) == ("1", "1")
    failure = suites.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib["type"] == "worse"


def test_folders_are_compared_title_by_title(tmp_path: Path, write: Any) -> None:
    for folder in ("base", "candidate"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_bytes(write(WHOLE)[1].read_bytes())
    (tmp_path / "base" / "broken.mp4").write_bytes(b"no film")
    (tmp_path / "candidate" / "broken.mp4").write_bytes(b"no film")
    (tmp_path / "base" / "alone.mp4").write_bytes(b"no film")
    found = compare_catalogue(
        tmp_path / "base",
        tmp_path / "candidate",
        lambda _, base, candidate: compare(base, candidate, detectors=("freeze",), quality=False),
    )
    assert found.verdict == "too little data"
    assert set(found.comparisons) == {"a"}
    assert found.failed["broken"].code == "unreadable_media"
    assert found.unmatched == ("alone",)
    json.loads(found.to_json())


def test_a_folder_beside_a_file_is_refused(tmp_path: Path, write: Any) -> None:
    assert main(["compare", str(tmp_path), str(write(WHOLE)[1])]) == 2


def test_folders_without_a_common_title_are_refused(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "candidate").mkdir()
    with pytest.raises(InvalidParameterError, match="no title in common"):
        compare_catalogue(tmp_path / "base", tmp_path / "candidate", lambda *_: None)  # type: ignore[arg-type, return-value]
