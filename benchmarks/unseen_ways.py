"""How well defects are found that were made in ways no detector's simulator knows.

    python benchmarks/unseen_ways.py --media FOLDER [--media FOLDER ...] [--work DIR]
        [--defects a,b] [--tuning 5] [--unseen 3] [--made-only] [--limit N]

Recordings are split once, by the hashes of their names: a third (and all whose licence allows no
training) never takes part in tuning. Every defect is made in several ways at five levels, at
several rasters, half of the clips re-encoded as for delivery; clean clips of every recording come
at their own size and at two others. Clips and reports are kept in --work. Writes
docs/results/unseen_ways.md.
"""

from __future__ import annotations

import argparse
import random
import subprocess
from pathlib import Path

from unseen import page
from unseen.design import WAYS, design, recordings
from unseen.make import fits, target_of
from unseen.measure import measured

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "unseen_ways.md"


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, default=Path("build/unseen_ways"))
    parser.add_argument("--defects", default=",".join(WAYS))
    parser.add_argument("--tuning", type=int, default=5)
    parser.add_argument("--unseen", type=int, default=3)
    parser.add_argument("--made-only", action="store_true", help="only clips that lie there")
    parser.add_argument("--limit", type=int, help="so many clips, drawn at random")
    options = parser.parse_args()
    defects = options.defects.split(",")
    clips = design(
        recordings(options.media),
        fits,
        defects=defects,
        tuning=options.tuning,
        unseen=options.unseen,
    )
    if options.made_only:
        clips = [c for c in clips if target_of(c, options.work).with_suffix(".json").exists()]
    random.Random(1).shuffle(clips)
    rows = measured(clips[: options.limit], options.work, defects)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = [
        "# Defects made in ways that no simulator knows",
        "",
        f"`python benchmarks/unseen_ways.py`, commit {commit}, {len(rows)} clips of "
        f"{len({r['recording'] for r in rows})} recordings. Intervals are Wilson's, 95 %.",
        "Level 3 is plain to an untrained viewer, 5 gross. Operating points as shipped.",
        "",
        *page.table(rows, defects),
        "",
        "## Clean clips",
        "",
        *page.false_clips(rows, defects),
        "",
        "## Which detector reports which defect",
        "",
        *page.confusion(rows, defects),
        "",
    ]
    PAGE.write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
