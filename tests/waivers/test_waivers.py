"""Waivers: what they accept, how long, and what becomes of the verdict; redeliveries compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from defectscope.errors import ProfileError
from defectscope.findings import Finding, Report, Severity
from defectscope.waivers import (
    Waiver,
    Waivers,
    apply_waivers,
    load_waivers,
    waivers_toml,
)
from defectscope.waivers.files import read_waivers

TODAY = date(2026, 11, 28)


def finding(start_s: float, end_s: float, severity: Severity = "major") -> Finding:
    return Finding("freeze", "freeze", start_s, end_s, 0.9, severity, {})


def report_of(*findings: Finding, **facts: Any) -> Report:
    return Report(
        asset={"uri": "films/a.mov", "duration_s": 60.0, "sha256": "ab",
               "video": {"width": 16, "height": 16, "frame_rate": "25/1", "codec": "h264"}},
        findings=findings,
        verdicts={"freeze": {"verdict": "fail", "peak_score": {}}},
        curves={}, detectors={}, timing={}, facts=facts,
    )  # fmt: skip


def waiver(**changes: Any) -> Waiver:
    base = Waiver("freeze", "end card", "qc", asset="a.mov")
    return replace(base, **changes)


def waived(report: Report, *entries: Waiver) -> list[bool]:
    marked = apply_waivers(report, Waivers(entries), TODAY)
    return [f.waiver is not None for f in marked.findings]


def test_an_accepted_finding_stays_and_no_longer_decides() -> None:
    report = apply_waivers(report_of(finding(10, 12)), Waivers((waiver(),)), TODAY)
    assert report.findings[0].waiver == {"reason": "end card", "who": "qc"}
    assert report.verdicts["freeze"]["verdict"] == "pass"
    assert report.verdict == "pass"
    assert Report.from_dict(report.to_dict()).findings[0].waiver == report.findings[0].waiver


def test_what_is_left_decides() -> None:
    report = report_of(finding(10, 12), finding(30, 30.2, "minor"))
    left = apply_waivers(report, Waivers((waiver(start="9", end="13"),)), TODAY)
    assert left.verdicts["freeze"]["verdict"] == "warn"


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"defect": "*"}, True),
        ({"defect": "stutter"}, False),
        ({"asset": "films/*.mov"}, True),
        ({"asset": "b.mov"}, False),
        ({"asset": "", "sha256": "ab"}, True),
        ({"asset": "", "sha256": "cd"}, False),
        ({"until": date(2026, 11, 28)}, True),
        ({"until": date(2026, 11, 27)}, False),
        ({"start": "00:00:10:00", "end": "00:00:12:00"}, True),
        ({"start": "00:00:11:00"}, False),
        ({"end": "11.5"}, False),
    ],
)
def test_a_waiver_is_of_an_asset_a_defect_a_range_and_a_time(
    change: dict[str, Any], counts: bool
) -> None:
    assert waived(report_of(finding(10, 12)), waiver(**change)) == [counts]


def test_timecodes_are_the_sources_own() -> None:
    entry = waiver(start="10:00:10:00", end="10:00:12:00")
    assert waived(report_of(finding(10, 12), timecode="10:00:00:00"), entry) == [True]
    assert waived(report_of(finding(10, 12)), entry) == [False]


def test_waivers_are_read_as_they_were_written(tmp_path: Path) -> None:
    entries = (
        waiver(reason='says "ok"\n\x7f\\ é', until=date(2027, 1, 31), start="00:00:01:00"),
        waiver(asset="", sha256="ab"),
    )
    path = tmp_path / "waivers.toml"
    path.write_text(waivers_toml(entries), "utf-8")
    assert load_waivers(path).entries == entries


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[waivers]]\n", "needs defect"),
        ('[[waivers]]\ndefect = "x"\nreason = "r"\nwho = "w"', "either by sha256 or by a pattern"),
        ('[[waivers]]\ndefct = "x"', "did you mean 'defect'"),
        ('[[waivers]]\nuntil = "soon"', "a day"),
        ("waivers = 3", r"\[\[waivers\]\]"),
        ("x = ", "not TOML"),
    ],
)
def test_broken_waivers_are_refused(text: str, said: str) -> None:
    with pytest.raises(ProfileError, match=said):
        read_waivers(text.encode(), "waivers.toml")
