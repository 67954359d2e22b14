"""A redelivery beside the earlier report, as the command prints it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from defectscope.cli.redelivery import print_comparison
from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Finding, Report, Severity


def finding(start_s: float, end_s: float, severity: Severity = "major") -> Finding:
    return Finding("freeze", "freeze", start_s, end_s, 0.9, severity, {})


def report_of(*findings: Finding) -> Report:
    return Report(
        asset={"uri": "films/a.mov", "duration_s": 60.0},
        findings=findings,
        verdicts={"freeze": {"verdict": "fail", "peak_score": {}}},
        curves={},
        detectors={},
        timing={},
    )


def printed(earlier: str, later: Report) -> str:
    console = Console(width=120, record=True, quiet=False, file=None)
    with console.capture() as capture:
        print_comparison(later, earlier, "a.mov", console)
    return capture.get()


def test_a_redelivery_says_what_is_fixed_still_there_and_new(tmp_path: Path) -> None:
    path = tmp_path / "a.mov.json"
    earlier = report_of(finding(1, 2), finding(10, 12), finding(20, 21))
    path.write_text(earlier.to_json())
    later = report_of(finding(10.2, 12.2), finding(20.2, 21.2, "critical"), finding(40, 41))
    text = printed(str(path), later)
    assert text.splitlines() == [
        "Redelivery: 1 fixed, 2 still there, 1 new",
        "  fixed        major freeze 1.000 s to 2.000 s",
        "  still there  major freeze 10.200 s to 12.200 s",
        "  still there  critical freeze 20.200 s to 21.200 s (worse: it was major, 1.00 s)",
        "  new          major freeze 40.000 s to 41.000 s",
    ]
    # A folder of reports, as --json FOLDER leaves it.
    assert printed(str(tmp_path), later) == text


def test_what_was_not_delivered_before_is_said(tmp_path: Path) -> None:
    assert "not in the earlier delivery" in printed(str(tmp_path), report_of())


def test_an_earlier_report_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameterError, match="no such file"):
        printed(str(tmp_path / "x.json"), report_of())
    (tmp_path / "a.json").write_text("[]")
    with pytest.raises(MalformedRequestError):
        printed(str(tmp_path / "a.json"), report_of())
