"""Learns the grades of banding, blockiness and blur from clips made in ways apart from simulators.

    python benchmarks/fit_grades.py --media FOLDER [--media FOLDER ...] [--work DIR]
        [--defects a,b] [--install]

Clips are those of unseen_ways.py that may tune; every clean recording teaches whole, too, and a
whole one has a finding where any of its settled grades reaches the point. Each way is left out in
turn: what the others teach is tried on it, at the operating point, which is where one clean clip in
66 of the tuning set would be reported by trees that never saw its recording. --install writes the
artifacts.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr
from unseen.design import design, is_unseen, recordings
from unseen.fit import HEADS, Head, document, fitted, install, looks, taken
from unseen.make import fits, target_of
from unseen.page import PLAIN, auc

from defectscope.engine.artifacts import bundled
from defectscope.temporal.looks import settled

_FOLDS = 4
_CLEAN_QUANTILE = 0.985

Row = dict[str, Any]


def grade(defect: str, head: Head, teach: Sequence[Row], tried: Sequence[Row]) -> list[float]:
    """Returns the median grade of clips, the highest of recordings, by trees that others taught."""
    trees, used = fitted(defect, teach, head)
    columns = [head.names.index(name) for name in used]
    out: list[float] = []
    for row in tried:
        raw = trees.predict(np.array(row["looks"][defect])[:, columns])
        out.append(float(settled(raw).max() if row.get("whole") else np.median(raw)))
    return out


def operating_point(defect: str, head: Head, tuning: Sequence[Row]) -> float:
    """Returns the grade that few clean clips reach, each graded by others' recordings."""
    names = sorted({row["recording"] for row in tuning})
    clean: list[float] = []
    for fold in range(_FOLDS):
        apart = set(names[fold::_FOLDS])
        teach = [row for row in tuning if row["recording"] not in apart]
        tried = [row for row in tuning if row["recording"] in apart and not row["defect"]]
        clean += grade(defect, head, teach, tried)
    return float(np.quantile(clean, _CLEAN_QUANTILE))


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, default=Path("build/unseen_ways"))
    parser.add_argument("--defects", default=",".join(HEADS))
    parser.add_argument("--install", action="store_true")
    options = parser.parse_args()
    rows: list[Row] = []
    kept = options.work / "looks.jsonl"
    known: dict[str, Row] = {}
    if kept.exists():
        known = {row["key"]: row for row in map(json.loads, kept.read_text("utf-8").splitlines())}
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as file:
        for clip in design(recordings(options.media), fits):
            target = target_of(clip, options.work)
            note = target.with_suffix(".json")
            if not note.exists():
                continue
            if clip.key not in known:
                known[clip.key] = {**json.loads(note.read_text("utf-8")), "looks": looks(target)}
                file.write(json.dumps(known[clip.key]) + "\n")
            rows.append(known[clip.key])
        for path in recordings(options.media):
            key = f"whole.{path.name}"
            if key not in known:
                facts = {"key": key, "recording": str(path), "unseen": is_unseen(path)}
                nothing = {"defect": "", "way": "", "level": 0, "truth": [], "whole": True}
                known[key] = {**facts, **nothing, "looks": looks(path)}
                file.write(json.dumps(known[key]) + "\n")
            rows.append(known[key])
    for defect in options.defects.split(","):
        head = HEADS[defect]
        known_rows = taken(defect, rows)
        tuning = [row for row in known_rows if not row["unseen"]]
        bound = operating_point(defect, head, tuning)
        print(f"{defect}: operating point {bound:.2f}")
        clean = [row for row in known_rows if row["unseen"] and not row["defect"]]
        for way in sorted({row["way"] for row in rows if row["defect"] == defect}):
            own = [row for row in rows if row["way"] == way and row["unseen"]]
            teach = [row for row in tuning if row["way"] != way]
            found = grade(defect, head, teach, [*own, *clean])
            score, silent = found[: len(own)], found[len(own) :]
            plain = [s for s, r in zip(score, own, strict=True) if r["level"] >= PLAIN]
            rho = spearmanr(score, [row["level"] for row in own])[0]
            area = auc(plain, silent)
            print(
                f"  left out {way}: {sum(s > bound for s in plain)} of {len(plain)} found, "
                f"AUC {area if area is None else round(area, 3)}, rank correlation {rho:.2f}, "
                f"{sum(s > bound for s in silent)} of {len(silent)} clean clips"
            )
        if options.install:
            path = bundled("model_artifacts") / defect / "detector.json"
            install(path, document(*fitted(defect, tuning, head)), round(bound, 2))


if __name__ == "__main__":
    main()
