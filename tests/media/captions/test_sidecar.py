"""Side-car captions of every format, sound and broken."""

from __future__ import annotations

import io

import pytest

from defectscope.errors import CaptionsError
from defectscope.media.cues import BAD_ARROW, BAD_TIME, BAD_XML, NO_HEADER, NOT_UTF8
from defectscope.media.sidecar import read_captions


def spans(data: bytes) -> list[tuple[float, float, tuple[str, ...]]]:
    return [(c.start_s, c.end_s, c.lines) for c in read_captions(io.BytesIO(data)).cues]


def test_webvtt_with_notes_settings_and_mark_up() -> None:
    data = (
        b"\xef\xbb\xbfWEBVTT - a film\nKind: captions\n\nNOTE\nnot shown --> ever\n\n"
        b"one\n00:01.000 --> 00:02.500 line:0 align:start\n<v Ann>Tom &amp; <i>Jerry</i>\nrun\n\n"
        b"01:00:00.000 --> 01:00:01.000\n\n"
    )
    assert spans(data) == [(1.0, 2.5, ("Tom & Jerry", "run")), (3600.0, 3601.0, ())]


def test_subrip_with_crlf_and_styles() -> None:
    data = b"1\r\n00:00:01,000 --> 00:00:02,000\r\n{\\an8}<b>Hi</b>\r\n\r\n2\r\n"
    data += b"00:00:03,5 --> 00:00:04,000\r\nbad time\r\n"
    found = read_captions(io.BytesIO(data))
    assert [(c.start_s, c.lines, c.source_line) for c in found.cues] == [(1.0, ("Hi",), 2)]
    assert [(f.source_line, f.message) for f in found.faults] == [(6, BAD_TIME)]


def test_faults_carry_their_lines() -> None:
    data = b"00:01.000 --> 00:02.000\nok\n\n00:03.000 -> 00:04.000\nno\n\n"
    data += b"00:05.000 --> 00:06.000\ncaf\xe9\n"

    class Named(io.BytesIO):
        name = "film.vtt"

    found = read_captions(Named(data))
    assert [c.lines for c in found.cues] == [("ok",), ("café",)]
    wanted = [(1, NO_HEADER), (4, BAD_ARROW), (8, NOT_UTF8)]
    assert [(f.source_line, f.message) for f in found.faults] == wanted


def test_ttml_times_of_every_kind() -> None:
    data = b"""<?xml version="1.0"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"
 ttp:frameRate="25" ttp:tickRate="1000"><body><div begin="10s">
<p begin="00:00:01.500" end="00:00:02:05">one<br/>two <span>three</span></p>
<p begin="4000t" dur="1.5s">four</p>
<p begin="6f" end="soon">five</p></div></body></tt>"""
    found = read_captions(io.BytesIO(data))
    assert [(c.start_s, c.end_s, c.lines) for c in found.cues] == [
        (11.5, 12.2, ("one", "two three")),
        (14.0, 15.5, ("four",)),
    ]
    assert [(f.source_line, f.message) for f in found.faults] == [(6, BAD_TIME)]


def test_ttml_that_breaks_keeps_what_came_before() -> None:
    data = b'<tt><body><p begin="1s" end="2s">a</p>\n<p begin="3s" end=4s">b</p></body></tt>'
    found = read_captions(io.BytesIO(data))
    assert len(found.cues) == 1
    assert [(f.source_line, f.message) for f in found.faults] == [(2, BAD_XML)]


def test_entities_are_refused() -> None:
    data = b'<?xml version="1.0"?><!DOCTYPE tt [<!ENTITY a "b">]><tt><body><p begin="1s" end="2s">'
    with pytest.raises(CaptionsError, match="entities"):
        read_captions(io.BytesIO(data + b"&a;</p></body></tt>"))


def _stl() -> bytes:
    head = bytearray(b" " * 1024)
    for at, text in ((0, b"437"), (3, b"STL25.01"), (11, b"1"), (12, b"00"), (14, b"09")):
        head[at : at + len(text)] = text
    for at, text in ((238, b"00001"), (243, b"00001"), (248, b"001"), (251, b"40"), (253, b"23")):
        head[at : at + len(text)] = text
    for at, text in ((255, b"1"), (256, b"00000000"), (264, b"00000000"), (272, b"11")):
        head[at : at + len(text)] = text
    text = b"Good day\x8asir".ljust(112, b"\x8f")
    times = bytes((0, 0, 1, 0)) + bytes((0, 0, 2, 5))
    return bytes(head) + bytes((0, 0, 0, 0xFF, 0)) + times + bytes((20, 2, 0)) + text


def test_ebu_stl() -> None:
    found = read_captions(io.BytesIO(_stl()))
    assert found.format == "stl"
    assert [(c.start_s, c.end_s, c.lines) for c in found.cues] == [
        (1.0, pytest.approx(2.2), ("Good day", "sir"))
    ]


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02", b"hello there", b"<html></html>"])
def test_what_is_no_captions_is_an_error(data: bytes) -> None:
    with pytest.raises(CaptionsError):
        read_captions(io.BytesIO(data))


def test_a_missing_file_is_an_error(tmp_path) -> None:
    with pytest.raises(CaptionsError, match="no such file"):
        read_captions(tmp_path / "none.srt")


def test_utf_16_is_read() -> None:
    data = "1\n00:00:01,000 --> 00:00:02,000\nÄ\n".encode("utf-16")
    assert spans(data) == [(1.0, 2.0, ("Ä",))]


def test_a_hundred_thousand_cues_take_seconds() -> None:
    text = "".join(
        f"{k}\n00:{k // 60000 % 60:02d}:{k // 1000 % 60:02d},{k % 1000:03d} --> 00:59:59,999\nx\n\n"
        for k in range(100_000)
    )
    assert len(read_captions(io.BytesIO(text.encode())).cues) == 100_000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[Script Info]\n\n[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,,,0,0,0,,a\n", "SubStation"),
        ("<SAMI><BODY><SYNC Start=1000><P>a</BODY></SAMI>", "SAMI"),
        ("{25}{75}a\n{100}{200}b\n", "MicroDVD"),
        ("0:00:00.599,0:00:04.160\na\n", "SubViewer"),
        ("[ti:a]\n[00:01.00]b\n", "LRC"),
    ],
)
def test_formats_that_are_not_read_are_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(CaptionsError, match=named):
        read_captions(text.encode())


def test_a_header_in_small_letters_is_one_fault() -> None:
    source = io.BytesIO(b"webvtt\n\n00:01.000 --> 00:02.000\na\n")
    source.name = "talk.vtt"
    found = read_captions(source)
    assert [fault.message for fault in found.faults] == ["a WebVTT file must begin with WEBVTT"]
    assert len(found.cues) == 1
