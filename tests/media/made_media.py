"""Media that tests make themselves: moving texture and noise, as many tracks as are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from defectscope.findings import Report

RATE_HZ = 48_000
SEEN = ["stream_integrity", "black_frames", "audio_dropout", "stereo_image"]


def write(
    path: Path,
    *,
    seconds: float = 3.0,
    codec: str | None = "libx264",
    rate: Fraction = Fraction(25),
    black_s: tuple[float, float] = (-1.0, -1.0),
    sounds: tuple[tuple[str, str], ...] = (("aac", "stereo"),),
    second_video: bool = False,
    format: str | None = None,
    rate_hz: int = RATE_HZ,
    start_s: int = 0,
    holes_s: Mapping[int, tuple[float, float]] | None = None,
) -> None:
    """Writes moving texture and noise, one track for each sound; `holes_s` silences some."""
    draw = np.random.default_rng(7)
    texture = np.sort(draw.integers(40, 200, (400, 125, 4), np.uint8)).reshape(400, 500)
    with av.open(str(path), "w", format=format) as out:
        videos: list[Any] = []
        for _ in range((codec is not None) + second_video):
            stream: Any = out.add_stream(codec or "libx264", rate=rate)
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            stream.codec_context.gop_size, stream.codec_context.thread_count = 25, 1
            videos.append(stream)
        tracks: list[Any] = []
        for name, layout in sounds:
            tracks.append(out.add_stream(name, rate=rate_hz, layout=layout))
        frames = round(seconds * rate)
        for number in range(frames):
            planes = np.full((144, 160), 128, np.uint8)
            planes[:96] = texture[number : number + 96, 3 * number % 300 :][:, :160]
            if black_s[0] <= number / rate < black_s[1]:
                planes[:96] = 16
            for stream in videos:
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.time_base = number + round(start_s * rate), 1 / rate
                out.mux(stream.encode(frame))
        for number, stream in enumerate(tracks):
            channels = stream.codec_context.layout.nb_channels
            noise = draw.normal(0, 0.1, (channels, round(seconds * rate_hz))).astype(np.float32)
            from_s, to_s = (holes_s or {}).get(number, (0.0, 0.0))
            noise[:, round(from_s * rate_hz) : round(to_s * rate_hz)] = 0.0
            # Each channel of its own, so that none is a copy of another.
            for start in range(0, noise.shape[1], 1024):
                run = np.ascontiguousarray(noise[:, start : start + 1024])
                layout = stream.codec_context.layout.name
                sound = av.AudioFrame.from_ndarray(run, format="fltp", layout=layout)
                sound.sample_rate, sound.pts = rate_hz, start + start_s * rate_hz
                out.mux(stream.encode(sound))
        for stream in (*videos, *tracks):
            out.mux(stream.encode(None))


def kinds(report: Report) -> list[str]:
    return [f.evidence["kind"] for f in report.findings if f.detector == "stream_integrity"]


def black(report: Report) -> list[tuple[float, float]]:
    return [(f.start_s, f.end_s) for f in report.findings if f.detector == "black_frames"]
