"""How much programme one machine evaluates: the figure that a capacity plan starts from.

    python benchmarks/capacity.py [--seconds 20]

Judges a synthetic 1080p25 clip with the detectors that need no network, and with all of them, each
once to warm up and then twice; prints programme over wall and over CPU time, and the resident
memory. docs/scale.md turns the figures into instances.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import psutil
from throughput import make_clip

from defectscope.analysis import analyze
from defectscope.detectors import names

# Detectors whose answer comes from a network, or that look at every frame at length.
LEARNED = ("audio_artifacts", "av_sync", "block_corruption")
_RUNS = 2


def measure(clip: Path, detectors: tuple[str, ...], seconds: float) -> tuple[float, float]:
    """Returns seconds of programme analyzed per second of wall clock, and of CPU time."""
    analyze(clip, detectors=detectors, end_s=2.0)
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    for _ in range(_RUNS):
        analyze(clip, detectors=detectors)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    return _RUNS * seconds / wall_s, _RUNS * seconds / cpu_s


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    here = names()
    sets = {
        "without networks": tuple(name for name in here if name not in LEARNED),
        "all": tuple(here),
    }
    print(f"{os.cpu_count()} cores, {options.seconds} s of 1920x1080 at 25 fps, stereo")
    with tempfile.TemporaryDirectory() as scratch:
        clip = Path(scratch) / "clip.mp4"
        make_clip(clip, 1920, 1080, options.seconds)
        for label, detectors in sets.items():
            wall, cpu = measure(clip, detectors, options.seconds)
            memory_mb = psutil.Process().memory_info().rss / 1e6
            print(
                f"{label} ({len(detectors)}): {wall:.2f}x real time, {cpu:.2f}x of one core's time,"
                f" {memory_mb:.0f} MB resident"
            )


if __name__ == "__main__":
    main()
