"""Grades of banding, blockiness and blur beside peers, on the same frames: who is ahead where.

    python benchmarks/peer_grades.py --looks FILE [--work DIR] [--series 2] [--clean 40]
        [--defects a,b] [--ffmpeg BINARY]

FILE is the `looks.jsonl` that fit_grades.py keeps: two looks of each clip. Of each way so many
series of all levels in unseen recordings count, and clean clips of other unseen recordings. The
frames of each are made again as they were and written to a file, which blockdetect and blurdetect
get through PyAV, and CAMBI through a binary with libvmaf; what they say is kept in --work. The
grade is that of the looks as shipped, without the rules that follow it. Prints the tables.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from unseen.design import Clip
from unseen.fit import HEADS, shipped_grades, taken
from unseen.make import short_run, write
from unseen.page import PLAIN, auc
from unseen.peers import NAMES, scores
from unseen.series import rank_correlations, series_of

Row = dict[str, Any]


def chosen(rows: Sequence[Row], defect: str, series: int, clean: int) -> list[Row]:
    """Returns the clips of unseen recordings that count for a defect."""
    unseen = [row for row in taken(defect, rows) if row["unseen"] and not row.get("whole")]
    out: list[Row] = []
    for way in sorted({row["way"] for row in unseen if row["defect"] == defect}):
        own = [row for row in unseen if row["way"] == way and row["defect"] == defect]
        names = sorted({row["recording"] for row in own})[:series]
        out += [row for row in own if row["recording"] in names]
    silent: dict[str, Row] = {}
    for row in unseen:
        if not row["defect"]:
            silent.setdefault(row["recording"], row)
    return [*out, *(silent[name] for name in sorted(silent)[:clean])]


def asked(rows: Sequence[Row], defects: Sequence[str], kept: Path, ffmpeg: Path | None) -> None:
    """Asks the peers about each clip, unless that was done before; adds `peer` to the rows."""
    known: dict[str, dict[str, float]] = {}
    if kept.exists():
        lines = map(json.loads, kept.read_text("utf-8").splitlines())
        known = {line["key"]: line["peer"] for line in lines}
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:
        for row in sorted(rows, key=lambda row: (row["recording"], row["height"])):
            wanted = [row["defect"]] if row["defect"] else list(defects)
            row["peer"] = known.setdefault(row["key"], {})
            if all(defect in row["peer"] for defect in wanted):
                continue
            clip = Clip(**{name: row[name] for name in Clip.__dataclass_fields__})
            path = Path(folder) / "clip.mp4"
            write(short_run(clip), path, delivery=clip.delivery)
            row["peer"].update(scores(path, wanted, ffmpeg))
            file.write(json.dumps({"key": row["key"], "peer": row["peer"]}) + "\n")
            file.flush()


def figures(own: Sequence[Row], values: Sequence[float], quiet: Sequence[float]) -> list[float]:
    """Returns AUC, rank correlation within recordings (mean) and over all recordings."""
    plain = [v for v, row in zip(values, own, strict=True) if row["level"] >= PLAIN]
    within = rank_correlations(series_of(own, values))
    over = spearmanr(values, [row["level"] for row in own])[0] if len(set(values)) > 1 else 0.0
    area = auc(plain, quiet)
    assert area is not None
    return [area, float(np.mean(within)) if within else 0.0, float(over)]


def table(defect: str, rows: Sequence[Row]) -> tuple[list[str], list[tuple[float, float]]]:
    """Returns the table's lines of a defect, and each figure beside that of the peer."""
    clean = [row for row in rows if not row["defect"] and defect in row["peer"]]
    quiet = shipped_grades(defect, clean), [row["peer"][defect] for row in clean]
    lines: list[str] = []
    pairs: list[tuple[float, float]] = []
    for way in sorted({row["way"] for row in rows if row["defect"]}):
        own = [row for row in rows if row["way"] == way and defect in row["peer"]]
        if not any(row["level"] >= PLAIN for row in own) or not clean:
            continue
        ours = figures(own, shipped_grades(defect, own), quiet[0])
        theirs = figures(own, [row["peer"][defect] for row in own], quiet[1])
        pairs += zip(ours, theirs, strict=True)
        cells = " | ".join(f"{a:.2f} | {b:.2f}" for a, b in zip(ours, theirs, strict=True))
        lines.append(f"| {defect} | {way} | {NAMES[defect]} | {len(own)} | {cells} |")
    return lines, pairs


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("build/peer_grades"))
    parser.add_argument("--defects", default=",".join(HEADS))
    parser.add_argument("--series", type=int, default=2)
    parser.add_argument("--clean", type=int, default=40)
    parser.add_argument("--ffmpeg", type=Path, help="a binary with libvmaf, for CAMBI")
    options = parser.parse_args()
    defects = options.defects.split(",")
    if options.ffmpeg is None:
        defects = [defect for defect in defects if defect != "banding"]
    rows = [json.loads(line) for line in options.looks.read_text("utf-8").splitlines()]
    by = {d: [dict(r) for r in chosen(rows, d, options.series, options.clean)] for d in defects}
    for defect, own in by.items():
        asked(own, [defect], options.work / f"{defect}.jsonl", options.ffmpeg)
    head = ["AUC", "its AUC", "rank within", "its", "rank over all", "its"]
    print(f"| defect | way | peer | clips | {' | '.join(head)} |\n|{'---|' * (4 + len(head))}")
    every: list[tuple[float, float]] = []
    for defect, own in by.items():
        lines, pairs = table(defect, own)
        every += pairs
        print("\n".join(lines))
    for at, name in enumerate(("AUC", "rank correlation within", "rank correlation over all")):
        part = every[at::3]
        ahead, level = sum(a > b for a, b in part), sum(a == b for a, b in part)
        print(f"\n{name}: ahead in {ahead} of {len(part)} rows, level in {level}.")


if __name__ == "__main__":
    main()
