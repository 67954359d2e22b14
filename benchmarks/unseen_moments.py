"""How well stutter, tearing and freezes are found that were made in ways no simulator knows.

    python benchmarks/unseen_moments.py --media FOLDER [--media FOLDER ...] [--work DIR]
        [--defects a,b] [--detectors a,b] [--per-way 4] [--limit N]

Each way is made in recordings that move throughout, at levels 3 to 5, at 240 to 480 lines, half of
the clips encoded as for delivery; each recording gives one clean clip beside them. Recordings are
split by the hashes of their names, as in unseen_ways.py. A finding counts where it meets a true
interval, one to one, at an intersection over union of 0.5. Clips and reports are kept in --work, so
that a run goes on where it stopped. Writes docs/results/unseen_moments.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from itertools import islice
from pathlib import Path

from unseen import moments
from unseen.design import recordings
from unseen.measure import stamp

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "unseen_moments.md"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, default=Path("build/unseen_moments"))
    parser.add_argument("--defects", default=",".join(moments.DEFECTS))
    parser.add_argument("--detectors", default=",".join(moments.DEFECTS))
    parser.add_argument("--per-way", type=int, default=4)
    parser.add_argument("--limit", type=int, help="so many clips at most")
    options = parser.parse_args()
    defects, detectors = options.defects.split(","), options.detectors.split(",")
    kept = options.work / f"reports.{stamp(detectors)}.jsonl"
    done = {}
    if kept.exists():
        done = {row["file"]: row for row in map(json.loads, kept.read_text("utf-8").splitlines())}
    rows = []
    clips = moments.made(recordings(options.media), defects, options.per_way, options.work)
    for clip in islice(clips, options.limit):
        file = clip.facts["file"]
        if file not in done:
            done[file] = moments.decided(clip, detectors)
            with kept.open("a", encoding="utf-8") as out:
                out.write(json.dumps(done[file]) + "\n")
        rows.append(done[file])
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = [
        "# Stutter, tearing and freezes made in ways that no simulator knows",
        "",
        f"`python benchmarks/unseen_moments.py`, commit {commit}, {len(rows)} clips of "
        f"{len({row['recording'] for row in rows})} recordings; levels 3 to 5, operating points as "
        "shipped, one to one at an intersection over union of 0.5. Intervals are Wilson's, 95 %.",
        "",
        *moments.table(rows, defects),
        "",
    ]
    PAGE.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
