"""What starting costs: `analyze` of a 6 s clip of 720p25, the first run ever and later ones.

    python benchmarks/startup.py [--media CLIP] [--runs 5] [--beside COMMIT]

Each run is a process of its own, timed from outside: processor time (user and system), the clock,
and peak memory. `--beside` runs the same with another commit in turns, so that what else the
machine does hits both alike. Prints a table.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from throughput import make_clip

ROOT = Path(__file__).resolve().parents[1]
MEASURED = "black_frames,freeze"


def run(source: Path, clip: Path, cache: Path, detectors: str | None) -> dict[str, float]:
    """One process; seconds of processor time and by the clock, and MB at its peak."""
    command = [sys.executable, "-c", _CHILD, "analyze", str(clip)]
    command += [] if detectors is None else ["--detectors", detectors]
    environment = {**os.environ, "PYTHONPATH": str(source / "src"), "DEFECTSCOPE_CACHE": str(cache)}
    # As it is installed: with compiled byte code.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall_s, after = time.perf_counter() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1, 5):
        raise SystemExit(done.stderr)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": cpu_s, "wall_s": wall_s, "mb": json.loads(done.stderr.splitlines()[-1])}


_CHILD = """
import atexit, sys
from defectscope.cli import main as cli

def say_peak():
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    sys.stderr.write(f"\\n{int(peak.split()[1]) // 1024}\\n")

atexit.register(say_peak)
# As the installed command ends; older commits had no function of its own for that.
cli.console() if hasattr(cli, "console") else sys.exit(cli.main())
"""


def medians(runs: list[dict[str, float]]) -> str:
    """A row's figures."""
    cpu_s, wall_s, mb = (statistics.median(r[k] for r in runs) for k in ("cpu_s", "wall_s", "mb"))
    return f"{cpu_s:.2f} s | {wall_s:.2f} s | {mb:.0f} MB"


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--beside", metavar="COMMIT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        clip = options.media or folder / "clip.mp4"
        if options.media is None:
            make_clip(clip, 1280, 720, 6)
        sources: dict[str, Path] = {"this": ROOT}
        if options.beside:
            sources[options.beside] = folder / "beside"
            where = ["git", "-C", str(ROOT), "worktree"]
            subprocess.run(
                [*where, "add", "-q", "--detach", str(folder / "beside"), options.beside],
                check=True,
            )
        rows: dict[tuple[str, str], list[dict[str, float]]] = {}

        def add(label: str, name: str, detectors: str | None) -> Any:
            cache = folder / f"cache-{name}"
            rows.setdefault((label, name), []).append(run(sources[name], clip, cache, detectors))

        for name in sources:
            # Byte code first: installing makes it, not the first analysis.
            run(sources[name], clip, folder / "thrown-away", MEASURED)
            add("all, first run ever", name, None)
        for _ in range(options.runs):
            for name in sources:
                add("all", name, None)
            for name in sources:
                add(MEASURED, name, MEASURED)
        if options.beside:
            subprocess.run([*where, "remove", "--force", str(folder / "beside")], check=True)
    print("| detectors | commit | processor time | clock | peak memory |\n|---|---|---|---|---|")
    for (label, name), runs in rows.items():
        print(f"| {label} | {name} | {medians(runs)} |")


if __name__ == "__main__":
    main()
