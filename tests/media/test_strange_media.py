"""Kinds of strange media, made here: what is said of each, and that nothing passes unseen."""

from __future__ import annotations

import io
import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_media import RATE_HZ, SEEN, black, kinds, write

from defectscope.analysis import analyze, merge
from defectscope.cli.main import main
from defectscope.errors import InvalidParameterError, UnreadableMediaError
from defectscope.findings import NOT_ASKED, Report
from defectscope.media import open_media
from defectscope.media.clocks import ProgrammeClock
from defectscope.media.frames import Frame
from defectscope.media.programmes import programmes
from defectscope.media.rates import snap
from defectscope.media.source import resolve
from defectscope.media.timecode import Timecode


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video"])
def test_elementary_streams_play_at_their_nominal_rate(tmp_path: Path, codec: str) -> None:
    path = tmp_path / ("clip.h264" if codec == "libx264" else "clip.m2v")
    write(path, codec=codec, rate=Fraction(30000, 1001), black_s=(1.0, 2.0), sounds=())
    report = analyze(path, detectors=SEEN)
    assert report.asset["video"]["frame_rate"] == "30000/1001"
    assert report.tracks[0]["frames"] == 90
    ((start_s, end_s),) = black(report)
    assert (start_s, end_s) == (pytest.approx(1.0, abs=0.07), pytest.approx(2.0, abs=0.07))


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mp3", "flac"])
def test_files_that_end_early_are_a_finding(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    sound = {"mkv": "aac", "mp4": "aac", "mp3": "libmp3lame", "flac": "flac"}[suffix]
    codec = "libx264" if suffix in ("mkv", "mp4") else None
    write(path, seconds=6.0, codec=codec, sounds=((sound, "stereo"),))
    assert kinds(analyze(path, detectors=SEEN)) == []
    data = path.read_bytes()
    if suffix == "mp4":
        with av.open(str(path)) as made, av.open(str(tmp_path / "front.mp4"), "w",
            options={"movflags": "faststart"}) as out:  # fmt: skip
            copies = {s.index: out.add_stream_from_template(s) for s in made.streams}
            for packet in made.demux():
                if packet.dts is not None:
                    packet.stream = copies[packet.stream.index]
                    out.mux(packet)
        data = (tmp_path / "front.mp4").read_bytes()
    path.write_bytes(data[: len(data) // 2])
    report = analyze(path, detectors=SEEN)
    assert kinds(report) == ["truncated"]
    assert report.verdicts["stream_integrity"]["verdict"] == "fail"
    track = report.tracks[0]
    assert track["decoded_s"] < 5.0
    assert track["declared_s"] == pytest.approx(6.0, abs=0.1)


def test_mp4_without_its_index_fails_with_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "clip.mp4"
    write(path)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    report = analyze(path)
    assert kinds(report) == ["truncated"]
    assert report.verdicts["freeze"]["verdict"] == "not_judged"
    assert report.verdicts["freeze"]["reason"]
    assert main(["analyze", str(path)]) == 3
    assert "truncated" in capsys.readouterr().out


def test_a_clock_that_starts_again_is_one_finding_and_time_goes_on(tmp_path: Path) -> None:
    first, second, both = (tmp_path / f"{name}.ts" for name in ("a", "b", "ab"))
    write(first, seconds=5.0)
    write(second, seconds=5.0, black_s=(2.0, 3.0))
    both.write_bytes(first.read_bytes() + second.read_bytes())
    report = analyze(both, detectors=SEEN)
    assert kinds(report) == ["clock_restart"]
    assert report.asset["duration_s"] == pytest.approx(10.0, abs=0.2)
    ((start_s, end_s),) = black(report)
    assert (start_s, end_s) == (pytest.approx(7.0, abs=0.2), pytest.approx(8.0, abs=0.2))


def test_sound_that_changes_its_layout_is_one_finding(tmp_path: Path) -> None:
    first, second, both = (tmp_path / f"{name}.ts" for name in ("a", "b", "ab"))
    write(first, seconds=4.0, sounds=(("ac3", "5.1"),))
    write(second, seconds=4.0, sounds=(("ac3", "stereo"),))
    both.write_bytes(first.read_bytes() + second.read_bytes())
    report = analyze(both, detectors=["stream_integrity", "loudness"])
    assert len(kinds(report)) == 1
    assert report.tracks[1]["decoded_s"] == pytest.approx(8.0, abs=0.2)


def test_mono_tracks_form_a_layout_that_can_be_given(tmp_path: Path) -> None:
    path = tmp_path / "clip.mov"
    write(path, seconds=1.5, sounds=(("pcm_s16le", "mono"),) * 8)
    guessed = analyze(path, detectors=SEEN)
    assert [t.get("layout") for t in guessed.tracks] == [None, *["5.1"] * 6, *["stereo"] * 2]
    given = analyze(path, detectors=SEEN, audio_layout="stereo=1,2,stereo=7-8")
    assert [t["judged"] for t in given.tracks] == [True, True, True, *[False] * 4, True, True]
    assert "audio layout" in given.tracks[3]["reason"]
    for wrong in ("5.1=1-5", "stereo=8,9", "stereo", "stereo=1,1", "nonsense=1,2"):
        with pytest.raises(InvalidParameterError):
            analyze(path, detectors=SEEN, audio_layout=wrong)


@pytest.mark.parametrize("suffix", ["avi", "mxf"])
def test_frames_out_of_order_come_in_order(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    write(path, sounds=())
    report = analyze(path, detectors=["stream_integrity"])
    assert report.tracks[0]["frames"] == 75
    assert kinds(report) == []


def test_every_video_track_is_analyzed(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write(path, black_s=(1.0, 2.0), second_video=True)
    report = analyze(path, detectors=["black_frames"])
    assert [f.track for f in report.findings] == [0, 1]
    assert [t.get("frames") for t in report.tracks] == [75, 75, None]


def test_an_unknown_codec_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "clip.mkv"
    write(path)
    data = path.read_bytes()
    assert data.count(b"V_MPEG4/ISO/AVC") == 1
    path.write_bytes(data.replace(b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ"))
    report = analyze(path, detectors=SEEN)
    assert [t["judged"] for t in report.tracks] == [False, True]
    assert report.tracks[0]["reason"]
    path.write_bytes(path.read_bytes().replace(b"A_AAC", b"A_XYZ"))
    with pytest.raises(UnreadableMediaError):
        open_media(path)


def test_segments_add_up_to_the_coverage_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write(path, seconds=4.0)
    parts = [
        analyze(path, detectors=SEEN, start_s=a, end_s=b, measurements=True).to_dict()
        for a, b in ((None, 1.5), (1.5, None))
    ]
    assert merge(parts).tracks == analyze(path, detectors=SEEN).tracks


def test_what_was_not_decoded_does_not_pass(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write(path)
    report = analyze(path, detectors=SEEN, start_s=100.0)
    assert {v["verdict"] for v in report.verdicts.values()} == {"not_judged"}


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    path, pipe = tmp_path / "clip.mp4", tmp_path / "pipe"
    write(path)
    os.mkfifo(pipe)
    feeding = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    feeding.start()
    source = resolve(pipe)
    feeding.join()
    assert isinstance(source, io.BufferedReader)
    with source, open_media(source) as reader:
        assert reader.info.uri == "pipe"
        assert sum(isinstance(item, Frame) for item in reader.read()) == 75


def test_an_internal_error_does_not_end_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from defectscope import analysis

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    good, bad = tmp_path / "good.mp4", tmp_path / "bad.mp4"
    write(good)
    bad.write_bytes(good.read_bytes())
    whole = analysis.analyze

    def failing(media: Any, **options: Any) -> Report:
        if "bad" in str(media):
            raise RuntimeError("a fault of ours")
        return whole(media, **options)

    monkeypatch.setattr(analysis, "analyze", failing)
    out = tmp_path / "reports"
    command = ["analyze", str(bad), str(good), "--detectors", "freeze", "--json", str(out)]
    assert main(command) == 70
    assert sorted(p.name for p in out.iterdir()) == ["good.mp4.json", "index.html"]
    stderr = capsys.readouterr().err
    assert "error[internal_error]: bad.mp4" in stderr
    (diagnosis,) = tmp_path.glob("defectscope-diagnosis-*.txt")
    assert "a fault of ours" in diagnosis.read_text()


def test_rates_are_taken_to_the_standard_they_were_rounded_from() -> None:
    assert snap(Fraction(19001, 317)) == Fraction(60000, 1001)
    assert snap(Fraction(2997, 100)) == Fraction(30000, 1001)
    assert snap(Fraction(24)) == 24
    assert snap(Fraction(2994, 100)) == Fraction(2994, 100)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(60000, 1001)])
def test_drop_frame_labels_of_a_day_follow_the_standard(rate: Fraction) -> None:
    per_second, dropped = (30, 2) if rate < 31 else (60, 4)
    zero, frame = Timecode.zero(rate), 0
    for minute in range(24 * 60):
        first = dropped if minute % 10 else 0
        label = f"{minute // 60:02d}:{minute % 60:02d}:00;{first:02d}"
        assert str(zero + frame) == label
        frame += 60 * per_second - first
    assert str(zero + frame) == "00:00:00;00"
    assert str(zero + (frame - 1)) == f"23:59:59;{per_second - 1:02d}"


def test_clocks_wrap_silently_and_tracks_cross_together() -> None:
    clock = ProgrammeClock("mpegts")
    wrap = Fraction(2**33, 90_000)
    assert clock.place(0, Fraction(10), None).shift_s == 0
    around = clock.place(0, Fraction(1, 25) + 10 - wrap, Fraction(10) + Fraction(1, 25))
    assert (around.shift_s, around.jump_s) == (wrap, 0)
    back = clock.place(0, 1 - wrap, Fraction(11))
    assert back.jump_s == pytest.approx(-10, abs=0.5)
    clock.place(1, Fraction(10), None)
    with_it = clock.place(1, 1 - wrap + Fraction(1, 100), Fraction(11))
    assert with_it.crossed
    assert with_it.jump_s == 0
    assert with_it.shift_s == back.shift_s


@pytest.mark.parametrize(
    ("codec", "container", "layout"),
    [
        ("aac", "latm", "stereo"),
        ("wavpack", "wv", "stereo"),
    ],
)
def test_sound_without_a_container_is_analyzed(
    tmp_path: Path, codec: str, container: str, layout: str
) -> None:
    path = tmp_path / f"sound.{container}"
    draw = np.random.default_rng(3)
    with av.open(str(path), "w", format=container) as out:
        # FFmpeg calls some of these encoders experimental.
        stream: Any = out.add_stream(codec, rate=RATE_HZ, layout=layout, options={"strict": "-2"})
        fifo = av.AudioFifo()
        channels = stream.codec_context.layout.nb_channels
        noise = draw.normal(0, 3000, (channels, 2 * RATE_HZ)).astype(np.int16)
        noise[:, RATE_HZ : RATE_HZ + RATE_HZ // 2] = 0
        frame = av.AudioFrame.from_ndarray(noise, format="s16p", layout=layout)
        frame.sample_rate = RATE_HZ
        frame.pts = 0
        resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout)
        for converted in resampler.resample(frame):
            fifo.write(converted)
        stream.codec_context.open()
        while part := fifo.read(stream.codec_context.frame_size or 1024, partial=True):
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    report = analyze(path, detectors=["audio_dropout"])
    assert report.tracks[0]["judged"]
    (found,) = report.findings
    assert found.start_s == pytest.approx(1.0, abs=0.1)
    assert found.end_s == pytest.approx(1.5, abs=0.1)


def test_programmes_are_read_from_their_maps() -> None:
    def packet(pid: int, section: bytes) -> bytes:
        head = bytes([0x47, 0x40 | pid >> 8, pid & 0xFF, 0x10, 0])
        return (head + section).ljust(188, b"\xff")

    def sectioned(table: int, number: int, body: bytes) -> bytes:
        rest = number.to_bytes(2, "big") + b"\xc1\0\0" + body + b"\0\0\0\0"
        return bytes([table]) + (0xB000 | len(rest)).to_bytes(2, "big") + rest

    def stream_of(pid: int) -> bytes:
        return bytes([0x1B]) + (0xE000 | pid).to_bytes(2, "big") + b"\xf0\0"

    pat = sectioned(0, 1, b"".join(
        n.to_bytes(2, "big") + (0xE000 | 0x100 * n).to_bytes(2, "big") for n in (1, 2)
    ))  # fmt: skip
    maps = [
        packet(0x100 * n, sectioned(2, n, b"\xe1\0\xf0\0" + stream_of(0x100 * n + 1)))
        for n in (1, 2)
    ]
    head = b"".join([packet(0, pat), *maps]) + packet(0x1FFF, b"") * 4
    assert programmes(head) == {1: frozenset({0x101}), 2: frozenset({0x201})}
    assert programmes(b"RIFF" + bytes(4000)) == {}


@pytest.mark.parametrize(("detector", "unseen"), [("freeze", "audio"), ("loudness", "video")])
def test_a_track_that_no_detector_asks_for_is_not_called_broken(
    detector: str, unseen: str, tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    write(path)
    for track in analyze(path, detectors=[detector]).tracks:
        asked = track["medium"] != unseen
        assert track["judged"] == asked
        assert track["reason"] == ("" if asked else NOT_ASKED)


def test_nothing_is_looked_at_where_no_detector_applies(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    write(path, codec=None, sounds=(("pcm_s16le", "stereo"),))
    report = analyze(path, detectors=["freeze"])
    assert report.verdicts["freeze"]["verdict"] == "not_applicable"
    assert [track["judged"] for track in report.tracks] == [False]


def test_sound_without_channels_is_refused_by_its_reason() -> None:
    # A Sun audio file: 32 bytes of header, 16 bit, 48 kHz, more channels than FFmpeg lays out.
    numbers = (32, 106_496, 3, RATE_HZ, 16_386, 0, 0)
    data = b".snd" + b"".join(n.to_bytes(4, "big") for n in numbers) + bytes(106_496)
    with pytest.raises(UnreadableMediaError, match="no channels"):
        analyze(data, detectors=["stream_integrity"])


@pytest.mark.parametrize("rate_hz", [2, 1_007_045])
def test_a_sample_rate_that_no_recorder_has_is_refused(rate_hz: int) -> None:
    numbers = (24, 96_000, 3, rate_hz, 2)
    data = b".snd" + b"".join(n.to_bytes(4, "big") for n in numbers) + bytes(96_000)
    with pytest.raises(UnreadableMediaError, match=f"a sample rate of {rate_hz} Hz"):
        analyze(data, detectors=["loudness", "audio_dropout"])


def test_a_start_beyond_all_instants_is_after_the_end(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write(path)
    report = analyze(path, detectors=["freeze"], start_s=1e300)
    assert not report.findings
    assert report.verdicts["freeze"]["verdict"] == "not_judged"


@pytest.mark.parametrize("frames_out_of_order", [0, 3])
def test_a_screen_at_rest_is_no_gap_where_the_container_says_how_long_it_stays(
    tmp_path: Path, frames_out_of_order: int
) -> None:
    path = tmp_path / "rest.mp4"
    draw = np.random.default_rng(3)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("libx264", rate=30, options={"bf": str(frames_out_of_order)})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        now = 0
        for number in range(60):
            planes = np.full((144, 160), 128, np.uint8)
            planes[:96] = draw.integers(30, 200, (96, 160))
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = now, Fraction(1, 1000)
            now += 2500 if number in (20, 40) else 33
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    report = analyze(path, detectors=["stream_integrity"])
    assert report.findings == ()
    assert report.asset["video"]["variable_frame_rate"]
    assert report.tracks[0]["decoded_s"] == pytest.approx(now / 1000, abs=0.1)
