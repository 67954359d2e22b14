"""Speed and memory of the engine beside pure decoding and ffmpeg's filters, as ratios in one run.

    make bench                      # or: python benchmarks/throughput.py --detectors a,b --runs 5

Every figure is of a whole process, timed from outside, start-up included in neither: each child
reports the wall and CPU seconds between its first and last frame, and the parent its peak memory.
Writes docs/results/throughput.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "throughput.md"
THREADS = 2

# What a user of ffmpeg would run for the same questions. PyAV carries the filters.
PEERS = {
    "black_frames": "blackdetect=d=0.04:pic_th=0.98",
    "freeze": "freezedetect=n=-60dB:d=0.2",
    "interlacing": "idet",
    "compression_blockiness": "blockdetect",
    "blur": "blurdetect",
    "color_error, video_noise": "signalstats=stat=tout+vrep+brng",
    "audio_dropout": "silencedetect=n=-75dB:d=0.02",
    "loudness": "ebur128=peak=true",
    "stereo_image": "aphasemeter=video=0",
}
AUDIO_PEERS = ("silencedetect", "ebur128", "aphasemeter")


def make_clip(path: Path, width: int, height: int, seconds: int, *, deep: bool = False) -> None:
    """Writes native H.264 with stereo sound: 25 fps, about 4 bit per 1,000 pixels."""
    from defectscope.media.encoding import AudioEncoding, VideoEncoding
    from defectscope.media.writer import write_clip
    from defectscope.simulate.synthetic.material import Footage
    from defectscope.simulate.synthetic.soundscape import music_like, runs_of

    footage = Footage(
        seed=11,
        width=width,
        height=height,
        frames=25 * seconds,
        cuts_s=tuple(range(4, seconds, 4)),
        bit_depth=10 if deep else 8,
    )
    video = VideoEncoding(
        width,
        height,
        Fraction(25),
        crf=None,
        bit_rate=max(200_000, 4 * width * height),
        gop_frames=50,
        pixel_format="yuv420p10le" if deep else "yuv420p",
        threads=THREADS,
    )
    sound = music_like(3, float(seconds), 48000)
    write_clip(path, frames=footage, runs=runs_of(sound), video=video, audio=AudioEncoding())


def child(task: str, clip: str, detectors: str) -> None:
    """Runs one task in this process and prints its figures as JSON."""
    import av

    if task == "engine":
        from defectscope.detectors import load_all
        from defectscope.engine import measure
        from defectscope.media import Limits, open_media

        loaded = load_all(detectors.split(",") if detectors else None)
        # As it is shipped: the decoder takes as many threads as it likes.
        reader = open_media(clip, limits=Limits())
        began, busy = time.perf_counter(), time.process_time()
        measured = measure(reader, loaded)
        reader.close()
        for detector in loaded:
            if detector.name in measured:
                detector.decide(measured[detector.name], reader.info)
    else:
        container = av.open(clip)
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = THREADS
        began, busy = time.perf_counter(), time.process_time()
        if task == "decode":
            for _ in container.decode(stream, container.streams.audio[0]):
                pass
        else:
            _filtered(container, stream, task)
    figures = {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - busy,
        "peak_mb": peak_mb(),
    }
    print(json.dumps(figures))


def measured_names() -> list[str]:
    """Returns the names of the detectors that measure, without networks."""
    from defectscope.detectors import names
    from defectscope.detectors.registry import load
    from defectscope.engine.contracts import Preparing

    loaded = {name: load(name) for name in names()}
    return [
        name
        for name, detector in loaded.items()
        if (detector.needs.frames is None or detector.needs.frames.luma)
        and not isinstance(detector, Preparing)
    ]


def peak_mb() -> float:
    """Returns this process's own peak; getrusage also counts what the parent held at the fork."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _filtered(container, stream, chain: str) -> None:
    """Pulls every frame through ffmpeg's filters, as its command line would."""
    import av

    video, audio = [], []
    for one in chain.split(","):
        (audio if one.split("=")[0] in AUDIO_PEERS else video).append(one)
    sound = container.streams.audio[0]
    graphs = {}
    for source, filters in ((stream, video), (sound, audio)):
        if not filters:
            continue
        graph = av.filter.Graph()
        image = source is stream
        last = graph.add_buffer(template=source) if image else graph.add_abuffer(template=source)
        for one in filters:
            name, _, options = one.partition("=")
            step = graph.add(name, options)
            last.link_to(step)
            last = step
        last.link_to(graph.add("buffersink" if image else "abuffersink"))
        graph.configure()
        graphs[source.index] = graph
    for packet in container.demux(stream, sound):
        for frame in packet.decode():
            graph = graphs.get(packet.stream.index)
            if graph is None:
                continue
            graph.push(frame)
            while True:
                try:
                    graph.pull()
                except (av.error.BlockingIOError, av.error.EOFError):
                    break


def run(task: str, clip: Path, detectors: str = "") -> dict[str, float]:
    """Runs a task in a fresh process."""
    command = [sys.executable, __file__, "--child", task, "--clip", str(clip)]
    command += ["--detectors", detectors]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{task} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def compare(clip: Path, runs: int, detectors: str) -> dict[str, float]:
    """Decodes and evaluates in turn; gives medians and the median of the paired ratios."""
    pairs = []
    for number in range(runs):
        pairs.append((run("decode", clip), run("engine", clip, detectors)))
        print(f"  pair {number + 1}/{runs}", flush=True)
    return {
        "decode_wall_s": statistics.median(d["wall_s"] for d, _ in pairs),
        "engine_wall_s": statistics.median(e["wall_s"] for _, e in pairs),
        "engine_cpu_s": statistics.median(e["cpu_s"] for _, e in pairs),
        "ratio": statistics.median(d["wall_s"] / e["wall_s"] for d, e in pairs),
        "cpu_ratio": statistics.median(d["cpu_s"] / e["cpu_s"] for d, e in pairs),
    }


def main() -> None:
    """Measures, prints and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="length of the clips")
    parser.add_argument("--detectors", default="", help="comma-separated; default: all measured")
    parser.add_argument("--media", type=Path, help="a clip of one's own: prints its ratios alone")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--clip", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child, arguments.clip, arguments.detectors)
        return
    chosen = arguments.detectors or ",".join(measured_names())
    if arguments.media:
        found = compare(arguments.media, arguments.runs, chosen)
        print(json.dumps({name: round(value, 3) for name, value in found.items()}))
        return
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    lines = [
        "# Throughput and memory",
        "",
        f"`make bench` at {commit}, {os.cpu_count()} cores, {platform.machine()}, "
        f"{THREADS} threads of pure decoding. Synthetic native H.264 with stereo AAC, "
        f"{arguments.seconds} s at 25 fps; medians of {arguments.runs} pairs, each decode beside "
        "its own engine run.",
        "",
        f"Detectors: {chosen.replace(',', ', ')}.",
        "",
        "| clip | decode, x real time | engine, x real time | engine / decode, wall | CPU "
        "| channels per core |",
        "|---|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        full_hd = Path(folder) / "1080p25.mp4"
        for name, size, seconds, deep in (
            ("1080p25, 8 bit", (1920, 1080), arguments.seconds, False),
            ("1080p25, 10 bit", (1920, 1080), arguments.seconds, True),
            ("2160p25, 8 bit", (3840, 2160), max(2, arguments.seconds // 3), False),
        ):
            clip = full_hd if name == "1080p25, 8 bit" else Path(folder) / "other.mp4"
            print(f"{name}: making the clip", flush=True)
            make_clip(clip, *size, seconds, deep=deep)
            found = compare(clip, arguments.runs, chosen)
            lines.append(
                f"| {name} | {seconds / found['decode_wall_s']:.1f} "
                f"| {seconds / found['engine_wall_s']:.1f} | {found['ratio']:.2f} "
                f"| {found['cpu_ratio']:.2f} | {seconds / found['engine_cpu_s']:.1f} |"
            )
            print(lines[-1], flush=True)
        lines += ["", "## ffmpeg's filters on the 1080p clip", ""]
        lines += ["| detector | ffmpeg's filter | x real time alone |", "|---|---|---|"]
        for detector, chain in PEERS.items():
            wall_s = run(chain, full_hd)["wall_s"]
            lines.append(f"| {detector} | `{chain}` | {arguments.seconds / wall_s:.2f} |")
            print(lines[-1], flush=True)
        together = run(",".join(PEERS.values()), full_hd)["wall_s"]
        engine = statistics.median(run("engine", full_hd, chosen)["wall_s"] for _ in range(3))
        lines += [
            "",
            f"All of them together: {arguments.seconds / together:.2f}x real time; the engine with "
            f"the detectors above: {arguments.seconds / engine:.1f}x, "
            f"{together / engine:.1f} times as fast.",
        ]
        print(lines[-1], flush=True)
        lines += ["", "## With the learned detectors", "", learned(full_hd, arguments.seconds)]
        print(lines[-1], flush=True)
        lines += ["", "## Memory", "", *memory(Path(folder), chosen)]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", "utf-8")
    print(f"written: {RESULTS}")


def learned(clip: Path, seconds: int) -> str:
    """Runs every detector there is over the clip, repeated; networks load meanwhile."""
    from defectscope.detectors import names

    film = clip.with_name("film.mp4")
    speeds: list[str] = []
    for times in (4, 16):
        loop(clip, film, times)
        runs = (run("engine", film, ",".join(names()))["wall_s"] for _ in range(3))
        speed = times * seconds / statistics.median(runs)
        speeds.append(f"{speed:.2f}x real time over {times * seconds} s")
    return (
        f"All {len(names())} detectors on the 1080p clip, repeated: {' and '.join(speeds)}, "
        "loading the networks included."
    )


def memory(folder: Path, detectors: str) -> list[str]:
    """Compares the peak of an hour with that of a minute of the same small frame."""
    lines = ["| programme (160x96, stereo) | 1 min | 60 min | growth |", "|---|---|---|---|"]
    # MP4 lists every sample in an index that the demuxer holds; Matroska does not.
    for suffix in ("mkv", "mp4"):
        minute, hour = folder / f"minute.{suffix}", folder / f"hour.{suffix}"
        make_clip(minute, 160, 96, 60)
        loop(minute, hour, 60)
        low, high = (run("engine", clip, detectors)["peak_mb"] for clip in (minute, hour))
        lines.append(
            f"| {suffix} | {low:.0f} MB | {high:.0f} MB | {100 * (high / low - 1):+.1f} % |"
        )
        print(lines[-1], flush=True)
    return lines


def loop(source: Path, target: Path, times: int) -> None:
    """Repeats a file packet by packet, time stamps shifted, nothing encoded again."""
    import av

    with av.open(str(target), "w") as out:
        with av.open(str(source)) as first:
            made = [out.add_stream_from_template(s) for s in first.streams]
            lengths = [
                (s.duration * s.time_base if s.duration else first.duration / Fraction(10**6))
                for s in first.streams
            ]
        length_s = min(lengths)
        last = dict.fromkeys(range(len(made)), -(2**62))
        for turn in range(times):
            with av.open(str(source)) as container:
                for packet in container.demux():
                    if packet.dts is None or packet.pts * packet.time_base >= length_s:
                        continue
                    shift = int(turn * length_s / packet.time_base)
                    packet.pts += shift
                    packet.dts += shift
                    # Encoder priming reaches back into the turn before.
                    if packet.dts <= last[packet.stream_index]:
                        continue
                    last[packet.stream_index] = packet.dts
                    packet.stream = made[packet.stream_index]
                    out.mux(packet)


if __name__ == "__main__":
    main()
