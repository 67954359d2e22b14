"""Damaged streams are damaged where the truth says, and still open where they should."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from defectscope.errors import InvalidParameterError
from defectscope.media import open_media
from defectscope.media.frames import DecodeEvent, Frame, Samples
from defectscope.media.packets import read_packets
from defectscope.media.writer import AudioEncoding, VideoEncoding, write_clip
from defectscope.simulate.run import simulate_file
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("streams") / "clip.mp4"
    write_clip(
        path,
        frames=Footage(seed=8, width=128, height=80, frames=100),
        runs=runs_of(music_like(3, 4.0)),
        video=VideoEncoding(128, 80, Fraction(25), gop_frames=25, b_frames=0, crf=8),
        audio=AudioEncoding(),
    )
    return path


def damage(clip, target, **settings):
    return simulate_file(
        "stream_integrity", clip, target, seed=2, start_s=1.2, duration_s=0.4, overrides=settings
    )


def items(path):
    with open_media(path) as reader:
        return list(reader.read())


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_lost_frames_are_missing(suffix, clip, tmp_path):
    target = tmp_path / f"lost{suffix}"
    [entry] = damage(clip, target, kind="lost_video", share=1.0)
    assert sum(p.medium == "video" for p in read_packets(target)) == 90
    assert entry.parameters["packets"] == 10
    assert entry.start_s == pytest.approx(1.2, abs=0.002)
    assert entry.parameters["last_packet_s"] == pytest.approx(1.6, abs=0.002)
    # What refers to them is damaged up to the next key frame.
    assert entry.end_s == pytest.approx(2.0, abs=0.002)


def test_damaged_frames_make_the_decoder_complain(clip, tmp_path):
    target = tmp_path / "noise.mp4"
    [entry] = damage(clip, target, kind="damaged_video", share=1.0, every_bytes=40)
    events = [i for i in items(target) if isinstance(i, DecodeEvent) and i.media == "video"]
    assert events
    complaints = [e for e in events if e.kind in ("corrupt_frame", "decode_error")]
    assert complaints
    assert all(entry.start_s - 0.05 <= e.time_s <= entry.end_s + 0.05 for e in complaints)


def test_lost_sound_leaves_a_gap(clip, tmp_path):
    target = tmp_path / "lost.mp4"
    [entry] = damage(clip, target, kind="lost_audio", share=1.0)
    [gap] = [i for i in items(target) if isinstance(i, DecodeEvent) and i.kind == "audio_gap"]
    assert gap.amount_s == pytest.approx(entry.end_s - entry.start_s, abs=0.03)


@pytest.mark.parametrize("kind", ["video_gap", "audio_gap"])
def test_jumps_move_everything_behind_them(kind, clip, tmp_path):
    target = tmp_path / "jump.mkv"
    [entry] = damage(clip, target, kind=kind, jump_ms=600)
    # A packet's own length around the instant that was asked for.
    assert entry.start_s == pytest.approx(1.2, abs=0.05)
    assert entry.end_s - entry.start_s == pytest.approx(0.6)
    medium = kind.split("_")[0]
    times = sorted(p.time_s for p in read_packets(target) if p.medium == medium)
    steps = [b - a for a, b in itertools.pairwise(times)]
    assert max(steps) == pytest.approx(0.6 + min(steps), abs=0.025)


def test_late_sound_starts_late(clip, tmp_path):
    target = tmp_path / "late.mkv"
    [entry] = damage(clip, target, kind="av_offset", jump_ms=400)
    with open_media(clip) as before, open_media(target) as after:
        late_s = after.info.audio_start_s - before.info.audio_start_s
    assert late_s == pytest.approx(0.4, abs=0.03)
    assert (entry.start_s, entry.end_s) == (0.0, 0.4)


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_a_cut_off_file_opens_and_ends_early(suffix, clip, tmp_path):
    target = tmp_path / f"cut{suffix}"
    [entry] = damage(clip, target, kind="truncated")
    assert target.stat().st_size == entry.parameters["kept_bytes"]
    found = items(target)
    frames = sum(isinstance(i, Frame) for i in found)
    assert 20 <= frames <= 32
    assert any(isinstance(i, Samples) for i in found)


def test_a_span_behind_the_end_is_refused_and_leaves_nothing(clip, tmp_path):
    target = tmp_path / "nothing.mp4"
    with pytest.raises(InvalidParameterError, match="not within"):
        simulate_file("stream_integrity", clip, target, seed=1, start_s=9.0)
    assert not target.exists()
