"""Speed of all measured detectors beside pure decoding, on one clip, for two checkouts in one run.

    python benchmarks/decoder_threads.py --clip CLIP --before OTHER_CHECKOUT [--runs 5]

Each round runs pure decoding (PyAV, two threads), the engine of the other checkout and this one's,
each in a fresh process that times itself from its first frame to its last finding. The ratio of a
round is decoding's time over the engine's, so that drift of the machine cancels out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


def measured(python: str) -> str:
    """Returns the names of the detectors without a network, comma-separated."""
    code = (
        "from defectscope.detectors import names\n"
        "from defectscope.detectors.registry import load\n"
        "print(','.join(n for n in names() if load(n).needs.frames is None"
        " and not hasattr(load(n), 'network')))"
    )
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout


def child(checkout: Path, task: str, clip: Path, detectors: str) -> dict[str, float]:
    """Runs one task of throughput.py in a checkout's own environment."""
    python = checkout / ".venv" / "bin" / "python"
    script = checkout / "benchmarks" / "throughput.py"
    command = [str(python), str(script), "--child", task, "--clip", str(clip)]
    command += ["--detectors", detectors]
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    """Measures and prints the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, required=True)
    parser.add_argument("--before", type=Path, required=True, help="a checkout with its .venv")
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    detectors = measured(sys.executable).strip()
    rounds = []
    for _ in range(arguments.runs):
        decode = child(HERE, "decode", arguments.clip, "")
        before = child(arguments.before, "engine", arguments.clip, detectors)
        after = child(HERE, "engine", arguments.clip, detectors)
        rounds.append((decode, before, after))
        walls = ", ".join(f"{r['wall_s']:.2f}" for r in rounds[-1])
        print(f"decode, before, after: {walls} s", flush=True)
    for name, index in (("before", 1), ("after", 2)):
        wall = statistics.median(r[0]["wall_s"] / r[index]["wall_s"] for r in rounds)
        cpu = statistics.median(r[index]["cpu_s"] / r[0]["cpu_s"] for r in rounds)
        peak = statistics.median(r[index]["peak_mb"] for r in rounds)
        print(f"{name}: {wall:.2f} of pure decoding, CPU {cpu:.2f} of it, peak {peak:.0f} MB")


if __name__ == "__main__":
    main()
