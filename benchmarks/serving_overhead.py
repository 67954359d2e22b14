"""What a call through TorchServe costs beyond the analysis itself.

    python benchmarks/serving_overhead.py [--calls 60]

Judges the same clip of about 1 MB in this process and through a TorchServe on this machine, by
turns, so that both see the same load. The overhead is taken within each call: the time the caller
waited minus the time that the report says the analysis took, so that a busy machine blurs it less.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from defectscope.deploy.archives import build_archives
from defectscope.detectors import analyze
from defectscope.media.encoding import AudioEncoding, VideoEncoding
from defectscope.media.writer import write_clip
from defectscope.serving.torchserve import TorchServe
from defectscope.simulate.material import Footage
from defectscope.simulate.soundscape import music_like, runs_of

NAME = "black_frames"


def clip(folder: Path) -> bytes:
    """Writes three seconds of 640x360 H.264 with AAC, about 1 MB."""
    path = folder / "clip.mp4"
    rate = Fraction(25)
    video = VideoEncoding(640, 360, rate, crf=None, bit_rate=2_700_000, gop_frames=25)
    write_clip(
        path,
        frames=Footage(seed=4, width=640, height=360, rate=rate, frames=75),
        runs=runs_of(music_like(4, 3.0, 48_000)),
        video=video,
        audio=AudioEncoding(),
    )
    return path.read_bytes()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--calls", type=int, default=60, help="calls each way (default: %(default)s)"
    )
    calls = parser.parse_args().calls
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        media = clip(folder)
        (archive,) = build_archives(folder, [NAME])
        with TorchServe(folder / archive.mar) as server:
            server.wait_ready()
            connection = server.connect(60)

            overheads_ms: list[float] = []

            def call() -> None:
                began_s = time.perf_counter()
                connection.request(
                    "POST", "/invocations", body=media, headers={"Content-Type": "video/mp4"}
                )
                answer = connection.getresponse()
                body = answer.read()
                waited_s = time.perf_counter() - began_s
                assert answer.status == 200, answer.status
                overheads_ms.append((waited_s - json.loads(body)["timing"]["wall_s"]) * 1000)

            def here() -> None:
                analyze(media, detectors=(NAME,)).to_json()

            times_ms: dict[str, list[float]] = {"in-process": [], "TorchServe": []}
            for round_ in range(calls + 5):
                for name, judge in (("in-process", here), ("TorchServe", call)):
                    began_s = time.perf_counter()
                    judge()
                    if round_ >= 5:
                        times_ms[name].append((time.perf_counter() - began_s) * 1000)
            connection.close()
    print(f"{len(media) / 1e6:.2f} MB, {calls} calls each way, detector {NAME}")
    medians = {name: statistics.median(values) for name, values in times_ms.items()}
    for name, values in times_ms.items():
        tenths = statistics.quantiles(values, n=10)
        print(
            f"{name:<12} median {medians[name]:7.1f} ms   10-90 % {tenths[0]:.1f}-{tenths[-1]:.1f}"
        )
    overheads_ms = overheads_ms[5:]
    tenths = statistics.quantiles(overheads_ms, n=10)
    print(
        f"overhead     median {statistics.median(overheads_ms):7.1f} ms   "
        f"10-90 % {tenths[0]:.1f}-{tenths[-1]:.1f}"
    )


if __name__ == "__main__":
    main()
