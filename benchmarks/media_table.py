"""What is read: every combination of container, codec and captions that FFmpeg here can write.

    python benchmarks/media_table.py            # rewrites the table in docs/media.md

Each combination is written (24 frames, one second of sound), opened by the project's own reader,
and decoded. A combination counts as read when all frames, or at least 0.9 s of sound, come out.
What the muxer does not take is left out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import av
import av.error
import media_captions
import numpy as np
from media_films import CONTAINERS, add_video, encoded

from defectscope.errors import DefectscopeError
from defectscope.media import open_media
from defectscope.media.frames import Frame, Samples

PAGE = Path(__file__).resolve().parents[1] / "docs" / "media.md"
MARKS = ("<!-- table of what is read: begin -->", "<!-- table of what is read: end -->")
FRAMES, RATE_HZ = 24, 48_000
# Encoder, frame size, pixel format.
VIDEO = {
    "H.264": ("libx264", (64, 48), "yuv420p"),
    "H.264 10 bit": ("libx264", (64, 48), "yuv420p10le"),
    "HEVC": ("libx265", (128, 96), "yuv420p"),
    "MPEG-2": ("mpeg2video", (64, 48), "yuv420p"),
    "MPEG-4": ("mpeg4", (64, 48), "yuv420p"),
    "VP8": ("libvpx", (64, 48), "yuv420p"),
    "VP9": ("libvpx-vp9", (64, 48), "yuv420p"),
    "AV1": ("libsvtav1", (64, 64), "yuv420p"),
    "ProRes": ("prores_ks", (64, 48), "yuv422p10le"),
    "DNxHR": ("dnxhd", (256, 128), "yuv422p"),
    "MJPEG": ("mjpeg", (64, 48), "yuvj420p"),
    "DV": ("dvvideo", (720, 576), "yuv420p"),
    "FFV1": ("ffv1", (64, 48), "yuv420p"),
    "uncompressed": ("rawvideo", (64, 48), "yuv420p"),
}
# Encoder, sample format.
AUDIO = {
    "AAC": ("aac", "fltp"),
    "AC-3": ("ac3", "fltp"),
    "E-AC-3": ("eac3", "fltp"),
    "MP2": ("mp2", "s16"),
    "MP3": ("libmp3lame", "fltp"),
    "Opus": ("libopus", "flt"),
    "Vorbis": ("libvorbis", "fltp"),
    "FLAC": ("flac", "s16"),
    "ALAC": ("alac", "s16p"),
    "PCM 16 bit": ("pcm_s16le", "s16"),
    "PCM 24 bit": ("pcm_s24le", "s32"),
}


def write_video(path: Path, muxer: str, codec: str, size: tuple[int, int], pixels: str) -> None:
    """Writes a ramp that moves."""
    width, height = size
    with av.open(str(path), "w", format=muxer) as out:
        stream = add_video(out, codec, size, pixels)
        if codec == "dnxhd":
            stream.codec_context.options = {"profile": "dnxhr_sq"}
        if codec == "libx265":
            stream.codec_context.options = {"x265-params": "log-level=error:pools=1"}
        if codec in ("libvpx", "libvpx-vp9"):
            stream.codec_context.options = {"deadline": "realtime", "cpu-used": "8"}
        ramp = np.add.outer(np.arange(height), np.arange(width)).astype(np.uint8)
        moved = (np.ascontiguousarray(np.roll(ramp, 2 * k, axis=1)) for k in range(FRAMES))
        for packets in encoded(stream, moved):
            out.mux(packets)


def write_audio(path: Path, muxer: str, codec: str, samples: str) -> None:
    """Writes one second of stereo noise."""
    noise = np.random.default_rng(1).normal(0, 0.1, (2, RATE_HZ)).astype(np.float32)
    with av.open(str(path), "w", format=muxer) as out:
        stream: Any = out.add_stream(codec, rate=RATE_HZ, layout="stereo")
        stream.codec_context.format = samples
        for start in range(0, RATE_HZ, 1024):
            run = np.ascontiguousarray(noise[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(run, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE_HZ, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def tried(folder: Path, container: str, name: str) -> str:
    """Returns what becomes of a combination: `read`, why not, or nothing where none can be made."""
    suffix, muxer = CONTAINERS[container]
    path = folder / f"clip.{suffix}"
    try:
        if name in VIDEO:
            write_video(path, muxer, *VIDEO[name])
        else:
            write_audio(path, muxer, *AUDIO[name])
        with av.open(str(path)) as made:
            if not made.streams.video and not made.streams.audio:
                return ""
    except (av.error.FFmpegError, ValueError, OSError, RuntimeError):
        return ""
    try:
        with open_media(path) as reader:
            items = list(reader.read())
            rate_hz = reader.info.audio.rate_hz if reader.info.audio else RATE_HZ
    except DefectscopeError as error:
        return f"{error.code}"
    if name in VIDEO:
        count = sum(isinstance(item, Frame) for item in items)
        return "read" if count == FRAMES else f"{count} of {FRAMES} frames"
    seconds = sum(len(item.data) for item in items if isinstance(item, Samples)) / rate_hz
    return "read" if seconds >= 0.9 else f"{seconds:.2f} s of 1 s"


def main() -> None:
    """Tries all of it and rewrites the table."""
    av.logging.set_level(None)
    rows: list[str] = []
    counted = {"read": 0, "tried": 0}
    for container in CONTAINERS:
        found: dict[str, list[str]] = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in (*VIDEO, *AUDIO):
                outcome = tried(Path(folder), container, name)
                if outcome:
                    counted["tried"] += 1
                    counted["read"] += outcome == "read"
                    found.setdefault(outcome, []).append(name)
        read = ", ".join(found.pop("read", [])) or "none"
        rest = "; ".join(f"{', '.join(names)}: {outcome}" for outcome, names in found.items())
        rows.append(f"| {container} | {read} | {rest} |")
        print(rows[-1], flush=True)
    with tempfile.TemporaryDirectory() as folder:
        captions, tried_too, read_too = media_captions.table(Path(folder))
    print(*captions, sep="\n", flush=True)
    table = [
        f"{counted['tried']} combinations of container and codec were written; {counted['read']} "
        f"are read whole. Of {tried_too} of container and captions {read_too} are read.",
        "",
        "| container | codecs that are read | otherwise |",
        "|---|---|---|",
        *rows,
        "",
        "| container | captions that are read | named as not analyzed, with the reason |",
        "|---|---|---|",
        *captions,
    ]
    page = PAGE.read_text("utf-8")
    before, rest = page.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    PAGE.write_text(before + MARKS[0] + "\n" + "\n".join(table) + "\n" + MARKS[1] + after, "utf-8")


if __name__ == "__main__":
    main()
