"""Two reports of a title compared without their media, as batch runs of two encodes leave them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from defectscope.cli.main import main
from defectscope.compare import compare_reports
from defectscope.compare.alignment import NotComparableError
from defectscope.compare.page import render_comparison
from defectscope.errors import InvalidParameterError
from defectscope.findings import Finding, Report


def report(
    *findings: Finding, duration_s: float = 60.0, version: str = "1", **parameters: Any
) -> Report:
    return Report(
        asset={"uri": "s3://media/a.mp4", "duration_s": duration_s, "video": {"codec": "h264"}},
        findings=findings,
        verdicts={"freeze": {"verdict": "fail" if findings else "pass", "peak_score": {}}},
        curves={},
        detectors={"freeze": {"version": version, "parameters": parameters}},
        timing={},
    )


def freeze(start_s: float, end_s: float) -> Finding:
    return Finding("freeze", "freeze", start_s, end_s, 0.9, "major")


def folder(at: Path, count: int, findings: int) -> Path:
    for number in range(count):
        path = at / f"show {number}" / "one.json"
        path.parent.mkdir(parents=True)
        made = [freeze(10.0 * k, 10.0 * k + 2) for k in range(findings)]
        path.write_text(report(*made).to_json())
    return at


def test_findings_are_matched_by_time_and_nothing_is_said_of_frames() -> None:
    found = compare_reports(report(freeze(5, 7)), report(freeze(5.1, 7), freeze(30, 31)))
    assert [c.status for c in found.findings] == ["same", "new"]
    assert found.verdict == "worse"
    written = json.loads(found.to_json())
    assert (written["alignment"], written["sound"], written["metrics"]) == (None, None, None)
    assert compare_reports(report(freeze(5, 7)), report(freeze(5, 7))).verdict == (
        "no difference seen"
    )


@pytest.mark.parametrize(
    ("candidate", "why"),
    [
        (report(duration_s=59.0), "lasts 60.00 s, the candidate 59.00 s"),
        (report(version="2"), "freeze 1 and 2"),
        (report(min_frames=9), "freeze with other parameters"),
    ],
)
def test_what_cannot_be_compared_gets_no_verdict(candidate: Report, why: str) -> None:
    with pytest.raises(NotComparableError, match=why):
        compare_reports(report(), candidate)


def test_a_detector_of_one_side_alone_is_named() -> None:
    other = report()
    other.detectors["blur"] = {"version": "1"}
    with pytest.raises(NotComparableError, match="blur ran on the candidate alone"):
        compare_reports(report(), other)


def test_folders_of_reports_are_tested_over_their_titles(tmp_path: Path, capsys: Any) -> None:
    base, worse = folder(tmp_path / "a", 12, 1), folder(tmp_path / "b", 12, 4)
    out = tmp_path / "result.json"
    assert main(["compare", str(base), str(worse), "--json", str(out), "--fail-on-worse"]) == 1
    found = json.loads(out.read_text())
    assert found["verdict"] == "worse"
    assert "12        48" in capsys.readouterr().out
    assert sorted(found["titles"]) == sorted(f"show {k}/one" for k in range(12))
    assert main(["compare", str(base), str(base), "--fail-on-worse"]) == 0
    assert "no difference seen" in capsys.readouterr().out


def test_a_file_that_is_no_report_is_named(tmp_path: Path, capsys: Any) -> None:
    base, other = folder(tmp_path / "a", 1, 0), folder(tmp_path / "b", 1, 0)
    (other / "show 0" / "one.json").write_text('{"schema": "another"}')
    assert main(["compare", str(base), str(other)]) == 3
    assert "one.json" in capsys.readouterr().out
    (other / "show 0" / "one.json").write_bytes(b"[" * 200_000)
    assert main(["compare", str(base), str(other)]) == 3


def test_what_takes_media_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(report().to_json())
    assert main(["compare", str(path), str(path), "--vmaf"]) == 2
    assert main(["compare", str(path), str(path), "--html", str(tmp_path / "x.html")]) == 2
    assert main(["compare", str(path), str(tmp_path / "film.mp4")]) == 2
    with pytest.raises(InvalidParameterError, match="two reports"):
        render_comparison(compare_reports(report(), report()), "a.json", "b.json")
