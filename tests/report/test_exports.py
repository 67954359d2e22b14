"""Exports, read back by others' readers: OpenTimelineIO, csv, ElementTree, pandas."""

from __future__ import annotations

import csv
import io
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from sample_reports import HOSTILE, empty_report, finding, full_report, hostile_report, report_of

from defectscope.errors import InvalidParameterError, MalformedRequestError
from defectscope.findings import Report
from defectscope.report.certificate import certificate
from defectscope.report.editing import avid_locators
from defectscope.report.junit import junit
from defectscope.report.saving import csv_text
from defectscope.rows import COLUMNS


def read_back(path: Path, **options: Any) -> Any:
    otio = pytest.importorskip("opentimelineio")
    with warnings.catch_warnings():
        # Its plug-ins use what Python is about to drop.
        warnings.simplefilter("ignore")
        return otio.adapters.read_from_file(str(path), **options)


STARTS = [0, 75, 300, 500, 785, 905, 1025, 1200, 1300]


def test_an_edl_has_a_marker_at_every_finding(tmp_path: Path) -> None:
    report = full_report()
    report.save(tmp_path / "a.edl")
    timeline = read_back(tmp_path / "a.edl", rate=25)
    markers = [
        m for track in timeline.tracks for clip in track for m in getattr(clip, "markers", ())
    ]
    assert [m.marked_range.start_time.value for m in markers] == STARTS
    assert "block corruption" in markers[2].name
    assert markers[2].color == "RED"
    text = (tmp_path / "a.edl").read_text()
    # What Resolve reads: colour, name, length in frames.
    assert "|C:ResolveColorRed |M:critical block corruption |D:12" in text


def test_final_cut_xml_has_a_marker_over_every_finding(tmp_path: Path) -> None:
    full_report().save(tmp_path / "a.markers.xml")
    timeline = read_back(tmp_path / "a.markers.xml", adapter_name="fcp_xml")
    stack = timeline.tracks if hasattr(timeline, "tracks") else timeline[0].tracks
    markers = list(stack.markers)
    assert [m.marked_range.start_time.value for m in markers] == STARTS
    assert markers[1].marked_range.duration.value == 30
    assert markers[1].marked_range.start_time.rate == 25


def test_an_avid_log_has_a_subclip_over_every_finding(tmp_path: Path) -> None:
    full_report().save(tmp_path / "a.ale")
    clips = list(read_back(tmp_path / "a.ale"))
    assert [c.source_range.start_time.to_frames() for c in clips] == STARTS
    assert clips[1].source_range.duration.to_frames() == 30
    assert "black frames" in clips[1].name


def avid_markers(path: Path) -> tuple[Any, list[Any]]:
    timeline = read_back(path)
    items = timeline.find_children()
    return timeline, [m for item in items for m in getattr(item, "markers", ())]


def test_avid_locators_stand_at_every_finding(tmp_path: Path) -> None:
    full_report().save(tmp_path / "a.aaf")
    timeline, markers = avid_markers(tmp_path / "a.aaf")
    assert [m.marked_range.start_time.to_frames() for m in markers] == STARTS
    assert markers[1].marked_range.duration.to_frames() == 30
    assert markers[2].name == "critical block corruption"
    assert [m.color for m in markers[1:3]] == ["YELLOW", "RED"]
    assert timeline.duration().to_frames() == 1500
    assert timeline.global_start_time.to_frames() == 0


def test_avid_locators_count_from_the_sources_timecode(tmp_path: Path) -> None:
    late = replace(
        finding("freeze", 7200.0, 7201.0),
        start_frame=215_784,
        end_frame=215_814,
        start_timecode="12:00:00;00",
        end_timecode="12:00:01;00",
    )
    report = report_of([late], duration_s=7230.0)
    video = {**report.asset["video"], "frame_rate": "30000/1001"}
    replace(report, asset={**report.asset, "video": video}).save(tmp_path / "a.aaf")
    timeline, (marker,) = avid_markers(tmp_path / "a.aaf")
    assert marker.marked_range.start_time.to_frames() == 215_784
    assert marker.marked_range.start_time.rate == pytest.approx(29.97, abs=0.001)
    # 10:00:00;00, of which 17,982 frames make ten minutes.
    assert timeline.global_start_time.value == 60 * 17_982


def test_without_its_library_an_aaf_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aaf2", None)
    with pytest.raises(InvalidParameterError, match=r"defectscope\[editors\]"):
        full_report().save(tmp_path / "a.aaf")


def test_an_aaf_of_no_findings_and_of_hostile_names_is_one(tmp_path: Path) -> None:
    for name, report in (("none", empty_report()), ("hostile", hostile_report())):
        report.save(tmp_path / f"{name}.aaf")
        _, markers = avid_markers(tmp_path / f"{name}.aaf")
        assert len(markers) == len(report.findings)


def test_avid_markers_stand_where_the_log_has_its_clips() -> None:
    lines = [line.split("\t") for line in avid_locators(full_report()).splitlines()]
    assert {len(line) for line in lines} == {6}
    assert [line[1] for line in lines][1:3] == ["00:00:03:00", "00:00:12:00"]
    assert lines[2][3] == "red"


def test_two_findings_on_one_frame_share_a_marker(tmp_path: Path) -> None:
    report = report_of(
        [finding("freeze", 2.0, 3.0, "minor"), finding("stutter", 2.0, 4.0, "critical")]
    )
    report.save(tmp_path / "a.edl")
    timeline = read_back(tmp_path / "a.edl", rate=25)
    (marker,) = [m for t in timeline.tracks for c in t for m in getattr(c, "markers", ())]
    assert "freeze" in marker.name
    assert "stutter" in marker.name
    assert marker.color == "RED"


def test_a_drop_frame_list_is_read_at_its_rate(tmp_path: Path) -> None:
    report = full_report()
    late = replace(
        report.findings[1], start_frame=1798, end_frame=1828,
        start_timecode="00:00:59;28", end_timecode="00:01:01;00",
    )  # fmt: skip
    video = {**report.asset["video"], "frame_rate": "30000/1001"}
    report = replace(report, findings=(late,), asset={**report.asset, "video": video})
    report.save(tmp_path / "a.edl")
    timeline = read_back(tmp_path / "a.edl", rate=30000 / 1001)
    (event,) = [clip for track in timeline.tracks for clip in track if clip.name]
    # That reader takes locators without drop-frame only: the event itself has to do.
    assert round(event.source_range.start_time.value) == 1798
    assert "FCM: DROP FRAME" in (tmp_path / "a.edl").read_text()


def test_markers_need_a_frame() -> None:
    report = full_report()
    asset = {name: value for name, value in report.asset.items() if name != "video"}
    with pytest.raises(InvalidParameterError, match="need video"):
        avid_locators(replace(report, asset=asset))


def test_csv_is_a_row_a_finding_and_no_formula() -> None:
    report = full_report()
    named = replace(report, asset={**report.asset, "uri": "=cmd|'/c calc'!A0"})
    rows = list(csv.DictReader(io.StringIO(csv_text([report, named]))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 18
    assert rows[1]["start_timecode"] == "00:00:03:00"
    assert rows[9]["asset"].startswith("'=")


def test_json_lines_are_findings(tmp_path: Path) -> None:
    full_report().save(tmp_path / "a.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [line["defect"] for line in lines][:2] == ["loudness", "black_frames"]
    assert lines[1]["evidence"]["mean_luma_code"] == 16.2


def ruled(report: Report) -> Report:
    def rule(name: str, verdict: str, **more: Any) -> dict[str, Any]:
        base = {
            "id": name,
            "title": name,
            "detector": "black_frames",
            "measured": 1.2,
            "limit": "1",
            "unit": "s",
            "verdict": verdict,
            "code": "X1",
            "source": "contract",
        }
        return {**base, **more}

    rules = (
        rule("black", "fail", findings=[1]),
        rule("soft", "warn", findings=[2]),
        rule("sync", "not_judged", reason="did not run"),
        rule("rate", "pass"),
    )
    profile = {"id": "p", "title": "p", "edition": "1", "sha256": "0"}
    return replace(report, profile=profile, rules=rules)


def test_junit_counts_failures_and_what_was_skipped() -> None:
    root = ElementTree.fromstring(junit([ruled(full_report()), empty_report()]))
    first, second = root
    assert (first.get("tests"), first.get("failures"), first.get("skipped")) == ("4", "1", "1")
    failure = first.find("testcase/failure")
    assert failure is not None
    assert "[X1]" in str(failure.get("message"))
    assert "00:00:03:00" in str(failure.text)
    assert second.get("failures") == "0"
    assert root.get("failures") == "1"


def test_rows_name_rules_and_codes() -> None:
    rows = ruled(full_report()).rows()
    assert (rows[1]["rules"], rows[1]["codes"]) == ("black", "X1")
    assert rows[0]["rules"] == ""


def test_a_data_frame_and_a_notebook() -> None:
    pytest.importorskip("pandas")
    frame = full_report().to_dataframe()
    assert list(frame.columns) == list(COLUMNS)
    assert frame["duration_s"].max() == 60.0
    assert list(empty_report().to_dataframe().columns) == list(COLUMNS)
    assert "<script>" not in getattr(hostile_report(), "_repr_html_")()  # noqa: B009 - what notebooks call


def test_hostile_names_end_neither_a_line_nor_an_element(tmp_path: Path) -> None:
    report = full_report()
    nasty = replace(report.findings[1], defect="x\n* LOC: 00:00:00:00 RED y\x1b[2J")
    report = replace(
        report, findings=(nasty,), asset={**report.asset, "uri": f"a/{HOSTILE}\x00\n.mov"}
    )
    report.save(tmp_path / "a.edl")
    assert (tmp_path / "a.edl").read_text().count("\n* LOC:") == 1
    report.save(tmp_path / "a.markers.xml")
    ElementTree.parse(tmp_path / "a.markers.xml")
    ElementTree.fromstring(junit([report]))
    assert len(avid_locators(report).splitlines()) == 1


def test_the_certificate_says_what_it_is_and_is_not() -> None:
    flashing = finding("flicker", 2.0, 3.0, kinds=["general_flash"], flashes_hz=6.0)
    text = certificate(report_of([flashing]))
    assert "Result      FAIL" in text
    assert "00:00:02:00 to 00:00:03:00  luminance flashes, 6.0 a second" in text
    assert "not" in text.lower()
    assert "Harding" in text
    assert "Result      PASS" in certificate(empty_report())
    pumping = finding("flicker", 2.0, 3.0, kinds=["luma"])
    assert "Result      PASS" in certificate(report_of([pumping]))
    with pytest.raises(InvalidParameterError, match="flicker"):
        certificate(replace(empty_report(), verdicts={}))


def test_a_report_is_read_from_its_text(tmp_path: Path) -> None:
    report = full_report()
    report.save(tmp_path / "a.json")
    assert Report.from_json((tmp_path / "a.json").read_text()).to_dict() == report.to_dict()
    with pytest.raises(MalformedRequestError):
        Report.from_json("{")
    with pytest.raises(InvalidParameterError, match="saved as"):
        report.save(tmp_path / "a.docx")
