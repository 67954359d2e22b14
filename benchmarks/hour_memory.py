"""Peak memory of an hour with all measured detectors, phase by phase.

    python benchmarks/hour_memory.py [--clip CLIP] [--minutes 60] [--write]

The hour is a clip repeated packet by packet: one of one's own, or a synthetic minute of 160x96 with
stereo sound. A fresh process analyzes it and reports, by phase, the memory held at its beginning
and the highest while it lasted: start (imports and detectors), opening and measuring, each
detector's decision, and the report. Linux only: the peak is reset between phases. --write puts the
table into docs/results/memory.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from throughput import loop, make_clip, measured_names, peak_mb

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "memory.md"
_GOAL_MB = 250


def held_mb() -> float:
    """Returns the memory that this process holds now."""
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this system does not tell how much memory a process holds")


class Phases:
    """Holds and peaks of the phases so far, MB, and their processor time, seconds."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def run(self, name: str, work: Callable[[], Any]) -> Any:
        """Does some work as a phase of that name, and returns what it returned."""
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        before_mb, busy_s = held_mb(), time.process_time()
        try:
            return work()
        finally:
            row = {"phase": name, "before_mb": before_mb, "peak_mb": peak_mb()}
            self.rows.append({**row, "cpu_s": time.process_time() - busy_s})


def child(clip: Path) -> None:
    """Analyzes a clip in this process and prints its phases as JSON."""
    phases = Phases()

    def start() -> Any:
        from defectscope import analysis
        from defectscope.detectors import load_all
        from defectscope.media.opening import open_media

        return analysis, load_all(measured_names()), open_media

    analysis, detectors, open_media = phases.run("start", start)

    def measure() -> Any:
        with open_media(clip) as reader:
            return analysis.measure_asset(reader, detectors)

    measured = phases.run("opening and measuring", measure)
    for detector in detectors:
        detector.decide = _as_phase(phases, f"decision: {detector.name}", detector.decide)
    report = analysis.decide(measured)
    phases.run("report as JSON", lambda: json.dumps(report.to_dict()))
    print(json.dumps({"phases": phases.rows, "findings": len(report.findings)}))


def _as_phase(phases: Phases, name: str, decide: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: phases.run(name, lambda: decide(*given))


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, help="repeated until it is long enough")
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--write", action="store_true", help="write docs/results/memory.md")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    with tempfile.TemporaryDirectory() as folder:
        clip, film = options.clip, Path(folder) / "hour.mp4"
        if clip is None:
            clip = Path(folder) / "minute.mp4"
            make_clip(clip, 160, 96, 60)
        loop(clip, film, max(1, round(60 * options.minutes / _length_s(clip))))
        command = [sys.executable, __file__, "--child", str(film)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(done.stderr)
        found = json.loads(done.stdout.strip().splitlines()[-1])
        lines = [*_facts(film, options.clip), "", *_table(found)]
    print("\n".join(lines))
    if options.write:
        PAGE.write_text("\n".join(["# Memory of an hour", "", *lines, ""]), "utf-8")


def _length_s(clip: Path) -> float:
    import av

    with av.open(str(clip)) as container:
        return float(container.duration or 0) / 1e6


def _facts(film: Path, clip: Path | None) -> list[str]:
    import av

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    with av.open(str(film)) as container:
        video = container.streams.video[0]
        size = f"{video.width}x{video.height} at {float(video.average_rate or 0):g} fps"
    of_what = "a clip of one's own" if clip else "the synthetic minute"
    return [
        f"`python benchmarks/hour_memory.py`, commit {commit}: {of_what} of {size}, repeated to "
        f"{_length_s(film) / 60:.1f} minutes ({film.stat().st_size / 2**20:.0f} MB), "
        f"{len(measured_names())} measured detectors, one process."
    ]


def _table(found: dict[str, Any]) -> list[str]:
    rows = found["phases"]
    most = max(row["peak_mb"] for row in rows)
    return [
        "| phase | held before, MB | peak, MB | processor time, s |",
        "|---|---|---|---|",
        *(
            f"| {r['phase']} | {r['before_mb']:.0f} | {r['peak_mb']:.0f} | {r['cpu_s']:.1f} |"
            for r in rows
        ),
        "",
        f"Peak of all: **{most:.0f} MB**; the goal is below {_GOAL_MB}: "
        f"{'met' if most < _GOAL_MB else 'not met'}. {found['findings']} findings.",
    ]


if __name__ == "__main__":
    main()
