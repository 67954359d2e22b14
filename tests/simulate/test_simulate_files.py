"""Files in, files and truth out: through the function and through the command line."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from defectscope.cli import simulate as command
from defectscope.errors import InvalidParameterError, MediaError, UnknownDetectorError
from defectscope.media import open_media
from defectscope.media.cues import Cue
from defectscope.media.frames import Frame, Samples
from defectscope.media.packets import read_packets
from defectscope.media.writer import AudioEncoding, VideoEncoding, write_clip
from defectscope.simulate.effects.caption_text import caption_bytes
from defectscope.simulate.registry import simulators
from defectscope.simulate.run import impair_file, job, simulate_file, stream_of
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "clip.mkv"
    write_clip(
        path,
        frames=Footage(seed=8, width=128, height=80, frames=75),
        runs=runs_of(music_like(3, 3.0)),
        video=VideoEncoding(128, 80, Fraction(25), crf=14),
        audio=AudioEncoding(codec="pcm_s24le"),
    )
    return path


def read(path):
    with open_media(path) as reader:
        found = list(reader.read())
    frames = [np.array(i.planes[0].pixels) for i in found if isinstance(i, Frame)]
    sound = np.concatenate([i.data for i in found if isinstance(i, Samples)])
    return frames, sound


def data_of(path, medium):
    return [p.data for p in read_packets(path) if p.medium == medium]


def test_a_defect_of_frames_leaves_the_sound_untouched(clip, tmp_path):
    target = tmp_path / "black.mkv"
    [entry] = simulate_file("black_frames", clip, target, seed=1, start_s=1.0, duration_s=0.8,
                            severity=5)  # fmt: skip
    assert (entry.start_s, entry.end_s) == (1.0, 1.8)
    assert data_of(target, "audio") == data_of(clip, "audio")
    frames, _ = read(target)
    dark = [i for i, luma in enumerate(frames) if luma.mean() < 18]
    assert dark == list(range(25, 45))


def test_a_defect_of_sound_leaves_the_frames_untouched(clip, tmp_path):
    target = tmp_path / "dropout.mkv"
    [entry] = simulate_file(
        "audio_dropout", clip, target, start_s=1.0, duration_s=0.5,
        overrides={"channel": -1, "depth_db": 200, "ramp_ms": 0},
    )  # fmt: skip
    assert data_of(target, "video") == data_of(clip, "video")
    _, sound = read(target)
    before = read(clip)[1]
    assert (sound[48000:72000] == 0).all()
    np.testing.assert_allclose(sound[:48000], before[:48000], atol=1e-6)
    assert (entry.start_s, entry.end_s) == (1.0, 1.5)


def test_several_defects_go_into_one_file(clip, tmp_path):
    target = tmp_path / "both.mkv"
    stream = stream_of(clip)
    jobs = [
        job("freeze", stream, seed=1, start_s=2.0, duration_s=0.6, severity=5),
        job("black_frames", stream, seed=1, start_s=0.4, duration_s=0.4, severity=5),
        job("channel_missing", stream, seed=1, start_s=1.0, duration_s=1.0, severity=5),
    ]
    truth = impair_file(clip, target, jobs)
    assert [(t.defect, t.start_s) for t in truth] == [
        ("black_frames", 0.4),
        ("channel_missing", 1.0),
        ("freeze", 2.0),
    ]
    frames, _ = read(target)
    assert frames[12].mean() < 18
    assert np.abs(frames[60].astype(int) - frames[50]).mean() < 1


def test_transport_streams_that_start_late_stay_in_step(clip, tmp_path):
    source, target = tmp_path / "late.ts", tmp_path / "out.mkv"
    encoding = VideoEncoding(128, 80, Fraction(25))
    write_clip(source, frames=Footage(seed=8, width=128, height=80, frames=75),
               runs=runs_of(music_like(3, 3.0)), video=encoding, audio=AudioEncoding())  # fmt: skip
    with open_media(source) as reader:
        assert reader.info.video_start_s > 0
        before_s = reader.info.audio_start_s
    simulate_file("freeze", source, target, start_s=1.0, duration_s=0.5)
    with open_media(target) as reader:
        assert reader.info.audio_start_s == pytest.approx(before_s, abs=0.002)


def test_truth_is_written_beside_the_file(clip, tmp_path):
    target = tmp_path / "frozen.mkv"
    truth = simulate_file("freeze", clip, target, seed=7, start_s=1.0, duration_s=1.0)
    body = json.loads((tmp_path / "frozen.mkv.truth.json").read_text(encoding="utf-8"))
    assert body == {"defects": [entry.to_dict() for entry in truth]}


def test_progress_grows_to_one(clip, tmp_path):
    shares: list[float] = []
    simulate_file("black_frames", clip, tmp_path / "out.mkv", progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 50


def test_captions_may_change_their_format(tmp_path):
    source, target = tmp_path / "film.srt", tmp_path / "film.vtt"
    cues = [Cue(2.0 * k, 2.0 * k + 1.5, ("a line",)) for k in range(10)]
    source.write_bytes(caption_bytes(cues, "srt"))
    truth = simulate_file("caption_drift", source, target, start_s=4.0, duration_s=8.0,
                          overrides={"offset_ms": 500, "drift_ms_per_min": 0})  # fmt: skip
    assert target.read_text(encoding="utf-8").startswith("WEBVTT")
    assert truth[0].start_s == pytest.approx(4.5)


def test_wrong_requests_leave_nothing_behind(clip, tmp_path):
    target = tmp_path / "out.mkv"
    with pytest.raises(UnknownDetectorError):
        simulate_file("greyness", clip, target)
    with pytest.raises(InvalidParameterError, match="over its source"):
        simulate_file("freeze", clip, clip)
    with pytest.raises(InvalidParameterError):
        simulate_file("freeze", clip, tmp_path / "no such folder" / "out.mkv")
    with pytest.raises(InvalidParameterError, match="4 of 2 channels"):
        simulate_file("audio_dropout", clip, target, overrides={"channel": 4})
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(MediaError):
        simulate_file("freeze", tmp_path / "text.mp4", target)
    assert not target.exists()
    assert len(data_of(clip, "video")) == 75


def parse(*arguments):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["simulate", *arguments])


def test_the_command_writes_and_says_what_it_did(clip, tmp_path, capsys):
    target = tmp_path / "out.mkv"
    args = parse("freeze", str(clip), str(target), "--at", "1", "--duration", "0.8", "--seed", "3",
                 "--severity", "5", "--set", "noise_code=0")  # fmt: skip
    assert args.run(args) == 0
    out = capsys.readouterr().out
    assert "freeze  1.000 s to 1.800 s" in out
    assert "out.mkv.truth.json" in out
    assert target.exists()


def test_settings_must_be_pairs():
    with pytest.raises(InvalidParameterError, match="PARAMETER=VALUE"):
        command.settings(["noise_code"])
    assert command.settings(["a=b=c"]) == {"a": "b=c"}


def test_help_teaches_every_defect(capsys):
    with pytest.raises(SystemExit) as done:
        parse("--help")
    assert done.value.code == 0
    text = capsys.readouterr().out
    for name, made in simulators().items():
        assert name in text
        assert made.summary in text


@pytest.mark.parametrize("name", list(simulators()))
def test_help_of_a_defect_lists_its_parameters(name, capsys):
    with pytest.raises(SystemExit):
        parse(name, "--help")
    text = capsys.readouterr().out
    for field in simulators()[name].params.__dataclass_fields__:
        assert f"  {field}=" in text


def test_parsing_loads_no_heavy_package():
    code = (
        "import argparse, sys; from defectscope.cli import simulate\n"
        "simulate.add_parser(argparse.ArgumentParser().add_subparsers())\n"
        "print({'numpy', 'av', 'scipy', 'rich'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"
