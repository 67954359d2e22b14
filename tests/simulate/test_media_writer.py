"""What is written is what is read: time stamps, frames, sound, GOPs, copies."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from defectscope.errors import InvalidParameterError, UnreadableMediaError
from defectscope.media import open_media
from defectscope.media.frames import Frame, Samples
from defectscope.media.packets import read_packets
from defectscope.media.writer import AudioEncoding, VideoEncoding, Writer, write_clip
from defectscope.simulate.synthetic.material import Footage
from defectscope.simulate.synthetic.soundscape import music_like, room_tone, runs_of

RATE = Fraction(25)
W, H = 96, 64


def frames_of(path):
    with open_media(path) as reader:
        video = reader.info.video
        return [
            (frame.pts * video.time_base, np.array(frame.planes[0].pixels), frame.key)
            for frame in reader.read(audio=False)
            if isinstance(frame, Frame)
        ]


def sound_of(path):
    with open_media(path) as reader:
        runs = [run for run in reader.read(video=False) if isinstance(run, Samples)]
    return runs[0].start, np.concatenate([run.data for run in runs])


def footage(count=30, **changes):
    return Footage(seed=3, width=W, height=H, frames=count, **changes)


@pytest.mark.parametrize(
    ("suffix", "codec", "more"),
    [
        (".mp4", "libx264", {"crf": 10.0}),
        (".mkv", "libx265", {"crf": 10.0}),
        (".ts", "libx264", {"crf": 10.0}),
        (".ts", "mpeg2video", {"crf": None, "bit_rate": 6_000_000}),
        (".avi", "mpeg4", {"crf": None, "bit_rate": 6_000_000}),
        (".mkv", "ffv1", {"crf": None}),
    ],
)
def test_frames_and_times_survive(suffix, codec, more, tmp_path):
    path = tmp_path / f"clip{suffix}"
    write_clip(path, frames=footage(), video=VideoEncoding(W, H, RATE, codec=codec, **more))
    read = frames_of(path)
    assert [float(t) for t, _, _ in read] == pytest.approx([k / 25 for k in range(30)], abs=1e-3)
    for (_, luma, _), frame in zip(read, footage(), strict=True):
        wanted = frame.planes[0].pixels.astype(float)
        error = np.abs(luma - wanted).mean()
        assert error == 0 if codec == "ffv1" else error < 4


def test_ten_bits_survive(tmp_path):
    path = tmp_path / "deep.mkv"
    deep = footage(10, bit_depth=10)
    encoding = VideoEncoding(W, H, RATE, codec="ffv1", crf=None, pixel_format="yuv420p10le")
    write_clip(path, frames=deep, video=encoding)
    for (_, luma, _), frame in zip(frames_of(path), deep, strict=True):
        np.testing.assert_array_equal(luma, frame.planes[0].pixels)


def test_variable_rates_keep_every_time_stamp(tmp_path):
    path = tmp_path / "vfr.mp4"
    stamps = [0, 40, 73, 140, 141, 300, 333, 500, 700, 720]
    encoding = VideoEncoding(W, H, RATE, time_base=Fraction(1, 1000), b_frames=2)
    frames = [
        Frame(pts=at, duration=0, planes=frame.planes, bit_depth=8)
        for at, frame in zip(stamps, footage(10), strict=True)
    ]
    write_clip(path, frames=frames, video=encoding)
    assert [t for t, _, _ in frames_of(path)] == [Fraction(at, 1000) for at in stamps]


def test_groups_of_frames_are_as_long_as_asked(tmp_path):
    path = tmp_path / "gop.mp4"
    cuts = footage(48, cuts_s=(0.52, 1.1))
    write_clip(path, frames=cuts, video=VideoEncoding(W, H, RATE, gop_frames=12, b_frames=2))
    assert [i for i, (_, _, key) in enumerate(frames_of(path)) if key] == [0, 12, 24, 36]


def test_open_groups_are_open(tmp_path):
    orders = {}
    for open_gop in (False, True):
        path = tmp_path / f"open{open_gop}.mp4"
        encoding = VideoEncoding(W, H, RATE, gop_frames=12, b_frames=3, open_gop=open_gop)
        write_clip(path, frames=footage(48), video=encoding)
        packets = [p for p in read_packets(path) if p.medium == "video"]
        leading = 0
        for index, packet in enumerate(packets):
            if packet.key and index:
                leading += any(later.pts < packet.pts for later in packets[index:])
        orders[open_gop] = leading
    assert orders[False] == 0
    assert orders[True] > 0


@pytest.mark.parametrize("codec", ["pcm_s24le", "flac", "aac"])
def test_sound_survives(codec, tmp_path):
    path = tmp_path / "sound.mkv"
    # Noise lines up with itself in one place only.
    sound = room_tone(1, 1.0, level_dbfs=-20.0)
    write_clip(path, runs=runs_of(sound, 1000), audio=AudioEncoding(codec=codec))
    start, read = sound_of(path)
    if codec == "aac":
        # The encoder's delay is cut off or lies before t = 0; the music lines up.
        lag = np.argmax(np.correlate(read[:20000, 0], sound[4000:12000, 0], "valid")) - 4000
        assert abs(lag + start) <= 1024
    else:
        assert start == 0
        limit = 2**-15 if codec == "flac" else 2**-22
        np.testing.assert_allclose(read, sound, atol=limit)


def test_six_channels_keep_their_places(tmp_path):
    path = tmp_path / "surround.mkv"
    sound = np.zeros((4800, 6), np.float32)
    sound[:] = np.arange(1, 7) / 10
    write_clip(path, runs=runs_of(sound), audio=AudioEncoding(layout="5.1", codec="pcm_s24le"))
    _, read = sound_of(path)
    np.testing.assert_allclose(read.mean(axis=0), np.arange(1, 7) / 10, atol=1e-4)


def test_gaps_between_runs_become_silence_and_overlaps_go(tmp_path):
    path = tmp_path / "gap.mkv"
    ones = np.full((1000, 1), 0.5, np.float32)
    runs = [Samples(0, ones), Samples(1500, ones), Samples(2300, ones), Samples(2400, ones[:100])]
    write_clip(path, runs=runs, audio=AudioEncoding(layout="mono", codec="pcm_s24le"))
    _, read = sound_of(path)
    assert len(read) == 3300
    assert (read[1000:1500] == 0).all()
    np.testing.assert_allclose(np.delete(read, np.s_[1000:1500]), 0.5, atol=1e-4)


def test_copies_go_along_untouched_and_shifted(tmp_path):
    source, copy = tmp_path / "source.mp4", tmp_path / "copy.mp4"
    write_clip(
        source,
        frames=footage(50),
        runs=runs_of(music_like(1, 2.0)),
        video=VideoEncoding(W, H, RATE),
        audio=AudioEncoding(),
    )
    with Writer(copy, video=VideoEncoding(W, H, RATE)) as writer:
        writer.copy_from(source, "audio", shift_s=0.25)
        for frame in footage(50):
            writer.write_frame(frame)
    before = [p for p in read_packets(source) if p.medium == "audio"]
    after = [p for p in read_packets(copy) if p.medium == "audio"]
    assert [p.data for p in after] == [p.data for p in before]
    assert after[5].time_s - before[5].time_s == pytest.approx(0.25, abs=1e-3)
    media = [p.medium for p in read_packets(copy)]
    assert "audio" in media[:20]
    assert "audio" in media[-20:]


def test_rotation_is_written_as_the_reader_tells_it(tmp_path):
    path = tmp_path / "turned.mp4"
    write_clip(path, frames=footage(5), video=VideoEncoding(W, H, RATE, rotation_deg=90))
    with open_media(path) as reader:
        assert reader.info.video.rotation_deg == 90
        assert VideoEncoding.like(reader.info.video).rotation_deg == 90


def test_full_range_is_said(tmp_path):
    path = tmp_path / "full.mp4"
    write_clip(path, frames=footage(5), video=VideoEncoding(W, H, RATE, full_range=True))
    with open_media(path) as reader:
        assert reader.info.video.full_range


@pytest.mark.parametrize(
    ("name", "video", "audio"),
    [
        ("clip.mp4", VideoEncoding(W, H, RATE, codec="no_such_codec"), None),
        ("clip.nope", VideoEncoding(W, H, RATE), None),
        ("clip.mp4", None, AudioEncoding(layout="no such layout")),
    ],
)
def test_impossible_encodings_are_refused(name, video, audio, tmp_path):
    with pytest.raises(InvalidParameterError):
        Writer(tmp_path / name, video=video, audio=audio)


def test_frames_that_do_not_fit_are_refused(tmp_path):
    with (
        pytest.raises(InvalidParameterError, match="a plane of 96x64"),
        Writer(tmp_path / "clip.mp4", video=VideoEncoding(128, 64, RATE)) as writer,
    ):
        writer.write_frame(next(iter(footage())))
    with (
        pytest.raises(InvalidParameterError, match="without sound"),
        Writer(tmp_path / "clip.mp4", video=VideoEncoding(W, H, RATE)) as writer,
    ):
        writer.write_samples(Samples(0, np.zeros((10, 2), np.float32)))


def test_nothing_to_copy_is_an_error(tmp_path):
    source = tmp_path / "silent.mp4"
    write_clip(source, frames=footage(5), video=VideoEncoding(W, H, RATE))
    with Writer(tmp_path / "copy.mp4", video=VideoEncoding(W, H, RATE)) as writer:
        with pytest.raises(UnreadableMediaError, match="no audio to copy"):
            writer.copy_from(source, "audio")
        for frame in footage(3):
            writer.write_frame(frame)
