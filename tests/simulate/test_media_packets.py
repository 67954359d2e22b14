"""Packets, NAL units and transport streams are read and written without loss."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from defectscope.errors import UnreadableMediaError
from defectscope.media import open_media
from defectscope.media.frames import Frame
from defectscope.media.packets import (
    elementary_stream,
    flip_bytes,
    join_nals,
    read_packets,
    rewrite_packets,
    split_nals,
)
from defectscope.media.roundtrip import Roundtrip
from defectscope.media.transport import TS_PACKET_BYTES, ts_packets, write_transport_stream
from defectscope.media.writer import AudioEncoding, VideoEncoding, write_clip
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, runs_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("packets") / "clip.mp4"
    write_clip(
        path,
        frames=Footage(seed=4, width=96, height=64, frames=50),
        runs=runs_of(music_like(2, 2.0)),
        video=VideoEncoding(96, 64, Fraction(25), gop_frames=10, b_frames=2),
        audio=AudioEncoding(),
    )
    return path


def test_a_codec_that_is_only_decoded_by_that_name_is_copied_and_called_by_its_own(tmp_path):
    # FFmpeg decodes AV1 with `libdav1d` and encodes it with others.
    source, target = tmp_path / "av1.mp4", tmp_path / "copy.mp4"
    frames = Footage(seed=4, width=96, height=64, frames=20)
    encoding = VideoEncoding(96, 64, Fraction(25), codec="libsvtav1", crf=None, bit_rate=200_000)
    write_clip(source, frames=frames, video=encoding)
    # As root, SVT-AV1 makes the thread that opens it a real-time one.
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
    rewrite_packets(source, target, lambda record: (record,))
    before, after = list(read_packets(source)), list(read_packets(target))
    assert [p.data for p in after] == [p.data for p in before]
    assert {p.codec for p in before} == {"av1"}
    with open_media(target) as reader:
        assert reader.info.video is not None
        assert reader.info.video.codec == "av1"
        assert sum(isinstance(item, Frame) for item in reader.read()) == 20


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_rewriting_keeps_every_packet(suffix, clip, tmp_path):
    target = tmp_path / f"copy{suffix}"
    rewrite_packets(clip, target, lambda record: (record,))
    for medium in ("video", "audio"):
        before = [p for p in read_packets(clip) if p.medium == medium]
        after = [p for p in read_packets(target) if p.medium == medium]
        assert len(after) == len(before)
        steps = np.diff(sorted(p.time_s for p in after))
        # Matroska rounds to 1 ms, and an MP4's edit list hides the codec's delay.
        np.testing.assert_allclose(steps, np.diff(sorted(p.time_s for p in before)), atol=0.0021)


def test_matroska_with_frames_out_of_order_is_copied_whole(tmp_path):
    source, target = tmp_path / "source.mkv", tmp_path / "copy.mp4"
    frames = Footage(seed=4, width=96, height=64, frames=30)
    encoding = VideoEncoding(96, 64, Fraction(25), gop_frames=15, b_frames=3)
    write_clip(source, frames=frames, video=encoding)
    assert any(p.dts is None for p in read_packets(source))
    rewrite_packets(source, target, lambda record: (record,))
    assert len(list(read_packets(target))) == 30
    with open_media(target) as reader:
        frames = [f for f in reader.read(audio=False) if isinstance(f, Frame)]
        times = [f.pts * reader.info.video.time_base for f in frames]
    assert [float(t) for t in times] == pytest.approx([k / 25 for k in range(30)], abs=1e-3)


def test_packets_can_be_dropped_and_altered(clip, tmp_path):
    target = tmp_path / "less.mp4"
    seen = []

    def alter(record):
        seen.append(record.position)
        if record.medium == "audio":
            return ()
        return (replace(record, data=record.data),)

    rewrite_packets(clip, target, alter)
    assert {p.medium for p in read_packets(target)} == {"video"}
    assert all(position is not None for position in seen)


def test_units_split_and_join_again(clip):
    codec, packets = elementary_stream(clip)
    assert codec == "h264"
    kinds = [unit.kind for unit in split_nals(packets[0].data, "h264")]
    assert {7, 8, 5} <= set(kinds)  # parameter sets and an IDR slice
    for packet in packets:
        units = split_nals(packet.data, "h264")
        assert split_nals(join_nals(units), "h264") == units
        assert sum(unit.is_slice for unit in units) >= 1
        assert any(unit.is_random_access for unit in units) == (5 in {u.kind for u in units})
    stored = [p for p in read_packets(clip) if p.medium == "video"]
    for packet in stored:
        units = split_nals(packet.data, "h264", "length")
        assert join_nals(units, "length") == packet.data


def test_units_of_hevc_have_their_kinds(tmp_path):
    path = tmp_path / "clip.mkv"
    frames = Footage(seed=4, width=96, height=64, frames=12)
    write_clip(path, frames=frames, video=VideoEncoding(96, 64, Fraction(25), codec="libx265"))
    codec, packets = elementary_stream(path)
    assert codec == "hevc"
    kinds = {unit.kind for unit in split_nals(packets[0].data, "hevc")}
    assert {32, 33, 34} <= kinds  # video, sequence and frame parameter sets
    assert any(unit.is_random_access for unit in split_nals(packets[0].data, "hevc"))


def test_start_codes_of_both_lengths_are_found():
    data = b"\x00\x00\x00\x01\x67ab\x00\x00\x01\x68c\x00\x00\x00\x01\x65def"
    assert [unit.data for unit in split_nals(data, "h264")] == [b"gab", b"hc", b"edef"]
    assert split_nals(b"no start code", "h264") == []
    assert split_nals(b"", "h264") == []


def test_bytes_flip_at_their_rate_and_spare_the_head():
    data = bytes(200_000)
    noisy = flip_bytes(data, np.random.default_rng(1), 100, keep_bytes=5000)
    changed = np.frombuffer(noisy, np.uint8) != 0
    assert len(noisy) == len(data)
    assert not changed[:5000].any()
    assert changed.sum() == pytest.approx(1950, rel=0.1)
    assert noisy == flip_bytes(data, np.random.default_rng(1), 100, keep_bytes=5000)
    assert flip_bytes(b"abc", np.random.default_rng(1), 1, keep_bytes=3) == b"abc"


def test_transport_streams_fall_into_packets(clip, tmp_path):
    path = tmp_path / "clip.ts"
    pids = write_transport_stream(clip, path)
    data = path.read_bytes()
    packets = ts_packets(data)
    assert b"".join(p.data for p in packets) == data
    assert all(len(p.data) == TS_PACKET_BYTES for p in packets)
    assert {pids["video"], pids["audio"]} <= {p.pid for p in packets}
    assert sum(p.starts_unit and p.pid == pids["video"] for p in packets) == 50
    lost = [p for p in packets if p.pid != pids["audio"]]
    path.write_bytes(b"".join(p.data for p in lost))
    with open_media(path) as reader:
        assert sum(isinstance(i, Frame) for i in reader.read(audio=False)) == 50


@pytest.mark.parametrize("content", [b"", b"G", b"not a stream" * 50])
def test_other_files_are_refused(content, tmp_path):
    path = tmp_path / "file.bin"
    path.write_bytes(content)
    with pytest.raises(UnreadableMediaError):
        list(read_packets(path))
    with pytest.raises(UnreadableMediaError):
        ts_packets(content)


@pytest.mark.parametrize("codec", ["libx264", "libx265", "mpeg2video", "mpeg4", "mjpeg"])
def test_a_round_trip_keeps_number_order_and_times(codec):
    frames = list(Footage(seed=4, width=96, height=64, frames=14))
    trip = Roundtrip(96, 64, Fraction(25), codec=codec, quantizer=4)
    out = [done for frame in frames for done in trip.push(frame)] + trip.flush()
    assert [f.pts for f in out] == [f.pts for f in frames]
    for a, b in zip(frames, out, strict=True):
        assert np.abs(a.planes[0].pixels.astype(int) - b.planes[0].pixels).mean() < 4
