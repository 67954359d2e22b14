"""TTML and IMSC: which text is on screen when."""

from __future__ import annotations

import math
from typing import Any

import pytest

from defectscope.errors import CaptionsError
from defectscope.media.captions.ttml import read_ttml
from defectscope.media.cues import BAD_TIME, LATE_PROGRAMME, NEVER_SHOWN, NO_REGION, Captions

_ROOT = (
    '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"'
    ' xmlns:tts="http://www.w3.org/ns/ttml#styling" xmlns:ttm="http://www.w3.org/ns/ttml#metadata"'
    ' xmlns:ebuttm="urn:ebu:tt:metadata" xmlns:foo="urn:foo"'
)


def read(body: str, head: str = "", root: str = "") -> Captions:
    return read_ttml(f"{_ROOT} {root}><head>{head}</head><body>{body}</body></tt>")


def shown(body: str, **where: str) -> list[tuple[float, float, str]]:
    return [(c.start_s, c.end_s, "|".join(c.lines)) for c in read(body, **where).cues]


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ('<div begin="1s" end="3s"><p>a</p></div>', [(1, 3, "a")]),
        ('<div begin="10s"><p begin="1s" dur="2s">a</p></div>', [(11, 13, "a")]),
        ('<div begin="1s"><p dur="2s">a</p></div>', [(1, 3, "a")]),
        ('<div end="2s"><p begin="1s" end="9s">a</p></div>', [(1, 2, "a")]),
        ('<div><p><span begin="1s" end="2s">a</span></p></div>', [(1, 2, "a")]),
        ('<div><p begin="5s"><span begin="1s" end="2s">a</span></p></div>', [(6, 7, "a")]),
        (
            '<div><p><span dur="2s">a</span><span begin="2s" end="3s">b</span></p></div>',
            [(0, 2, "a"), (2, 3, "b")],
        ),
        (
            '<div><p end="4s"><span begin="1s">a </span><span begin="2s">b</span></p></div>',
            [(1, 4, "a b")],
        ),
        (
            '<div timeContainer="seq"><p dur="1s">a</p><p begin="1s" dur="2s">b</p></div>',
            [(0, 1, "a"), (2, 4, "b")],
        ),
        (
            '<div timeContainer="seq"><div><p dur="2s">a</p></div><p dur="1s">b</p></div>',
            [(0, 2, "a"), (2, 3, "b")],
        ),
        ('<div><p begin="1s" dur="9s" end="3s">a</p></div>', [(1, 3, "a")]),
        ('<div><p begin="1s">a</p></div>', [(1, math.inf, "a")]),
        ('<div><p begin="1s" end="2s">a<br/>b</p></div>', [(1, 2, "a|b")]),
        (
            '<div><p begin="1s" end="2s">a</p><p begin="1s" end="2s">b</p></div>',
            [(1, 2, "a|b")],
        ),
    ],
)
def test_times_are_inherited(body: str, wanted: list[Any]) -> None:
    assert shown(body) == wanted


def test_what_is_not_shown_is_not_read() -> None:
    body = (
        '<div><p begin="1s" end="2s"><metadata><ttm:desc>long words</ttm:desc></metadata>'
        "<ttm:title>no</ttm:title><foo:x>no</foo:x>"
        '<span tts:ruby="container"><span tts:ruby="base">A</span>'
        '<span style="s"><span>no</span></span></span>'
        '<span tts:visibility="hidden">no</span></p>'
        '<p begin="3s" end="4s" style="gone">no</p></div>'
    )
    head = (
        '<styling><style xml:id="t" tts:ruby="text"/><style xml:id="s" style="t"/>'
        '<style xml:id="gone" tts:display="none"/></styling>'
    )
    found = read(body, head)
    assert [c.lines for c in found.cues] == [("A",)]
    assert found.faults == ()


def test_animation_shows_what_was_hidden() -> None:
    body = '<div><p end="9s" tts:display="none"><set begin="5s" tts:display="auto"/>a</p></div>'
    assert shown(body) == [(5, 9, "a")]


def test_text_outside_its_parent_is_a_fault() -> None:
    found = read('<div end="5s"><p begin="6s" end="7s">a</p></div>')
    assert found.cues == ()
    assert [f.message for f in found.faults] == [NEVER_SHOWN]


def test_a_malformed_time_costs_its_paragraph() -> None:
    found = read('<div><p begin="1s" end="2">a</p><p begin="3s" end="4s">b</p></div>')
    assert [c.lines for c in found.cues] == [("b",)]
    assert [f.message for f in found.faults] == [BAD_TIME]


def test_regions_place_paragraphs() -> None:
    head = (
        '<layout><region xml:id="a" tts:origin="10% 10%" tts:extent="80% 20%"/>'
        '<region xml:id="b"><style tts:origin="10% 70%"/></region>'
        '<region xml:id="c" tts:origin="10% 10%" tts:extent="80% 20%"/></layout>'
    )
    body = "".join(f'<p region="{k}" begin="1s" end="2s">x</p>' for k in "abc")
    places = [cue.place for cue in read(f"<div>{body}</div>", head).cues]
    assert places[0] == places[2] != places[1]
    astray = read('<div><p begin="1s" end="2s">x</p></div>', head)
    assert [f.message for f in astray.faults] == [NO_REGION]


@pytest.mark.parametrize(
    ("root", "text", "seconds"),
    [
        ('ttp:frameRate="25"', "00:00:01:05", 1.2),
        ('ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"', "30f", 1.001),
        ('ttp:tickRate="1000"', "1500t", 1.5),
        ("", "01:00:00.25", 3600.25),
        ('ttp:frameRate="30" ttp:subFrameRate="2"', "00:00:00:15.1", 0.5 + 0.5 / 30),
        (
            'ttp:timeBase="smpte" ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"'
            ' ttp:dropMode="dropNTSC"',
            "00:10:00:00",
            17982 * 1001 / 30000,
        ),
    ],
)
def test_time_expressions(root: str, text: str, seconds: float) -> None:
    found = read(f'<div><p begin="{text}" dur="1s">a</p></div>', root=root)
    assert found.cues[0].start_s == pytest.approx(seconds, abs=1e-6)


def test_the_start_of_programme_is_subtracted() -> None:
    start = "<metadata><ebuttm:documentStartOfProgramme>10:00:00:00"
    head = f"{start}</ebuttm:documentStartOfProgramme></metadata>"
    root = 'ttp:timeBase="smpte" ttp:frameRate="25"'
    body = '<div><p begin="10:00:01:00" end="10:00:02:00">a</p></div>'
    assert shown(body, head=head, root=root) == [(1, 2, "a")]
    early = read('<div><p begin="00:00:01:00" end="00:00:02:00">a</p></div>', head, root)
    assert early.cues[0].start_s == 1.0
    assert [f.message for f in early.faults] == [LATE_PROGRAMME]


def test_images_are_cues_without_text() -> None:
    smpte = 'xmlns:smpte="http://www.smpte-ra.org/schemas/2052-1/2010/smpte-tt"'
    found = read('<div begin="1s" end="2s" smpte:backgroundImage="a.png"/>', root=smpte)
    assert [(c.start_s, c.end_s, c.image) for c in found.cues] == [(1.0, 2.0, True)]


def test_empty_paragraphs_with_times_are_empty_cues() -> None:
    assert shown('<div><p begin="1s" end="2s"> </p><p/></div>') == [(1, 2, "")]


def test_depth_is_bounded() -> None:
    with pytest.raises(CaptionsError, match="deeper"):
        read("<div>" * 500 + "</div>" * 500)
