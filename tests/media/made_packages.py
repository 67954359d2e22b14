"""Packages of HLS and DASH as FFmpeg makes them: four seconds whose grey says which frame it is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from defectscope.media.scheduling import scheduling_kept

FPS, FRAMES, RATE_HZ = 25, 100, 48000
_OPTIONS = {"libx264": {"crf": "4"}, "libsvtav1": {"crf": "4", "preset": "10"}}
HLS = {"hls_time": "1", "hls_list_size": "0"}


def made(
    path: Path,
    container: str,
    options: dict[str, str],
    *,
    size: tuple[int, int] = (64, 48),
    video: bool = True,
    audio: bool = True,
    codec: str = "libx264",
) -> Path:
    """Four seconds whose grey says which frame it is, and a tone, as FFmpeg packages them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with scheduling_kept(), av.open(str(path), "w", format=container, options=options) as out:
        pictures = sound = None
        if video:
            pictures = out.add_stream(codec, rate=FPS, options={**_OPTIONS[codec], "g": "25"})
            pictures.width, pictures.height = size
            pictures.pix_fmt = "yuv420p"
        if audio:
            sound = out.add_stream("aac", rate=RATE_HZ, layout="stereo")
        for index in range(FRAMES if pictures else 0):
            assert pictures is not None
            grey = np.full((size[1] * 3 // 2, size[0]), 128, np.uint8)
            grey[: size[1]] = 40 + 2 * index
            frame = av.VideoFrame.from_ndarray(grey, "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            for packet in pictures.encode(frame):
                out.mux(packet)
        if pictures is not None:
            for packet in pictures.encode():
                out.mux(packet)
        for start in range(0, FRAMES * RATE_HZ // FPS if sound else 0, 1024):
            assert sound is not None
            wave = 0.1 * np.sin(2 * np.pi * 440 * (start + np.arange(1024)) / RATE_HZ)
            both = np.stack([wave, wave]).astype(np.float32)
            run = av.AudioFrame.from_ndarray(both, "fltp", layout="stereo")
            run.sample_rate, run.pts, run.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
            for packet in sound.encode(run):
                out.mux(packet)
        if sound is not None:
            for packet in sound.encode():
                out.mux(packet)
    return path
