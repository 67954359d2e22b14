"""Media through a pipe gives what the file gives, whatever the container; covers are no video."""

from __future__ import annotations

import json
import os
import threading
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


@pytest.mark.parametrize(("suffix", "sound"), [("mp3", "libmp3lame"), ("flac", "flac")])
def test_a_cover_is_named_and_is_no_frame(tmp_path: Path, suffix: str, sound: str) -> None:
    path = tmp_path / f"song.{suffix}"
    with av.open(str(path), "w") as out:
        heard: Any = out.add_stream(sound, rate=RATE_HZ, layout="stereo")
        cover: Any = out.add_stream("png", width=64, height=64, pix_fmt="rgb24")
        cover.disposition = av.stream.Disposition.attached_pic
        image = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 80, np.uint8), "rgb24")
        image.pts = 0
        out.mux(cover.encode(image))
        out.mux(cover.encode(None))
        noise = np.random.default_rng(1).normal(0, 0.1, (2, RATE_HZ)).astype(np.float32)
        for start in range(0, RATE_HZ, 1024):
            run = np.ascontiguousarray(noise[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(run, "fltp", "stereo")
            frame.sample_rate, frame.pts = RATE_HZ, start
            out.mux(heard.encode(frame))
        out.mux(heard.encode(None))
    report = analyze(path, detectors=LOOKED)
    assert kinds(report) == []
    assert "video" not in report.asset
    assert [track["reason"] for track in report.tracks] == ["", "a cover picture"]
    assert report.verdicts["black_frames"]["verdict"] == "not_applicable"
