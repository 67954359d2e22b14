"""Media through a pipe gives what the file gives, whatever the container; covers are no video."""

from __future__ import annotations

import json
import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from made_media import RATE_HZ, kinds, write

from defectscope.analysis import analyze

# Suffix, frame, sound.
KINDS = [
    ("mp4", "libx264", "aac"),
    ("mkv", "libx264", "aac"),
    ("webm", "libvpx", "libopus"),
    ("ts", "libx264", "aac"),
    ("mpg", "mpeg2video", "mp2"),
    ("mxf", "mpeg2video", "pcm_s16le"),
    ("flv", "libx264", "aac"),
    ("wav", None, "pcm_s16le"),
    ("flac", None, "flac"),
    ("mp3", None, "libmp3lame"),
    ("h264", "libx264", None),
    ("m2v", "mpeg2video", None),
    ("hevc", "libx265", None),
    ("ivf", "libvpx", None),
]
LOOKED = ["stream_integrity", "black_frames", "audio_dropout"]


@pytest.mark.parametrize(("suffix", "video", "sound"), KINDS, ids=[kind[0] for kind in KINDS])
def test_a_pipe_gives_what_the_file_gives(
    tmp_path: Path, suffix: str, video: str | None, sound: str | None
) -> None:
    path, pipe = tmp_path / f"clip.{suffix}", tmp_path / "pipe"
    sounds = ((sound, "stereo"),) if sound else ()
    write(path, seconds=1.2, codec=video, sounds=sounds, black_s=(0.5, 0.9))
    os.mkfifo(pipe)
    sender = threading.Thread(target=lambda: pipe.write_bytes(path.read_bytes()))
    sender.start()
    piped, whole = analyze(str(pipe), detectors=LOOKED), analyze(path, detectors=LOOKED)
    sender.join()
    assert json.loads(piped.to_json())["findings"] == json.loads(whole.to_json())["findings"]
    assert piped.tracks == whole.tracks
    assert all(track["judged"] for track in whole.tracks)
    assert len([f for f in whole.findings if f.defect == "black_frames"]) == (video is not None)


# Suffix, sound, and whether a moving video is there as well.
COVERED = [
    ("mp3", "libmp3lame", False),
    ("flac", "flac", False),
    ("m4a", "aac", False),
    ("mp4", "aac", True),
    ("mka", "libopus", False),
    ("mkv", "aac", True),
]


@pytest.mark.parametrize(("suffix", "sound", "moving"), COVERED, ids=[c[0] for c in COVERED])
def test_a_cover_is_named_and_is_no_frame(
    tmp_path: Path, suffix: str, sound: str, moving: bool
) -> None:
    path = tmp_path / f"song.{suffix}"
    image = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 80, np.uint8), "rgb24")
    image.pts = 0
    attached = suffix in ("mka", "mkv")
    # The muxer of M4A takes no cover; that of MP4 does, which is the same format.
    with av.open(str(path), "w", format="mp4" if suffix == "m4a" else None) as out:
        film: Any = out.add_stream("libx264", rate=25) if moving else None
        if moving:
            film.width, film.height, film.pix_fmt = 160, 96, "yuv420p"
        heard: Any = out.add_stream(sound, rate=RATE_HZ, layout="stereo")
        if attached:
            out.add_attachment("cover.png", "image/png", png_of(image))
        else:
            cover: Any = out.add_stream("png", width=64, height=64, pix_fmt="rgb24")
            cover.disposition = av.stream.Disposition.attached_pic
            out.mux(cover.encode(image))
            out.mux(cover.encode(None))
        draw = np.random.default_rng(1)
        for number in range(25 if moving else 0):
            planes = draw.integers(40, 200, (144, 160), np.uint8)
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(film.encode(frame))
        noise = draw.normal(0, 0.1, (2, RATE_HZ)).astype(np.float32)
        for start in range(0, RATE_HZ, 960):
            run = np.ascontiguousarray(noise[:, start : start + 960])
            frame = av.AudioFrame.from_ndarray(run, "fltp", "stereo")
            frame.sample_rate, frame.pts = RATE_HZ, start
            out.mux(heard.encode(frame))
        for stream in (heard, film) if moving else (heard,):
            out.mux(stream.encode(None))
    report = analyze(path, detectors=LOOKED)
    assert kinds(report) == []
    assert ("video" in report.asset) == moving
    assert [track["reason"] for track in report.tracks] == [*[""] * (1 + moving), "a cover picture"]
    judged = report.verdicts["black_frames"]["verdict"]
    assert judged == ("pass" if moving else "not_applicable")


def png_of(image: av.VideoFrame) -> bytes:
    codec: Any = av.CodecContext.create("png", "w")
    codec.width, codec.height, codec.pix_fmt = 64, 64, "rgb24"
    codec.time_base = Fraction(1, 25)
    return b"".join(bytes(packet) for packet in [*codec.encode(image), *codec.encode(None)])
