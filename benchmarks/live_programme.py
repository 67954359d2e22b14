"""Makes the programmes that live channels are tried with: clean, and with faults at known times.

    python benchmarks/live_programme.py OUT.ts --clips FOLDER... --sound FILE --second FILE
        [--gain DB] [--second-gain DB] [--seconds 144] [--faults] [--skip NAME...]

Clips follow one another by cuts, each frame of theirs for one frame of 25 a second, at 1280x720.
Two languages, 4 Mbit/s, groups of 2 s. Beside OUT.ts lies OUT.json: which clip is where, and the
faults.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

RATE, SAMPLE_RATE_HZ = 25, 48_000
WIDTH, HEIGHT = 1280, 720
GROUP_FRAMES = 50
CLIP_FRAMES = 100
AAC_SAMPLES = 1024
# Whole frames and whole runs of AAC.
UNIT_S = 0.32
# Defect as alarmed, start and end in seconds. Changes of raster lie on groups of pictures.
FAULTS = (
    ("black_frames", 12.0, 15.0),
    ("freeze", 30.0, 35.0),
    ("audio_dropout", 50.0, 54.0),
    ("phase_inversion", 68.0, 78.0),
    ("format_change", 96.0, 106.0),
)
SMALL = (1024, 576)


def frames_of(paths: list[Path], size: tuple[int, int]) -> Iterator[tuple[str, Any]]:
    """Yields the name of its clip and every frame, at one size, for ever."""
    while True:
        for path in paths:
            with av.open(str(path)) as container:
                for number, frame in enumerate(container.decode(video=0)):
                    if number >= CLIP_FRAMES:
                        break
                    shown = frame.reformat(*size, format="yuv420p", interpolation="BICUBIC")
                    yield path.name, shown


def usable(path: Path) -> bool:
    """Tells whether a clip has the shape and the detail of the programme."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            return False
        context = container.streams.video[0].codec_context
        return context.height >= HEIGHT and abs(context.width / context.height - 16 / 9) < 0.02


def sound_of(path: Path, seconds: float, gain_db: float) -> np.ndarray:
    """Returns (2, samples) float32 of a recording, repeated as need be."""
    wanted = round(seconds * SAMPLE_RATE_HZ)
    parts, length = [], 0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "stereo", SAMPLE_RATE_HZ)
        for frame in container.decode(audio=0):
            for run in resampler.resample(frame):
                parts.append(run.to_ndarray())
                length += parts[-1].shape[1]
    whole = np.concatenate(parts, axis=1)
    # A second at either end, where recordings fade.
    whole = whole[:, SAMPLE_RATE_HZ:-SAMPLE_RATE_HZ]
    repeats = -(-wanted // whole.shape[1])
    return np.tile(whole, repeats)[:, :wanted] * np.float32(10 ** (gain_db / 20))


def encoder(size: tuple[int, int]) -> Any:
    """Returns an encoder whose every key frame can be joined to another's."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height = size
    context.pix_fmt, context.framerate = "yuv420p", Fraction(RATE)
    context.time_base = Fraction(1, RATE)
    context.bit_rate, context.gop_size, context.thread_count = 3_700_000, GROUP_FRAMES, 1
    context.options = {
        "preset": "veryfast",
        "maxrate": "4000000",
        "bufsize": "4000000",
        "x264-params": f"keyint={GROUP_FRAMES}:min-keyint={GROUP_FRAMES}:scenecut=0:open-gop=0",
    }
    return context


def spans(name: str, faults: list[tuple[str, float, float]]) -> list[tuple[float, float]]:
    """Returns when a fault is on, seconds."""
    return [(a, b) for kind, a, b in faults if kind == name]


def inside(time_s: float, name: str, faults: list[tuple[str, float, float]]) -> bool:
    """Tells whether a fault is on at an instant."""
    return any(a <= time_s < b for a, b in spans(name, faults))


def main() -> None:
    """Makes one programme."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--clips", type=Path, nargs="+", required=True)
    parser.add_argument("--sound", type=Path, required=True)
    parser.add_argument("--second", type=Path, required=True)
    parser.add_argument("--gain", type=float, default=0.0, help="of the sound, dB")
    parser.add_argument("--second-gain", type=float, default=4.0, help="of the second, dB")
    parser.add_argument("--seconds", type=float, default=144.0)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--skip", nargs="*", default=[])
    a = parser.parse_args()
    seconds = round(a.seconds / UNIT_S) * UNIT_S
    files = [f for folder in a.clips for f in sorted(folder.glob("*.mp4"))]
    clips = [f for f in files if f.name not in a.skip and usable(f)]
    faults = [f for f in FAULTS if f[2] <= seconds] if a.faults else []
    where = write(a.out, clips, seconds, faults, (a.sound, a.second), (a.gain, a.second_gain))
    truth = [{"defect": k, "start_s": s, "end_s": e} for k, s, e in faults]
    facts = {"seconds": seconds, "clips": where, "faults": truth}
    a.out.with_suffix(".json").write_text(json.dumps(facts, indent=1))
    rate = a.out.stat().st_size * 8 / seconds
    print(f"{a.out}: {seconds:.2f} s, {len(clips)} clips, {rate:.0f} bit/s")


def write(
    path: Path,
    clips: list[Path],
    seconds: float,
    faults: list[tuple[str, float, float]],
    sounds: tuple[Path, Path],
    gains_db: tuple[float, float],
) -> list[list[Any]]:
    """Writes a programme; returns which clip begins when."""
    options = {"pcr_period": "20", "muxrate": "0", "mpegts_flags": "+resend_headers"}
    out = av.open(str(path), "w", format="mpegts", options=options)
    stream: Any = out.add_stream("libx264", rate=RATE)
    stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    tracks: list[Any] = []
    for language in ("eng", "deu"):
        track: Any = out.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
        track.codec_context.bit_rate = 128_000
        track.metadata["language"] = language
        tracks.append(track)
    voices = [sound_of(s, seconds, g) for s, g in zip(sounds, gains_db, strict=True)]
    for start_s, end_s in spans("audio_dropout", faults):
        for voice in voices[:1]:
            voice[:, round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)] = 0
    for start_s, end_s in spans("phase_inversion", faults):
        voices[0][1, round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)] *= -1
    where: list[list[Any]] = []
    shown = frames_of(clips, (WIDTH, HEIGHT))
    frames, group = round(seconds * RATE), GROUP_FRAMES
    waiting: list[tuple[Fraction, int, Any]] = []
    held: Any = None
    muxed = {track.index: 0 for track in tracks}
    for first in range(0, frames, group):
        small = inside(first / RATE, "format_change", faults)
        size = SMALL if small else (WIDTH, HEIGHT)
        context = encoder(size)
        packets: list[Any] = []
        for number in range(first, min(first + group, frames)):
            name, frame = next(shown)
            if not where or where[-1][0] != name:
                where.append([name, number / RATE])
            time_s = number / RATE
            if inside(time_s, "freeze", faults):
                frame = held if held is not None else frame
                held = frame
            else:
                held = None
            if inside(time_s, "black_frames", faults):
                frame = black(size)
            if (frame.width, frame.height) != size:
                frame = frame.reformat(*size, interpolation="BICUBIC")
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, RATE), 0
            packets += context.encode(frame)
        packets += context.encode(None)
        for packet in packets:
            waiting.append((Fraction(packet.dts * 1, RATE), 0, packet))
        low = round(first * SAMPLE_RATE_HZ / RATE)
        high = round(min(first + group, frames) * SAMPLE_RATE_HZ / RATE)
        for track, voice in zip(tracks, voices, strict=True):
            for at in range(low, high, 1920):
                data = np.ascontiguousarray(voice[:, at : min(at + 1920, high)])
                run = av.AudioFrame.from_ndarray(data, format="fltp", layout="stereo")
                run.sample_rate, run.pts = SAMPLE_RATE_HZ, at
                run.time_base = Fraction(1, SAMPLE_RATE_HZ)
                for packet in track.encode(run):
                    waiting.append((packet.dts * packet.time_base, 1, (track, packet)))
        if first + group >= frames:
            for track in tracks:
                for packet in track.encode(None):
                    waiting.append((packet.dts * packet.time_base, 1, (track, packet)))
        waiting.sort(key=lambda item: item[:2])
        # What the next group's sound may still precede stays.
        until = Fraction(first + group, RATE) - Fraction(1, 2)
        while waiting and (waiting[0][0] < until or first + group >= frames):
            _, kind, item = waiting.pop(0)
            if kind:
                # As many runs as the programme is long: a loop has neither a gap nor an overlap.
                if muxed[item[0].index] < round(seconds * SAMPLE_RATE_HZ / AAC_SAMPLES):
                    muxed[item[0].index] += 1
                    out.mux(item[1])
            else:
                item.stream, item.time_base = stream, Fraction(1, RATE)
                out.mux(item)
    out.close()
    return where


def black(size: tuple[int, int]) -> Any:
    """Returns a black frame."""
    frame = av.VideoFrame(*size, "yuv420p")
    for plane, value in zip(frame.planes, (16, 128, 128), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


if __name__ == "__main__":
    main()
