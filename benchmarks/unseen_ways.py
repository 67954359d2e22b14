"""How well defects are found that were made in ways no detector's simulator knows.

    python benchmarks/unseen_ways.py --media FOLDER [--media FOLDER ...] [--work DIR]
        [--defects a,b] [--tuning 5] [--unseen 3] [--clean N] [--made-only] [--limit N]
        [--ffmpeg BINARY] [--name unseen_ways]

Recordings are split once, by the hashes of their names: a third (and all whose licence allows no
training) never takes part in tuning. Every defect is made in several ways at five levels, at
several rasters, half of the clips re-encoded as for delivery; clean clips of every recording come
at their own size and at two others. Beside each detector a peer is asked: blockdetect, blurdetect
and bitplanenoise through PyAV, CAMBI where --ffmpeg names a binary that has libvmaf. Clips and
reports are kept in --work. Writes docs/results/unseen_ways.md.
"""

from __future__ import annotations

import argparse
import random
import subprocess
from pathlib import Path

from accuracy import command_line
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
    parser.add_argument("--clean", type=int, help="so many clean clips, drawn at random")
    parser.add_argument("--ffmpeg", type=Path, help="a binary with libvmaf")
    parser.add_argument("--name", default="unseen_ways", help="of the page in docs/results")
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
        clean=options.clean,
    )
    if options.made_only:
        clips = [c for c in clips if target_of(c, options.work).with_suffix(".json").exists()]
    random.Random(1).shuffle(clips)
    every = measured(clips[: options.limit], options.work, defects, options.ffmpeg)
    rows = [row for row in every if row["truth"] or not row["defect"]]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = [
        "# Defects made in ways that no simulator knows",
        "",
        f"`python benchmarks/unseen_ways.py {command_line()}`, commit {commit}, "
        f"{len(rows)} clips of {len({r['recording'] for r in rows})} recordings. "
        "Intervals are Wilson's, 95 %. "
        f"{len(every) - len(rows)} more whose defect shows nowhere are left out (make.py's rule).",
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
    PAGE.with_stem(options.name).write_text("\n".join(lines), "utf-8")


if __name__ == "__main__":
    main()
