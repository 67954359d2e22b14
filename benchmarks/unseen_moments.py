"""How well defects of a moment are found that were made in ways no simulator knows.

    python benchmarks/unseen_moments.py --media FOLDER [--media FOLDER ...] [--sound FOLDER ...]
        [--voices FOLDER] [--work DIR] [--defects a,b] [--per-way 4] [--limit N]

Each way is made in recordings that move throughout, or sound throughout, at levels 3 to 5, at 240
to 720 lines, half of the clips encoded as for delivery; each recording gives one clean clip beside
them. Recordings are split by the hashes of their names, as in unseen_ways.py. All measured
detectors run on every clip, and ffmpeg's filter for the same defect where there is one. A finding
counts where it meets a true interval, one to one, at an intersection over union of 0.5. Clips and
reports are kept in --work, so that a run goes on where it stopped. Writes
docs/results/unseen_moments.md, with the matrix of what was made against what was found; --print
only prints what is known so far.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from peers import PEERS, ask
from unseen import moments, moments_page, moments_sound
from unseen.design import recordings
from unseen.measure import stamp
from unseen.moments import Moment
from verified import throughout

from defectscope.detectors import load, names

PAGE = Path(__file__).resolve().parents[1] / "docs" / "results" / "unseen_moments.md"
# Networks are measured elsewhere; loudness holds against a target, and damaged streams are files.
_NOT_HERE = ("audio_artifacts", "av_sync", "block_corruption", "loudness", "spatial_image")
_PEERS = {peer.defect: peer for peer in PEERS}
_SOUND = ("audio_dropout", "stereo_image")


def judged(clips: Iterable[Moment], detectors: list[str], kept: Path) -> Iterable[dict[str, Any]]:
    """Returns what is true of each clip and what was found, from `kept` where it is known."""
    done: dict[str, dict[str, Any]] = {}
    if kept.exists():
        done = {row["file"]: row for row in map(json.loads, kept.read_text("utf-8").splitlines())}
    for clip in clips:
        file = clip.facts["file"]
        if file not in done:
            own = [n for n in detectors if (n in _SOUND) == ("sound" in clip.facts)]
            row = moments.decided(clip, own)
            peer = _PEERS.get(row["defect"])
            row["peer"] = ask(peer, clip.path)["events"] if peer else None
            done[file] = row
            with kept.open("a", encoding="utf-8") as out:
                out.write(json.dumps(row) + "\n")
        yield done[file]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--sound", type=Path, action="append", default=[])
    parser.add_argument("--voices", type=Path, help="recordings of speech, for captions")
    parser.add_argument("--work", type=Path, default=Path("build/unseen_moments"))
    parser.add_argument("--defects", default="", help="all by default")
    parser.add_argument("--per-way", type=int, default=4)
    parser.add_argument("--limit", type=int, help="so many clips of pictures at most")
    parser.add_argument("--print", action="store_true", help="write no page")
    options = parser.parse_args()
    every = [*moments.DEFECTS, *moments_sound.DEFECTS, *moments_sound.CAPTION_DEFECTS]
    defects = options.defects.split(",") if options.defects else every
    detectors = [n for n in names() if n not in (*_NOT_HERE, "caption_quality")]
    kept = options.work / f"reports.{stamp(detectors)}.jsonl"
    options.work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    if options.sound:
        found = [p for f in options.sound for p in sorted(f.rglob("*"))]
        sounds = [p for p in found if p.suffix.lower() in moments_sound.SUFFIXES]
        wanted = [d for d in moments_sound.DEFECTS if d in defects]
        clips = moments_sound.made(sounds, wanted, options.per_way, options.work)
        rows += judged(clips, detectors, kept)
    if options.voices:
        rows += captions(options, kept.with_name(f"captions.{stamp(['caption_quality'])}.jsonl"))
    wanted = [d for d in moments.DEFECTS if d in defects]
    clips = moments.made(recordings(options.media), wanted, options.per_way, options.work)
    rows += judged(islice(clips, options.limit), detectors, kept)
    columns = [d for n in (*detectors, "caption_quality") for d in load(n).defects]
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    lines = [
        "# Defects of a moment, made in ways that no simulator knows",
        "",
        f"`python benchmarks/unseen_moments.py`, commit {commit}, {len(rows)} clips of "
        f"{len({row['recording'] for row in rows})} recordings; levels 3 to 5, operating points as "
        "shipped, one to one at an intersection over union of 0.5. Intervals are Wilson's, 95 %. "
        "The peers are ffmpeg's filters with their defaults, on the same clips in the same run.",
        "",
        "## Unseen recordings",
        "",
        *moments_page.goals(rows, defects),
        "",
        "## By way",
        "",
        *moments_page.by_way(rows, defects),
        "",
        "## What else was found",
        "",
        *moments_page.confusion(rows, columns, throughout()),
        "",
    ]
    print("\n".join([*lines, *moments_page.errors(rows)]))
    if not options.print:
        PAGE.write_text("\n".join(lines), "utf-8")


def captions(options: argparse.Namespace, kept: Path) -> list[dict[str, Any]]:
    """Returns what was found of captions, once for each state of the detector."""
    if not kept.exists():
        voices = sorted(p for p in options.voices.rglob("voc_*") if p.suffix == ".ogg")
        music = sorted(p for f in options.sound for p in f.rglob("*Kevin_MacLeod*.ogg"))
        rows = moments_sound.captioned(voices, music, options.per_way)
        kept.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return [json.loads(line) for line in kept.read_text("utf-8").splitlines()]


if __name__ == "__main__":
    main()
