"""WebVTT as browsers parse it, and what they pass over in silence."""

from __future__ import annotations

import pytest

from defectscope.media.captions.webvtt import read_webvtt, stamp_s, timestamp_map_s
from defectscope.media.cues import BAD_MAP, BAD_TIME, COMMA, NO_HEADER, NO_TIMES

ONE = "00:01.000 --> 00:02.000\n"


def texts(body: str) -> list[tuple[str, ...]]:
    return [cue.lines for cue in read_webvtt(body).cues]


@pytest.mark.parametrize(
    "body",
    [
        "WEBVTT\n" + ONE + "a",
        "WEBVTT\nidentifier\n" + ONE + "a",
        "WEBVTT - title\nKind: captions\n" + ONE + "a",
        "WEBVTT\t\n\n\n\nSTYLE-0\n" + ONE + "a\n",
        "WEBVTT\n\nREGIONAL news\n" + ONE + "a",
        "WEBVTT\n\nNOTE of thanks\n" + ONE + "a",
        "WEBVTT\n\nSTYLE\n::cue { color: red }\n\nREGION\nid:x\n\n" + ONE + "a",
        "WEBVTT\n\nNOTE\n\n" + ONE + "a\n\nNOTE the end",
        "WEBVTT\r\n\r\n" + ONE.replace("\n", "\r\n") + "a\r\n",
        "WEBVTT\r\r" + ONE.replace("\n", "\r") + "a",
        "WEBVTT\n\nid\n00:01.000-->00:02.000align:start\na",
        "WEBVTT\n\n 00:01.000\t-->  00:00:02.000 \na",
    ],
)
def test_one_cue_and_no_fault(body: str) -> None:
    found = read_webvtt(body)
    assert [(c.start_s, c.end_s, c.lines) for c in found.cues] == [(1.0, 2.0, ("a",))]
    assert found.faults == ()


def test_an_arrow_in_the_text_begins_the_next_cue() -> None:
    assert texts("WEBVTT\n\n" + ONE + "a\n00:03.000 --> 00:04.000\nb") == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("WEBVTT\n\n00:01,000 --> 00:02,000\na", 3, COMMA),
        ("WEBVTT\n\nid\n00:01.000 --> 00:02,000\na", 4, COMMA),
        ("WEBVTT\n\n0:01.000 --> 00:02.000\na", 3, BAD_TIME),
        ("WEBVTT\n\n00:61.000 --> 00:62.000\na", 3, BAD_TIME),
        ("WEBVTT\n\n00:01.00 --> 00:02.000\na", 3, BAD_TIME),
        ("WEBVTT\n\n" + ONE + "a\n\nlost after a blank line", 6, NO_TIMES),
        ("WEBVTTx\n\n" + ONE + "a", 1, NO_HEADER),
        ("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:0,MPEGTS:1\n\n" + ONE + "a", 2, BAD_MAP),
    ],
)
def test_what_no_browser_shows_is_a_fault(body: str, line: int, message: str) -> None:
    assert (line, message) in [(f.source_line, f.message) for f in read_webvtt(body).faults]


def test_text_is_what_is_read() -> None:
    body = ONE + "<v Ann>Tom &amp; <i.x>Jerry</i>\n<ruby>\u6771<rt>tou</rt></ruby> a &lt; b"
    assert texts("WEBVTT\n\n" + body) == [("Tom & Jerry", "\u6771 a < b")]


def test_settings_place_a_cue() -> None:
    settings = ["", " line:0", " region:top", " size:50%", " line:0"]
    body = "".join("\n\n" + ONE.strip() + s + "\na" for s in settings)
    places = [cue.place for cue in read_webvtt("WEBVTT" + body).cues]
    assert places == ["", "line:0", "region:top", "", "line:0"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00.000", 0.0), ("123:00:01.500", 442801.5), ("1:00:00.000", 3600.0), ("60:00.000", None)],
)
def test_time_stamps(text: str, seconds: float | None) -> None:
    assert stamp_s(text) == seconds


def test_the_map_may_have_either_order() -> None:
    assert timestamp_map_s("MPEGTS:900000, LOCAL:00:00:01.000") == pytest.approx(9.0)
    assert timestamp_map_s("LOCAL:00:00.000,MPEGTS:-1") is None
