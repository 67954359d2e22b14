"""Kinds of trouble that desks are sent, each on media made here, with siblings of the kind."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_media import black, kinds, write

from defectscope.analysis import analyze
from defectscope.cli.main import main
from defectscope.media.rates import Pace, nominal_rate, pace_of
from defectscope.media.track_facts import described_video

Sounds = tuple[tuple[str, str], ...]


def first_of(values: Iterable[Any]) -> list[Any]:
    """Marks all values but the first slow: the first stands for its kind in every run."""
    first, *others = values
    return [first, *(pytest.param(*_tuple(v), marks=pytest.mark.slow) for v in others)]


def _tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def remuxed(source: Path, target: Path, **options: str) -> Path:
    """Copies packets into another container."""
    with av.open(str(source)) as made, av.open(str(target), "w", options=options) as out:
        copies = {s.index: out.add_stream_from_template(s) for s in made.streams}
        for packet in made.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                out.mux(packet)
    return target


CUT: dict[str, tuple[str | None, Sounds]] = {
    "wav": (None, (("pcm_s16le", "stereo"),)),
    "w64": (None, (("pcm_s24le", "stereo"),)),
    "caf": (None, (("pcm_s16be", "stereo"),)),
    "au": (None, (("pcm_s16be", "mono"),)),
    "aiff": (None, (("pcm_s16be", "stereo"),)),
    "mka": (None, (("aac", "stereo"),)),
    "avi": ("mpeg4", (("libmp3lame", "stereo"),)),
    "flv": ("libx264", (("aac", "stereo"),)),
    "webm": ("libvpx", (("libopus", "stereo"),)),
    "mxf": ("mpeg2video", (("pcm_s16le", "mono"),)),
    "ivf": ("libvpx", ()),
}


@pytest.mark.parametrize("suffix", first_of(CUT))
def test_less_than_the_header_declares_is_truncated(tmp_path: Path, suffix: str) -> None:
    codec, sounds = CUT[suffix]
    path = tmp_path / f"clip.{suffix}"
    write(path, codec=codec, sounds=sounds)
    assert kinds(analyze(path, detectors=["stream_integrity"])) == []
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    report = analyze(path, detectors=["stream_integrity"])
    assert kinds(report) == ["truncated"]
    assert report.verdicts["stream_integrity"]["verdict"] == "fail"
    (found,) = report.findings
    assert found.evidence["declared_s"] == pytest.approx(3.0, abs=0.1)
    assert 1.0 < found.evidence["decoded_s"] < 2.6
    lengths = [t["declared_s"] for t in report.tracks if t["declared_s"] is not None]
    assert lengths[:1] == [pytest.approx(3.0, abs=0.1)] or suffix == "flv"


@pytest.mark.parametrize("size", first_of([0xFFFFFFFF, 0, 0x7FFFFFD3]))
def test_a_recorder_that_did_not_know_the_length_stated_none(tmp_path: Path, size: int) -> None:
    path = tmp_path / "clip.wav"
    write(path, seconds=1.0, codec=None, sounds=(("pcm_s16le", "stereo"),))
    data = bytearray(path.read_bytes())
    at = data.index(b"data") + 4
    data[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)
    assert kinds(analyze(path, detectors=["stream_integrity"])) == []


@pytest.mark.parametrize("movflags", first_of(["frag_keyframe+empty_moov", "dash+delay_moov"]))
def test_fragments_cut_short_are_truncated(tmp_path: Path, movflags: str) -> None:
    whole, path = tmp_path / "whole.mp4", tmp_path / "fragments.mp4"
    write(whole, seconds=4.0)
    remuxed(whole, path, movflags=movflags)
    assert kinds(analyze(path, detectors=["stream_integrity"])) == []
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    assert kinds(analyze(path, detectors=["stream_integrity"])) == ["truncated"]


@pytest.mark.parametrize(("suffix", "height"), first_of([("dv", 576), ("avi", 576), ("dv", 480)]))
def test_every_frame_of_dv_is_looked_at(tmp_path: Path, suffix: str, height: int) -> None:
    path = tmp_path / f"clip.{suffix}"
    rate, pixels = (
        (Fraction(25), "yuv420p") if height == 576 else (Fraction(30000, 1001), "yuv411p")
    )
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("dvvideo", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 720, height, pixels
        texture = np.add.outer(np.arange(height) % 90, np.arange(720) % 60).astype(np.uint8) + 50
        for number in range(13):
            grey = np.roll(texture, 7 * number, axis=1) if number < 5 else np.full_like(texture, 16)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), format="gray")
            # The planes' own levels: no scaling of ranges.
            planes = av.VideoFrame(720, height, pixels)
            for plane, value in zip(planes.planes, (None, 128, 128), strict=True):
                size = plane.line_size * plane.height
                rows = bytes(frame.planes[0]) if value is None else bytes([value]) * size
                plane.update(rows[:size].ljust(size, b"\x80"))
            planes.pts, planes.time_base = number, 1 / rate
            out.mux(stream.encode(planes))
        out.mux(stream.encode(None))
    report = analyze(path, detectors=["black_frames", "stream_integrity"])
    assert report.tracks[0]["frames"] == 13
    ((start_s, end_s),) = black(report)
    assert (start_s, end_s) == (
        pytest.approx(5 / rate, abs=1e-4),
        pytest.approx(13 / rate, abs=1e-4),
    )
    assert kinds(report) == []


@pytest.mark.parametrize(("suffix", "codec"), first_of([("mxf", "mpeg2video"), ("mov", "libx264")]))
def test_a_hole_in_the_second_of_two_mono_tracks_is_found_there(
    tmp_path: Path, suffix: str, codec: str
) -> None:
    path = tmp_path / f"clip.{suffix}"
    write(path, codec=codec, sounds=(("pcm_s16le", "mono"),) * 2, holes_s={1: (1.0, 1.6)})
    report = analyze(path, detectors=["audio_dropout", "stereo_image"])
    assert {(f.track, f.defect) for f in report.findings} <= {
        (2, "audio_dropout"),
        (2, "channel_missing"),
    }
    assert any(abs(f.start_s - 1.0) < 0.1 and abs(f.end_s - 1.6) < 0.1 for f in report.findings)
    assert [t.get("layout") for t in report.tracks] == [None, "stereo", "stereo"]


@pytest.mark.parametrize(
    ("suffix", "which"), first_of([("mov", 1), ("mov", 0), ("mkv", 0), ("mkv", 1)])
)
def test_a_sound_without_decoder_is_named_and_the_other_analyzed(
    tmp_path: Path, suffix: str, which: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"clip.{suffix}"
    write(path, seconds=2.0, sounds=(("aac", "stereo"), ("ac3", "stereo")))
    old, new = {
        ("mov", 0): (b"mp4a", b"apac"),
        ("mov", 1): (b"ac-3", b"apac"),
        ("mkv", 0): (b"A_AAC", b"A_XYZ"),
        ("mkv", 1): (b"A_AC3", b"A_XYZ"),
    }[suffix, which]
    # FFmpeg takes the codec from the descriptor where the name says nothing.
    path.write_bytes(path.read_bytes().replace(old, new).replace(b"esds", b"free"))
    report = analyze(path, detectors=["freeze", "loudness", "stream_integrity"])
    judged = [track["judged"] for track in report.tracks]
    assert judged == [True, which == 1, which == 0]
    assert report.tracks[1 + which]["codec"] == {"mov": "apac", "mkv": "A_XYZ"}[suffix]
    assert report.tracks[1 + which]["codec"] in report.tracks[1 + which]["reason"]
    assert report.verdicts["loudness"]["verdict"] != "not_judged"
    assert main(["analyze", str(path), "--detectors", "loudness,freeze"]) == 0
    assert report.tracks[1 + which]["reason"] in capsys.readouterr().out


CHANGES = {
    "rate_change": [("ac3", 48_000, "stereo"), ("ac3", 44_100, "stereo")],
    "layout_change": [("aac", 48_000, "stereo"), ("aac", 48_000, "mono")],
}


@pytest.mark.parametrize("kind", first_of(CHANGES))
def test_a_change_of_the_sound_is_named_once_and_clicks_are_none(tmp_path: Path, kind: str) -> None:
    parts: list[Path] = []
    for number, (codec, rate_hz, layout) in enumerate(CHANGES[kind]):
        parts.append(tmp_path / f"{number}.ts")
        write(parts[-1], sounds=((codec, layout),), rate_hz=rate_hz, start_s=3 * number)
    both = tmp_path / "both.ts"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    report = analyze(both, detectors=["stream_integrity", "audio_artifacts", "audio_dropout"])
    assert kinds(report) == [kind]
    assert [f.defect for f in report.findings if "click" in f.defect] == []
    assert report.tracks[1]["decoded_s"] == pytest.approx(6.0, abs=0.2)


@pytest.mark.parametrize(("at_s", "kind"), first_of([(100, "clock_restart"), (9, "video_gap")]))
def test_a_step_forward_of_frames_and_sound_is_one_finding(
    tmp_path: Path, at_s: int, kind: str
) -> None:
    first, second, both = (tmp_path / f"{name}.ts" for name in ("a", "b", "ab"))
    write(first)
    write(second, start_s=at_s, black_s=(1.0, 2.0))
    both.write_bytes(first.read_bytes() + second.read_bytes())
    report = analyze(both, detectors=["stream_integrity", "black_frames"])
    (finding,) = [f for f in report.findings if f.detector == "stream_integrity"]
    # Where a counter happens not to go on from file to file, a packet is missing there as well.
    assert kind in finding.evidence.get("kinds", kinds(report))
    # A clock that was set anew loses no time; below ten seconds frames are taken for missing.
    missing_s = 6.0 if kind == "video_gap" else 0.0
    assert report.asset["duration_s"] == pytest.approx(6.0 + missing_s, abs=0.2)
    ((start_s, _),) = black(report)
    assert start_s == pytest.approx(4.0 + missing_s, abs=0.2)


@pytest.mark.parametrize("suffix", first_of(["mpg", "mkv", "nut"]))
def test_two_files_in_one_are_two_clocks(tmp_path: Path, suffix: str) -> None:
    codec, sound = ("mpeg2video", "mp2") if suffix == "mpg" else ("libx264", "aac")
    first, second, both = (tmp_path / f"{name}.{suffix}" for name in ("a", "b", "ab"))
    write(first, codec=codec, sounds=((sound, "stereo"),))
    write(second, codec=codec, sounds=((sound, "stereo"),), black_s=(1.0, 2.0))
    both.write_bytes(first.read_bytes() + second.read_bytes())
    report = analyze(both, detectors=["stream_integrity", "black_frames"])
    assert kinds(report) == ["clock_restart"]
    ((start_s, _),) = black(report)
    assert start_s == pytest.approx(4.0, abs=0.2)


@pytest.mark.parametrize(("codec", "sound"), first_of([("libx264", "aac"), ("libx265", "ac3")]))
def test_a_capture_that_begins_amid_a_programme_says_so_once(
    tmp_path: Path, codec: str, sound: str
) -> None:
    path = tmp_path / "clip.ts"
    write(path, seconds=4.0, codec=codec, sounds=((sound, "stereo"),))
    data = path.read_bytes()
    at = len(data) * 2 // 5 // 188 * 188
    # The tables come again ten times a second; frames of the first key frame are gone.
    path.write_bytes(data[at:])
    report = analyze(path, detectors=["stream_integrity", "black_frames"])
    assert kinds(report) == ["late_start"]
    assert report.tracks[0]["frames"] >= 25


@pytest.mark.parametrize("codec", first_of(["libx264", "mpeg4"]))
def test_a_screen_at_rest_in_avi_repeats_its_frames(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "rest.avi"
    rest(path, codec, Fraction(1, 30))
    assert kinds(analyze(path, detectors=["stream_integrity"])) == []


@pytest.mark.parametrize(
    ("codec", "promise"),
    first_of([("libvpx", False), ("libvpx", True), ("libx264", False), ("libx264", True)]),
)
def test_a_screen_at_rest_in_matroska_breaks_no_promise_that_was_not_made(
    tmp_path: Path, codec: str, promise: bool
) -> None:
    path = tmp_path / ("rest.webm" if codec == "libvpx" else "rest.mkv")
    rest(path, codec, Fraction(1, 1000))
    data = path.read_bytes()
    if not promise:
        # An EBML void element in place of the default duration, as browsers record.
        at = data.index(b"\x23\xe3\x83\x84")
        data = data[:at] + b"\xec\x86" + bytes(6) + data[at + 8 :]
        path.write_bytes(data)
    report = analyze(path, detectors=["stream_integrity"])
    assert kinds(report) == (["video_gap"] if promise else [])
    assert report.asset["video"]["frame_rate"] == "30/1"
    assert bool(report.asset["video"].get("variable_frame_rate")) == (not promise)


def test_two_frames_far_apart_have_a_pace() -> None:
    class Packet:
        def __init__(self, pts: int) -> None:
            self.pts = pts

    class Container:
        def demux(self, stream: Stream) -> list[Packet]:
            return [Packet(0), Packet(40), Packet(9000)]

        def close(self) -> None: ...

    class Stream:
        time_base = Fraction(1, 1000)
        guessed_rate = average_rate = base_rate = Fraction(1000)

    container: Any = Container()
    container.streams = [Stream()]
    pace = pace_of(lambda: container, 0, b"")
    assert pace is not None
    assert pace.step_s == Fraction(1, 25)
    assert nominal_rate(Stream(), pace) == (25, True)
    # Damaged time bases give steps that no frame has.
    assert nominal_rate(Stream(), Pace(Fraction(1, 10**9)))[0] == 1000


def test_a_header_without_a_raster_has_that_of_the_first_frame() -> None:
    class Context:
        width = height = 0
        pix_fmt, name, color_range = None, "h264", 0
        codec = av.Codec("h264", "r")

    class Stream:
        codec_context = Context()
        time_base = Fraction(1, 25)
        guessed_rate = average_rate = base_rate = Fraction(25)

    known = described_video(Stream(), 0, first=av.VideoFrame(160, 96, "yuv422p"))
    assert (known.width, known.height, known.pixel_format) == (160, 96, "yuv422p")
    assert (known.chroma_width, known.chroma_height) == (80, 96)


def test_a_recording_copied_from_mp4_to_matroska_stays_at_rest(tmp_path: Path) -> None:
    whole = tmp_path / "rest.mp4"
    rest(whole, "libx264", Fraction(1, 1000))
    report = analyze(remuxed(whole, tmp_path / "rest.mkv"), detectors=["stream_integrity"])
    assert kinds(report) == []
    assert report.asset["video"]["frame_rate"] == "30/1"


def rest(path: Path, codec: str, tick_s: Fraction) -> None:
    """Writes 30 frames a second in which the screen rests twice, for 2.5 s."""
    draw = np.random.default_rng(3)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream(codec, rate=30)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = tick_s
        stream.codec_context.thread_count = 1
        now = Fraction(0)
        for number in range(60):
            planes = np.full((144, 160), 128, np.uint8)
            planes[:96] = draw.integers(30, 200, (96, 160))
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = round(now / tick_s), tick_s
            now += Fraction(76 if number in (20, 40) else 1, 30)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize("rate", first_of([Fraction(60000, 1001), Fraction(24000, 1001)]))
@pytest.mark.parametrize("suffix", first_of(["mkv", "mp4", "flv", "ts"]))
def test_rates_are_equal_in_every_container(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    path = tmp_path / f"clip.{suffix}"
    write(path, rate=rate, black_s=(1.0, 2.0))
    report = analyze(path, detectors=["black_frames"])
    assert report.asset["video"]["frame_rate"] == f"{rate.numerator}/{rate.denominator}"
    (found,) = report.findings
    assert found.start_frame == -(-rate.numerator // rate.denominator)


@pytest.mark.parametrize("suffix", first_of(["mp4", "mkv", "mov"]))
def test_jitter_around_25_gives_25_labels_a_second(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    draw = np.random.default_rng(5)
    texture = draw.integers(40, 200, (96, 400), np.uint8)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        now = 0
        for number in range(150):
            planes = np.full((144, 160), 128, np.uint8)
            planes[:96] = texture[:, number : number + 160] if not 100 <= number < 125 else 16
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = now, Fraction(1, 90_000)
            # 25.0086 frames a second on average, as a phone's clock gives.
            now += round(3598.8 + draw.uniform(-540, 540))
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    report = analyze(path, detectors=["black_frames", "stream_integrity"])
    assert report.asset["video"]["frame_rate"] == "25/1"
    (found,) = report.findings
    assert found.start_timecode == "00:00:04:00"


@pytest.mark.parametrize("first", first_of(["radio", "television"]))
def test_the_programme_of_the_frame_is_analyzed_and_others_named(
    tmp_path: Path, first: str
) -> None:
    parts = {"radio": tmp_path / "radio.ts", "television": tmp_path / "television.ts"}
    write(parts["radio"], codec=None, sounds=(("mp2", "stereo"),))
    write(parts["television"], sounds=(("mp2", "stereo"),))
    order = [first, *(name for name in parts if name != first)]
    path = tmp_path / "both.ts"
    path.write_bytes(multiplexed([parts[name].read_bytes() for name in order]))
    report = analyze(path, detectors=["stream_integrity", "loudness"])
    assert kinds(report) == []
    number = order.index("radio") + 1
    named = [t["reason"] for t in report.tracks if t["programme"] == number]
    assert named == [f"belongs to programme {number}"]
    assert all(t["judged"] for t in report.tracks if t["programme"] != number)
    asked = analyze(path, detectors=["loudness"], program=number)
    assert [t["judged"] for t in asked.tracks if t["programme"] == number] == [True]
    assert "video" not in asked.asset


def test_the_packets_of_another_programme_need_not_be_there(tmp_path: Path) -> None:
    write(tmp_path / "one.ts", sounds=(("mp2", "stereo"),))
    stream = (tmp_path / "one.ts").read_bytes()
    both = multiplexed([stream, stream])
    # As filters leave it: the second programme is in the tables alone.
    kept = [
        both[at : at + 188]
        for at in range(0, len(both), 188)
        if not 0x300 <= int.from_bytes(both[at + 1 : at + 3], "big") & 0x1FFF < 0x1000
    ]
    path = tmp_path / "filtered.ts"
    path.write_bytes(b"".join(kept))
    report = analyze(path, detectors=["stream_integrity", "freeze"])
    assert report.findings == ()
    reasons = {t["reason"] for t in report.tracks if t["programme"] == 2}
    assert reasons == {"belongs to programme 2"}


@pytest.mark.parametrize("hidden", [1, 2])
def test_the_programme_in_the_clear_is_analyzed(tmp_path: Path, hidden: int) -> None:
    write(tmp_path / "one.ts", sounds=(("mp2", "stereo"),))
    stream = (tmp_path / "one.ts").read_bytes()
    both = bytearray(multiplexed([stream, stream]))
    path = tmp_path / "both.ts"
    path.write_bytes(both)
    with av.open(str(path)) as container:
        pids = sorted(s.id for s in container.streams)
    # The second programme's identifiers are the higher ones.
    scrambled = pids[:2] if hidden == 1 else pids[2:]
    for at in range(0, len(both), 188):
        if int.from_bytes(both[at + 1 : at + 3], "big") & 0x1FFF in scrambled:
            both[at + 3] |= 0x80
    path.write_bytes(both)
    report = analyze(path, detectors=["stream_integrity", "freeze", "loudness"])
    assert report.findings == ()
    assert report.verdict == "pass"
    reasons = {t["reason"] for t in report.tracks if t["programme"] == hidden}
    assert reasons == {f"belongs to programme {hidden}"}


def multiplexed(streams: list[bytes]) -> bytes:
    """Makes one transport stream of several with a programme each: identifiers 0x200 apart."""
    table = b""
    placed: list[tuple[float, bytes]] = []
    for number, stream in enumerate(streams, 1):
        moved = 0x200 * (number - 1)
        table += number.to_bytes(2, "big") + (0xE000 | 0x1000 + moved & 0x1FFF).to_bytes(2, "big")
        for at in range(0, len(stream), 188):
            packet = bytearray(stream[at : at + 188])
            pid = int.from_bytes(packet[1:3], "big") & 0x1FFF
            if pid < 0x20:
                continue
            new = pid + moved & 0x1FFF
            packet[1] = packet[1] & 0xE0 | new >> 8
            packet[2] = new & 0xFF
            if pid == 0x1000:
                section = packet[5 : 8 + (packet[6] & 0x0F) * 256 + packet[7]]
                section[3:5] = number.to_bytes(2, "big")
                moved_map(section, moved)
                packet[5 : 5 + len(section)] = section
            placed.append((at / len(stream), bytes(packet)))
    head = b"\0\x01\xc1\0\0" + table
    section = b"\0" + (0xB000 | len(head) + 4).to_bytes(2, "big") + head
    section += crc32(section)
    pat = (b"\x47\x40\0\x10\0" + section).ljust(188, b"\xff")
    mixed = [packet for _, packet in sorted(placed, key=lambda one: one[0])]
    return b"".join(pat + b"".join(mixed[k : k + 50]) for k in range(0, len(mixed), 50))


def moved_map(section: bytearray, moved: int) -> None:
    """Moves every identifier in a programme map."""

    def move(at: int) -> None:
        pid = (int.from_bytes(section[at : at + 2], "big") & 0x1FFF) + moved
        section[at : at + 2] = (0xE000 | pid & 0x1FFF).to_bytes(2, "big")

    move(8)
    at = 12 + (int.from_bytes(section[10:12], "big") & 0x0FFF)
    while at < len(section) - 4:
        move(at + 1)
        at += 5 + (int.from_bytes(section[at + 3 : at + 5], "big") & 0x0FFF)
    section[-4:] = crc32(bytes(section[:-4]))


def crc32(data: bytes) -> bytes:
    """Returns the check sum of ISO/IEC 13818-1, annex A."""
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte << 24
        for _ in range(8):
            register = register << 1 ^ (0x04C11DB7 if register & 0x80000000 else 0)
        register &= 0xFFFFFFFF
    return register.to_bytes(4, "big")
