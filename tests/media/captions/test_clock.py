"""Captions on the programme's clock: timestamp maps, time codes, starts of programme."""

from __future__ import annotations

from fractions import Fraction

import pytest

from defectscope.media.captions.clock import on_programme_clock
from defectscope.media.captions.scc import read_scc
from defectscope.media.captions.stl import read_stl
from defectscope.media.captions.webvtt import read_webvtt
from defectscope.media.cues import BAD_BYTES, BAD_TIME, LATE_PROGRAMME, Captions, Cue
from defectscope.media.stream import AudioInfo, StreamInfo, VideoInfo
from defectscope.media.timecode import Timecode

RATE = Fraction(25)
VIDEO = VideoInfo(64, 48, 32, 24, 8, "yuv420p", RATE, Fraction(1, 90000), "h264")
SOUND = AudioInfo(48000, ("FC",), "mono", "aac")


def stream(container: str, start_s: float = 0.0, timecode: str = "00:00:00:00") -> StreamInfo:
    at = Timecode.parse(timecode, RATE)
    return StreamInfo(
        "film", container, 60.0, VIDEO, SOUND, video_start_s=start_s, start_timecode=at
    )


def mapped(local: str, mpegts: int, cue: str, programme: StreamInfo) -> float:
    head = f"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:{local},MPEGTS:{mpegts}\n\n"
    captions = read_webvtt(f"{head}{cue} --> 90:00:00.000\na")
    return on_programme_clock(captions, programme).cues[0].start_s


@pytest.mark.parametrize(
    ("local", "mpegts", "cue", "start_s", "wanted"),
    [
        ("00:00:00.000", 0, "00:02.400", 1.4, 1.0),
        ("00:00:00.000", 900000, "00:00.000", 10.0, 0.0),
        ("01:00:00.000", 900000, "01:00:05.000", 10.0, 5.0),
        # 33 bits: the map lies just before the wrap, the programme just after it.
        ("00:00:00.000", 2**33 - 90000, "00:02.000", 0.5, 0.5),
    ],
)
def test_timestamp_map(local: str, mpegts: int, cue: str, start_s: float, wanted: float) -> None:
    got = mapped(local, mpegts, cue, stream("mpegts", start_s))
    assert got == pytest.approx(wanted, abs=1e-6)


def test_a_rewritten_file_has_lost_the_stamps() -> None:
    assert mapped("00:00:00.000", 900000, "00:03.000", stream("mov,mp4")) == 3.0


def test_cues_without_end_last_as_long_as_the_programme() -> None:
    captions = Captions("ttml", (Cue(5.0, float("inf"), ("a",)), Cue(70.0, float("inf"), ("b",))))
    ends = [cue.end_s for cue in on_programme_clock(captions, stream("mp4")).cues]
    assert ends == [60.0, 70.0]


def test_time_codes_follow_those_of_the_media() -> None:
    captions = Captions("scc", (Cue(3601.0, 3602.0, ("a",)),), timecoded=True)
    moved = on_programme_clock(captions, stream("mov", timecode="01:00:00:00"))
    assert moved.cues[0].start_s == 1.0
    assert on_programme_clock(captions, stream("mov")).cues[0].start_s == 3601.0


def stl(blocks: list[tuple[tuple[int, ...], tuple[int, ...], bytes, dict]], tcp: bytes) -> bytes:
    head = bytearray(b" " * 1024)
    for at, text in ((0, b"850"), (3, b"STL25.01"), (11, b"1"), (12, b"00"), (256, tcp)):
        head[at : at + len(text)] = text
    out = bytes(head)
    for number, (begin, end, text, own) in enumerate(blocks):
        fixed = bytes((0, number, 0, own.get("extension", 0xFF), own.get("cumulative", 0)))
        place = bytes((own.get("row", 20), 2, own.get("comment", 0)))
        out += fixed + bytes(begin) + bytes(end) + place + text.ljust(112, b"\x8f")
    return out


def test_stl_keeps_what_is_wrong() -> None:
    data = stl(
        [
            ((10, 0, 1, 0), (10, 0, 2, 0), b"one\x8atwo", {}),
            ((10, 0, 3, 0), (10, 0, 2, 0), b"backwards", {}),
            ((10, 0, 4, 30), (10, 0, 5, 0), b"no such frame", {}),
            ((10, 0, 6, 0), (10, 0, 7, 0), b"a note to the editor", {"comment": 1}),
            ((10, 0, 8, 0), (10, 0, 9, 0), b"long ", {"extension": 0}),
            ((10, 0, 8, 0), (10, 0, 9, 0), b"text", {}),
            ((10, 0, 10, 0), (10, 0, 11, 0), b"grows", {"cumulative": 1}),
            ((10, 0, 10, 12), (10, 0, 12, 0), b"more", {"cumulative": 3, "row": 22}),
        ],
        b"10000000",
    )
    found = read_stl(data, "film.stl")
    assert [(round(c.start_s, 2), round(c.end_s, 2), c.lines) for c in found.cues] == [
        (1.0, 2.0, ("one", "two")),
        (3.0, 2.0, ("backwards",)),
        (8.0, 9.0, ("long text",)),
        (10.0, 12.0, ("grows", "more")),
    ]
    assert [(f.source_line, f.message) for f in found.faults] == [(3, BAD_TIME)]


def test_stl_whose_programme_starts_after_its_subtitles() -> None:
    found = read_stl(stl([((0, 0, 1, 0), (0, 0, 2, 0), b"a", {})], b"10000000"), "film.stl")
    assert found.cues[0].start_s == 1.0
    assert [f.message for f in found.faults] == [LATE_PROGRAMME]


def test_scenarist_files() -> None:
    load = "9420 9420 94ae 94ae 9470 9470 c8e5 ecec ef80 942f 942f"
    text = f"Scenarist_SCC V1.0\n\n01:00:00:00\t{load}\n\n01:00:03;00\t942c 942c\n"
    text += "\n01:00:04:xx\t9420\n\n01:00:05:00\t94zz\n"
    found = read_scc(text)
    ((cue),) = found.cues
    assert (cue.lines, cue.source_line) == (("Hello",), 3)
    assert cue.start_s == pytest.approx((3600 * 30 + 9) * 1001 / 30000, abs=0.04)
    assert [(f.source_line, f.message) for f in found.faults] == [(7, BAD_TIME), (9, BAD_BYTES)]
