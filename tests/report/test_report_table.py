from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from sample_reports import (
    empty_report,
    finding,
    full_report,
    hostile_report,
    huge_report,
    report_of,
)

from defectscope.findings import Report
from defectscope.report.table import print_report
from defectscope.report.units import format_quantity, label_and_unit


def printed(report: Report, *, terminal: bool = False, width: int = 130, limit: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, color_system="standard")
    print_report(report, console, limit=limit)
    return out.getvalue()


def test_a_pipe_gets_one_plain_uncut_line_a_finding() -> None:
    text = printed(full_report(), width=40)
    assert "\x1b" not in text
    lines = [line for line in text.splitlines() if re.match(r"(critical|major|minor) ", line)]
    assert len(lines) == 9
    black = next(line for line in lines if "black_frames" in line)
    for words in ("major", "00:00:03:00", "00:00:04:05", "1.20 s", "0.90", "mean luma 16.2 code"):
        assert words in black


def test_a_terminal_gets_colours_and_its_own_width() -> None:
    text = printed(full_report(), terminal=True, width=90)
    assert "\x1b[1;31mcritical" in text
    bare = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(len(line) for line in bare.splitlines()) <= 90
    assert "audio_hum" in bare


def long_report(timecodes: bool) -> Report:
    """Two hours in, long names, many tracks, rules that hold a timecode, and drop-frame."""
    names = (
        "compression_blockiness",
        "audio_compression_artifacts_heard",
        "acme_detector_of_a_house_with_a_very_long_name",
    )
    findings = [
        replace(
            finding(name[:22], 7198.4, 7200.0 + k, "critical", mean_luma_code=16.2, words="x" * 99),
            defect=name,
            track=12,
            start_timecode="11:59:58;29" if timecodes else None,
            end_timecode="12:00:00;02" if timecodes else None,
        )
        for k, name in enumerate(names)
    ]
    rule = {
        "id": "start_timecode_of_the_programme",
        "title": "The programme starts at the hour",
        "source": "A house's own delivery requirements, edition 4",
        "measured": "10:42:10:00",
        "limit": "10:00:00:00",
        "unit": "",
        "code": "VIDEO/TIMECODE-WRONG",
        "verdict": "fail",
    }
    track = {"index": 12, "medium": "audio", "codec": "pcm_s24le", "declared_s": 7230.12}
    return replace(
        report_of(findings, duration_s=7230.0, uri="/deliveries/" + "a_long_title_" * 12 + ".mov"),
        profile={"id": "a-house-with-a-long-name", "title": "", "edition": "", "sha256": "0" * 64},
        rules=(rule,),
        tracks=({**track, "judged": False, "reason": "no detector that ran asks for it"},),
    )


@pytest.mark.parametrize("timecodes", [True, False])
@pytest.mark.parametrize("width", [80, 100, 132, 200])
def test_times_are_whole_at_any_width(width: int, timecodes: bool) -> None:
    report = long_report(timecodes)
    text = re.sub(r"\x1b\[[0-9;]*m", "", printed(report, terminal=True, width=width))
    lines = text.splitlines()
    assert max(len(line) for line in lines) <= width
    rows = [line for line in lines if line.startswith(" critical ")]
    assert len(rows) == 3
    first, last = ("11:59:58;29", "12:00:00;02") if timecodes else ("01:59:58.400", "02:00:00.000")
    for row in rows:
        assert f" {first} " in row
        assert re.search(r" (12:00:00;02|02:00:0\d\.000) ", row)
        assert re.search(r" \d\.\d\d s ", row)
    assert any(last in row for row in rows)
    for timecode in ("10:42:10:00", "10:00:00:00", "02:00:30"):
        assert any(timecode in line for line in lines)


def test_verdicts_stand_worst_first_with_their_peaks() -> None:
    text = printed(full_report())
    places = [text.index(word) for word in ("✗ fail", "? inconclusive", "✓ pass", "– not app")]
    assert places == sorted(places)
    # The defect's name ends like a unit and is none.
    assert not re.search(r"black_frames .*✗ fail .*frames$", text, re.M)


def test_no_findings_are_said_so() -> None:
    assert "No findings" in printed(empty_report())


def test_many_findings_keep_the_worst_and_count_the_rest() -> None:
    report = huge_report(300)
    text = printed(report, limit=10)
    rows = [line for line in text.splitlines() if re.match(r"(critical|major|minor) ", line)]
    assert len(rows) == 10
    assert all(row.startswith("critical") for row in rows)
    assert "290 more" in text


def test_hostile_names_cannot_drive_the_terminal() -> None:
    for terminal in (False, True):
        text = printed(hostile_report(), terminal=terminal, width=300)
        assert "\x1b[31m[bold]" not in text
        assert "[bold]" in text
        assert "\u2028" not in text


def test_an_ascii_stream_gets_ascii() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    print_report(full_report(), Console(file=stream, width=100))
    text = raw.getvalue().decode("ascii")
    assert "x fail" in text
    assert "-18.4 LUFS" in text


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mean_luma_code", 16.234, "mean luma 16.2 code"),
        ("offset_ms", -120, "offset −120 ms"),
        ("corrupted_area", 0.1134, "corrupted area 0.113"),
        ("frames", 12, "frames 12"),
        ("level_dbfs", float("-inf"), "level −∞ dBFS"),
        ("share_percent", 12.5, "share 12.5%"),
        ("looped", True, "looped yes"),
        ("channel", "FL", "channel FL"),
        ("characters_per_s", 70.7, "characters 70.7 per second"),
        ("map", [[1]], ""),
    ],
)
def test_quantities_read_as_words_value_unit(name: str, value: object, words: str) -> None:
    assert format_quantity(name, value) == words


def test_a_bare_suffix_is_a_name() -> None:
    assert label_and_unit("px") == ("px", "")
    assert label_and_unit("_s") == ("_s", "")
