"""Captions in the frame's user data: EIA-608 and EIA-708, from bytes made here."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from defectscope.analysis import analyze
from defectscope.media import open_media
from defectscope.media.captions.caption_bytes import CaptionBytes, caption_byte_cues, track_name
from defectscope.media.cues import Cue

Groups = list[tuple[int, int, int]]
FRAME_S = Fraction(1001, 30000)


def odd(code: int) -> int:
    """Returns seven bits with odd parity."""
    return code if code.bit_count() % 2 else code | 0x80


def control(second: int, first: int = 0x14) -> Groups:
    """Returns a control code, sent twice as it always is."""
    return [(0, odd(first), odd(second))] * 2


def letters(text: str) -> Groups:
    """Returns text as pairs of field 1."""
    codes = [ord(c) for c in text] + [0] * (len(text) % 2)
    return [(0, odd(a), odd(b)) for a, b in zip(codes[::2], codes[1::2], strict=True)]


def pop_on(*rows: str) -> Groups:
    """Returns a caption that is loaded unseen; its last pair but one shows it."""
    out = control(0x20) + control(0x2E)
    for row, text in enumerate(rows):
        out += control(0x70 if row == len(rows) - 1 else 0x50) + letters(text)
    return out + control(0x2F)


def dtvcc(*commands: bytes, service: int = 1, sequence: int = 0) -> Groups:
    """Returns one EIA-708 packet with a block of one service."""
    block = b"".join(commands)
    assert len(block) < 32
    packet = bytes([service << 5 | len(block)]) + block
    if len(packet) % 2 == 0:
        packet += b"\0"
    packet = bytes([sequence << 6 | (len(packet) + 1) // 2]) + packet
    return [(3 if k == 0 else 2, packet[k], packet[k + 1]) for k in range(0, len(packet), 2)]


def _sei(groups: Groups) -> bytes:
    """Returns groups of three as an H.264 message of user data."""
    data = b"".join(bytes((0xF8 | 4 | kind, a, b)) for kind, a, b in groups)
    user = b"\xb5\x00\x31GA94\x03" + bytes((0x40 | len(groups), 0xFF)) + data + b"\xff"
    out, zeros = bytearray(), 0
    for byte in bytes((4, len(user))) + user + b"\x80":
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\0\0\0\1\6" + bytes(out)


def captioned_film(groups: Mapping[int, Groups], frames: int) -> bytes:
    """Returns a transport stream of H.264 at 29.97 frames a second with B frames."""
    out = io.BytesIO()
    with av.open(out, "w", format="mpegts") as film:
        stream = film.add_stream("h264", rate=1 / FRAME_S)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.options = {"x264-params": "keyint=30:bframes=2:log-level=none"}

        def write(packets: list[av.Packet]) -> None:
            for packet in packets:
                frame = round(packet.pts * packet.time_base / FRAME_S)
                raw = bytes(packet)
                at = next(
                    m.start()
                    for m in re.finditer(b"\0\0\1", raw)
                    if m.end() < len(raw) and raw[m.end()] & 31 in (1, 5)
                )
                message = _sei(groups.get(frame, [(0, 0x80, 0x80)]))
                made = av.Packet(raw[:at] + message + raw[at:])
                made.pts, made.dts, made.duration = packet.pts, packet.dts, packet.duration
                made.time_base, made.stream = packet.time_base, stream
                made.is_keyframe = packet.is_keyframe
                film.mux(made)

        for k in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((72, 64), 60 + k % 100, np.uint8), "yuv420p")
            frame.pts, frame.time_base = k, FRAME_S
            write(stream.encode(frame))
        write(stream.encode(None))
    return out.getvalue()


def cues_of(groups: list[tuple[float, Groups]]) -> dict[str, list[tuple]]:
    """Decodes groups that follow each other by a frame, from the given times on."""
    step = float(FRAME_S)
    flat = [(at_s + step * k, *group) for at_s, part in groups for k, group in enumerate(part)]
    return {
        track_name(number): [(round(c.start_s, 2), round(c.end_s, 2), c.lines) for c in cues]
        for number, cues in caption_byte_cues(flat).items()
    }


def test_pop_on_captions_are_shown_whole() -> None:
    shown = cues_of(
        [(0.0, pop_on("two rows of", "text in one")), (4.0, control(0x2C)), (5.0, pop_on("more"))]
    )
    (first, second) = shown["EIA-608 CC1"]
    assert first[1:] == (4.0, ("two rows of", "text in one"))
    assert first[0] == pytest.approx(
        float(FRAME_S) * (len(pop_on("two rows of", "text in one")) - 2), abs=0.02
    )
    assert second[2] == ("more",)


def test_roll_up_rows_are_captions_of_their_own() -> None:
    start = control(0x25) + control(0x2D) + control(0x70)
    rows = [start + letters("first row"), control(0x2D) + control(0x70) + letters("second row")]
    rows += [control(0x2D) + control(0x70) + letters("third row"), control(0x2C)]
    shown = cues_of([(2.0 * k, row) for k, row in enumerate(rows)])["EIA-608 CC1"]
    assert [(round(a), round(b), text) for a, b, text in shown] == [
        (0, 2, ("first row",)),
        (2, 4, ("second row",)),
        (4, 6, ("third row",)),
    ]


def test_paint_on_and_the_second_channel() -> None:
    painted = control(0x29) + control(0x70) + letters("painted")
    other = [
        (kind, odd((a & 0x7F) | 8) if 0x10 <= a & 0x7F < 0x20 else a, b)
        for kind, a, b in pop_on("otra")
    ]
    shown = cues_of([(0.0, painted), (1.0, other), (3.0, control(0x2C) + control(0x2C, 0x1C))])
    assert [text for *_, text in shown["EIA-608 CC1"]] == [("painted",)]
    assert [text for *_, text in shown["EIA-608 CC2"]] == [("otra",)]


def test_extended_data_and_text_mode_are_no_captions() -> None:
    extended = [(1, odd(1), odd(5)), (1, odd(0x41), odd(0x42)), (1, odd(0x0F), odd(0x1D))]
    text_mode = control(0x2A) + letters("stock quotes")
    assert cues_of([(0.0, extended), (1.0, text_mode), (9.0, control(0x2C))]) == {}


def test_noise_gives_no_error() -> None:
    rng = np.random.default_rng(3)
    rows = rng.integers(0, 256, (20_000, 2)).tolist()
    groups = [(k / 30, k % 4, first, second) for k, (first, second) in enumerate(rows)]
    for cues in caption_byte_cues(groups).values():
        assert all(cue.end_s >= cue.start_s for cue in cues)


_DEFINE = bytes((0x98, 0x00, 0, 0, 0x01, 0x1F, 0x08))


def test_windows_of_eia_708_pop_on() -> None:
    load = dtvcc(_DEFINE, b"\x92\x00\x00", b"upper row")
    rest = dtvcc(b"\x92\x01\x00", b"lower row", sequence=1)
    show, gone = dtvcc(b"\x89\x01", sequence=2), dtvcc(b"\x8a\x01", sequence=3)
    shown = cues_of([(0.0, load), (1.0, rest), (2.0, show), (5.0, gone)])
    ((start_s, end_s, lines),) = shown["EIA-708 service 1"]
    assert (start_s, end_s) == (pytest.approx(2.05, abs=0.06), pytest.approx(5.05, abs=0.06))
    assert lines == ("upper row", "lower row")


def test_windows_of_eia_708_roll_up() -> None:
    visible = bytes((0x98, 0x20, 0, 0, 0x01, 0x1F, 0x08))
    parts = [dtvcc(visible, b"first"), dtvcc(b"\r", b"second"), dtvcc(b"\r", b"third")]
    shown = cues_of([(2.0 * k, part) for k, part in enumerate(parts)] + [(6.0, dtvcc(b"\x8c\x01"))])
    found = shown["EIA-708 service 1"]
    assert [(round(a), round(b), text) for a, b, text in found] == [
        (0, 2, ("first",)),
        (2, 4, ("second",)),
        (4, 6, ("third",)),
    ]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    first, second = pop_on("Hello there"), pop_on("far too quick a caption to be read by anyone")
    groups: dict[int, Groups] = {}
    for end, part in ((60, first), (100, control(0x2C)), (140, second), (150, control(0x2C))):
        groups |= {end - len(part) + 2 + k: [group] for k, group in enumerate(part)}
    path = tmp_path_factory.mktemp("film") / "captioned.ts"
    path.write_bytes(captioned_film(groups, 180))
    return path


def test_captions_in_h264_are_held_against_the_rules(film: Path) -> None:
    report = analyze(film, detectors=["caption_quality"])
    found = {f.defect: f for f in report.findings}
    assert set(found) == {"caption_gap"}
    assert found["caption_gap"].evidence["track"] == "EIA-608 CC1"
    assert found["caption_gap"].start_s == pytest.approx(140 * 1001 / 30000, abs=0.04)


@pytest.mark.usefixtures("shared_at_any_length")
def test_segments_see_captions_that_were_sent_before_them(film: Path) -> None:
    whole = analyze(film, detectors=["caption_quality"])
    parts = analyze(film, detectors=["caption_quality"], workers=2)
    assert whole.findings == parts.findings


def test_empty_user_data_is_no_caption_track(tmp_path: Path) -> None:
    path = tmp_path / "empty.ts"
    path.write_bytes(captioned_film({}, 30))
    with open_media(path) as reader:
        assert reader.info.has_bitmap_captions
        assert not any(isinstance(item, Cue | CaptionBytes) for item in reader.read())
    report = analyze(path, detectors=["caption_quality"])
    assert report.verdicts["caption_quality"]["verdict"] == "not_applicable"
