"""An hour in segments side by side against one pass: the findings must be the same.

    python benchmarks/segments.py [--minutes 60] [--workers 2] [--detectors a,b]

Loops a minute with defects packet by packet, evaluates it once in one pass and once in segments,
and writes docs/results/segments.md.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

from throughput import loop, make_clip

from defectscope.analysis import analyze
from defectscope.detectors import names
from defectscope.simulate.run import impair_file, job, stream_of

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results" / "segments.md"
SPINE = "black_frames,freeze,audio_dropout,loudness,stream_integrity"
DEFECTS = (("black_frames", 10.0, 0.4), ("freeze", 25.0, 1.2), ("audio_dropout", 40.0, 0.3))


def main() -> None:
    """Evaluates both ways, compares, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--detectors", default=SPINE)
    arguments = parser.parse_args()
    detectors = [d for d in arguments.detectors.split(",") if d in names()]
    with tempfile.TemporaryDirectory() as folder:
        clean, minute, hour = (Path(folder) / f"{n}.mp4" for n in ("clean", "minute", "hour"))
        make_clip(clean, 160, 96, 60)
        stream = stream_of(clean)
        jobs = [
            job(name, stream, seed=3, start_s=at, duration_s=length, severity=5.0)
            for name, at, length in DEFECTS
        ]
        impair_file(clean, minute, jobs)
        loop(minute, hour, arguments.minutes)
        began = time.perf_counter()
        one = analyze(hour, detectors=detectors)
        one_s = time.perf_counter() - began
        began = time.perf_counter()
        cut = analyze(hour, detectors=detectors, workers=arguments.workers)
        cut_s = time.perf_counter() - began
    key = [(f.defect, f.start_frame, f.end_frame, f.severity) for f in one.findings]
    same = key == [(f.defect, f.start_frame, f.end_frame, f.severity) for f in cut.findings]
    loudness = {
        name: abs(value - cut.verdicts["loudness"]["peak_score"][name])
        for name, value in one.verdicts.get("loudness", {}).get("peak_score", {}).items()
    }
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    lines = [
        "# An hour in segments",
        "",
        f"`python benchmarks/segments.py --minutes {arguments.minutes} --workers "
        f"{arguments.workers}` at {commit}: {arguments.minutes} min of 160x96 H.264 with AAC, "
        f"{2 * arguments.workers} segments, detectors {', '.join(detectors)}.",
        "",
        "| | one pass | segments |",
        "|---|---|---|",
        f"| findings | {len(one.findings)} | {len(cut.findings)} |",
        f"| wall | {one_s:.1f} s | {cut_s:.1f} s |",
        "",
        f"Defects, frames and severities are {'equal' if same else '**not equal**'}. Largest "
        f"difference of a loudness figure: {max(loudness.values(), default=0.0):.3f} (LU, dB).",
    ]
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
