"""Caption tracks inside a file: the same cues, whichever format carries them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from defectscope.analysis import analyze
from defectscope.media import open_media
from defectscope.media.cues import Cue
from defectscope.media.embedded_cues import cue_streams

_SUBRIP = (
    "1\n00:00:00,400 --> 00:00:01,040\nTom &amp; <i>Jerry</i>\nrun\n\n"
    "2\n00:00:01,080 --> 00:00:02,000\n" + "far too long a line for anyone to read " * 2 + "\n\n"
)
_WEBVTT = "WEBVTT\n\n" + _SUBRIP.split("\n", 1)[1].replace("\n2\n", "\n").replace(",", ".")


def film_with(path: Path, text: str, suffix: str, *, mov_text: bool = False) -> Path:
    """Two grey seconds with a caption track taken over packet by packet."""
    side = path.with_suffix(suffix)
    side.write_text(text.replace("&amp;", "&") if suffix == ".srt" else text, "utf-8")
    with av.open(str(side)) as source, av.open(str(path), "w") as film:
        image = film.add_stream("mpeg4", rate=25)
        image.width, image.height, image.pix_fmt = 64, 48, "yuv420p"
        cues = source.streams.subtitles[0]
        kept = film.add_mux_stream("mov_text") if mov_text else film.add_stream_from_template(cues)
        for k in range(55):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 80 + k, np.uint8), "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            film.mux(image.encode(frame))
        film.mux(image.encode(None))
        for packet in source.demux(cues):
            if packet.pts is None or not packet.size:
                continue
            raw = bytes(packet)
            copy = av.Packet(len(raw).to_bytes(2, "big") + raw if mov_text else raw)
            copy.pts, copy.dts, copy.duration = packet.pts, packet.pts, packet.duration
            copy.time_base, copy.stream = packet.time_base, kept
            film.mux(copy)
    return path


@pytest.fixture(params=["srt in mkv", "webvtt in mkv", "mov_text in mp4"])
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "mov_text in mp4":
        return film_with(tmp_path / "film.mp4", _SUBRIP, ".srt", mov_text=True)
    if request.param == "srt in mkv":
        return film_with(tmp_path / "film.mkv", _SUBRIP, ".srt")
    return film_with(tmp_path / "film.mkv", _WEBVTT, ".vtt")


def test_cues_are_read_without_mark_up(film: Path) -> None:
    with open_media(film) as reader:
        assert reader.info.has_captions
        cues = [item for item in reader.read() if isinstance(item, Cue)]
    assert [(c.start_s, c.end_s) for c in cues] == [(0.4, 1.04), (1.08, 2.0)]
    assert cues[0].lines == ("Tom & Jerry", "run")
    assert cues[0].source_line is None


def test_cues_are_held_against_the_rules(film: Path) -> None:
    report = analyze(film, detectors=["caption_quality"])
    found = {f.defect: f for f in report.findings}
    assert {"caption_gap", "caption_length", "caption_speed"} <= set(found)
    assert found["caption_gap"].evidence == {"gap_s": 0.04, "track": "stream 1"}
    assert found["caption_length"].evidence["line_characters"] == 77


def test_a_interval_gives_the_cues_that_begin_in_it(film: Path) -> None:
    with open_media(film) as reader:
        found = [[i for i in reader.read(*s) if isinstance(i, Cue)] for s in ((0, 1), (1, 2.2))]
    assert [[c.start_s for c in part] for part in found] == [[0.4], [1.08]]


def test_every_track_with_a_decoder_is_read() -> None:
    class Track:
        def __init__(self, kind: str, decodes: bool) -> None:
            self.type = kind
            self.codec_context = object() if decodes else None

    class Container:
        streams = (Track("video", True), Track("subtitle", True), Track("subtitle", False))

    assert cue_streams(Container) == [Container.streams[1]]


def test_captions_without_a_decoder_are_named(tmp_path: Path) -> None:
    path = film_with(tmp_path / "film.mp4", _SUBRIP, ".srt", mov_text=True)
    path.write_bytes(path.read_bytes().replace(b"tx3g", b"wvtt"))
    report = analyze(path, detectors=["caption_quality", "freeze"])
    track = report.tracks[1]
    assert (track["medium"], track["judged"]) == ("captions", False)
    assert track["reason"] == "no decoder for 'wvtt'"


def _segment(kind: int, data: bytes) -> bytes:
    return bytes((kind,)) + len(data).to_bytes(2, "big") + data


def _image(number: int, *, shown: bool) -> bytes:
    """A display set of Blu-ray's graphics: an object of two rows, or nothing."""
    size = (64).to_bytes(2, "big") + (48).to_bytes(2, "big")
    head = size + b"\x10" + number.to_bytes(2, "big") + b"\x80\0\0"
    window = _segment(0x17, b"\x01\0\0\0\0\0" + size)
    if not shown:
        return _segment(0x16, head + b"\0") + window + _segment(0x80, b"")
    rows = b"\x01\x01\x01\x01\0\0" * 2
    pixels = b"\0\x04\0\x02" + rows
    return (
        _segment(0x16, head + b"\x01\0\0\0\0\0\x04\0\x04")
        + window
        + _segment(0x14, b"\0\0\x01\xeb\x80\x80\xff")
        + _segment(0x15, b"\0\0\0\xc0" + len(pixels).to_bytes(3, "big") + pixels)
        + _segment(0x80, b"")
    )


@pytest.mark.usefixtures("shared_at_any_length")
def test_images_last_until_the_next_event_of_their_track(tmp_path: Path) -> None:
    path = tmp_path / "film.mkv"
    with av.open(str(path), "w") as film:
        image = film.add_stream("mpeg4", rate=25)
        image.width, image.height, image.pix_fmt = 64, 48, "yuv420p"
        text = film.add_mux_stream("pgssub")
        events = {10: True, 35: False, 50: True, 60: True}
        for k in range(250):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 80, np.uint8), "yuv420p")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            film.mux(image.encode(frame))
            if k in events:
                packet = av.Packet(_image(k, shown=events[k]))
                packet.pts = packet.dts = 40 * k
                packet.time_base, packet.stream = Fraction(1, 1000), text
                film.mux(packet)
        film.mux(image.encode(None))
    report = analyze(path, detectors=["caption_quality"])
    found = [(f.defect, f.start_s, f.end_s) for f in report.findings]
    # 0.4 to 1.4 s and 2.4 s to the end are right or too long, 2.0 to 2.4 s is too short.
    assert found == [("caption_gap", 2.0, 2.4), ("caption_gap", 2.4, 10.0)]
    assert {f.evidence["track"] for f in report.findings} == {"stream 1"}
    parts = analyze(path, detectors=["caption_quality"], workers=2)
    assert parts.findings == report.findings
