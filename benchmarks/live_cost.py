"""What watching a channel costs: processor time a second of programme, by stage.

    python benchmarks/live_cost.py FILE.ts [--against SRC] [--runs 3] [--skip NONE|NONKEY]

FILE.ts is a transport stream as live_programme.py makes it. It is watched as fast as it goes, in a
process of its own, with all detectors that need no network; SRC is the `src` of another state of
the project, which then takes turns with this one. Processor time alone is told: it is comparable
within one run, whatever else the machine does. Both have the heaps that this state gives a group.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from defectscope.monitor.supervisor import HEAPS

_WATCH = """
import io, json, resource, sys, time
began = time.process_time()
import defectscope.monitor.group
from defectscope.media.live import LiveOptions, open_live
from defectscope.monitor.channel_facts import detectors_of
from defectscope.monitor.config import read_config
from defectscope.monitor.session import Session
toml = '[[channel]]\\nname = "a"\\nurl = "udp://127.0.0.1:1"\\n'
config = read_config(toml).channels["a"]
detectors = detectors_of(config)
started = time.process_time() - began
data = io.BytesIO(open(sys.argv[1], "rb").read())
began, reached, decide = time.process_time(), 0.0, 0.0
with open_live(data, "a", LiveOptions()) as live:
    live.skip_frames(sys.argv[2])
    while (reader := live.next_reader()) is not None:
        session = Session(reader, detectors, config.pace)
        if sys.argv[2] == "NONKEY" and hasattr(session, "resting"):
            from defectscope.monitor.overload import HEARTBEAT
            session.resting = frozenset(d.name for d in detectors) - HEARTBEAT
        session.run(lambda decisions: None)
        reached += session.reached_s
        decide += session.taken_decide_s()
spent = time.process_time() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"start_s": started, "cost": spent / reached, "decide": decide / reached,
                  "seconds": reached, "peak_mb": peak / 1e6}))
"""


def watch(source: str, file: Path, skip: str) -> dict[str, float]:
    """Returns what watching a file costs with the project in a source folder."""
    quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": source}
    ran = subprocess.run(
        [sys.executable, "-c", _WATCH, str(file), skip],
        env={**HEAPS, **os.environ, **quiet},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return json.loads(ran.stdout.splitlines()[-1])


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--skip", choices=("NONE", "NONREF", "NONKEY"), default="NONE")
    a = parser.parse_args()
    sources = {"this": str(Path(__file__).parents[1] / "src")}
    if a.against is not None:
        sources["other"] = str(a.against.resolve())
    found: dict[str, list[dict[str, float]]] = {name: [] for name in sources}
    for _ in range(a.runs):
        for name, source in sources.items():
            found[name].append(watch(source, a.file, a.skip))
    for name, runs in found.items():
        print(
            f"{name:6} {runs[0]['seconds']:.1f} s of programme, {a.skip}:"
            f" {median(r['cost'] for r in runs):.3f} s a second"
            f" ({', '.join(format(r['cost'], '.3f') for r in runs)}),"
            f" of it deciding {median(r['decide'] for r in runs):.3f};"
            f" start {median(r['start_s'] for r in runs):.2f} s,"
            f" peak {median(r['peak_mb'] for r in runs):.0f} MB"
        )
    if "other" in found:
        ratios = [t["cost"] / o["cost"] for t, o in zip(found["this"], found["other"], strict=True)]
        print(f"this / other: {median(ratios):.3f}")


if __name__ == "__main__":
    main()
