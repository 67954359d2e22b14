"""Learns the grades of banding, blockiness and blur from clips made in ways apart from simulators.

    python benchmarks/fit_grades.py --media FOLDER [--media FOLDER ...] [--work DIR]
        [--defects a,b] [--tuning 7] [--unseen 6] [--clean 300] [--whole FOLDER] [--plots FOLDER]
        [--install] [--shipped]

Clips are short ones of the design of unseen_ways.py, in series: all levels of a way in one
recording. Only two looks of each are kept, in --work, so that learning again takes seconds.
Recordings in --whole folders teach and count as clean ones by their key frames, and have a finding
where any settled grade reaches the point. Each way is left out in turn: what the others teach is
tried on it, at the operating point, which is where one clean clip in 66 of the tuning set would be
reported by trees that never saw its recording. How a grade follows strength is told within each
series: recordings differ in how much the same quantiser shows. --install writes the artifacts;
--shipped tries those that are there instead, and learns nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from unseen.design import WAYS, design, is_unseen, recordings
from unseen.fit import (
    HEADS,
    Head,
    document,
    fitted,
    install,
    key_looks,
    shipped_grades,
    short_looks,
    taken,
)
from unseen.make import fits
from unseen.page import PLAIN, auc
from unseen.series import plot, series_of, summary

from defectscope.engine.artifacts import bundled
from defectscope.temporal.looks import settled

_FOLDS = 4
_CLEAN_QUANTILE = 0.985

Row = dict[str, Any]


def grade(defect: str, head: Head, teach: Sequence[Row], tried: Sequence[Row]) -> list[float]:
    """Returns the lower grade of clips, the highest of recordings, by trees that others taught."""
    trees, used = fitted(defect, teach, head)
    columns = [head.names.index(name) for name in used]
    out: list[float] = []
    for row in tried:
        raw = trees.predict(np.array(row["looks"][defect])[:, columns])
        out.append(float(settled(raw).max()))
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
    parser.add_argument("--whole", type=Path, action="append", default=[])
    parser.add_argument("--work", type=Path, default=Path("build/fit_grades"))
    parser.add_argument("--defects", default=",".join(HEADS))
    parser.add_argument("--tuning", type=int, default=7)
    parser.add_argument("--unseen", type=int, default=6)
    parser.add_argument("--clean", type=int, default=300)
    parser.add_argument("--plots", type=Path, help="where a picture of the series is written")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--shipped", action="store_true", help="try the artifacts as they are")
    options = parser.parse_args()
    rows = _kept(options)
    for defect in options.defects.split(","):
        (_shipped(defect, rows) if options.shipped else _learn(defect, rows, options))


def _kept(options: argparse.Namespace) -> list[Row]:
    """Returns every clip and recording with its looks, measured where that was not done before."""
    clips = design(
        recordings(options.media),
        fits,
        # Clips of the others teach as clean ones, and are of no use where nothing is taught.
        defects=options.defects.split(",") if options.shipped else list(HEADS),
        tuning=options.tuning,
        unseen=options.unseen,
        clean=options.clean,
        ways=WAYS,
    )
    kept = options.work / "looks.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, Row] = {}
    if kept.exists():
        known = {row["key"]: row for row in map(json.loads, kept.read_text("utf-8").splitlines())}
    keys: list[str] = []
    with kept.open("a", encoding="utf-8") as file:
        for clip in sorted(clips, key=lambda clip: (clip.recording, clip.height)):
            if clip.key not in known:
                try:
                    looks, visible = short_looks(clip)
                except (OSError, ValueError, IndexError, cv2.error) as error:
                    print(f"{clip.key}: {error}", file=sys.stderr)
                    continue
                truth = [[0.0, 1.0]] if visible else []
                known[clip.key] = {**clip.to_dict(), "truth": truth, "looks": looks}
                file.write(json.dumps(known[clip.key]) + "\n")
                file.flush()
            keys.append(clip.key)
        for path in recordings(options.whole):
            key = f"whole.{path.name}"
            if key not in known:
                facts = {"key": key, "recording": str(path), "unseen": is_unseen(path)}
                nothing = {"defect": "", "way": "", "level": 0, "truth": [], "whole": True}
                known[key] = {**facts, **nothing, "looks": key_looks(path)}
                file.write(json.dumps(known[key]) + "\n")
                file.flush()
            keys.append(key)
    return [known[key] for key in keys]


def _shipped(defect: str, rows: Sequence[Row]) -> None:
    artifact = json.loads((bundled("model_artifacts") / defect / "detector.json").read_bytes())
    bounds = artifact["thresholds"]
    bound = bounds.get("whole_grade", bounds["plain_grade"])
    unseen = [row for row in taken(defect, rows) if row["unseen"]]
    clean = shipped_grades(defect, [row for row in unseen if not row["defect"]])
    print(f"{defect} {artifact['version']}: {sum(c >= bound for c in clean)} of {len(clean)} clean")
    own = [dict(row) for row in unseen if row["defect"] == defect]
    for way in [*sorted({row["way"] for row in own}), ""]:
        part = [row for row in own if way in ("", row["way"])]
        score = shipped_grades(defect, part)
        plain = [s for s, r in zip(score, part, strict=True) if r["level"] >= PLAIN]
        area = auc(plain, clean)
        print(
            f"  {way or 'all'}: {sum(s >= bound for s in plain)} of {len(plain)} found, "
            f"AUC {area if area is None else round(area, 3)}, rank correlation "
            f"{summary(series_of(part, score))}"
        )


def _learn(defect: str, rows: Sequence[Row], options: argparse.Namespace) -> None:
    head = HEADS[defect]
    counted = [dict(row) for row in taken(defect, rows)]
    tuning = [row for row in counted if not row["unseen"]]
    bound = operating_point(defect, head, tuning)
    print(f"{defect}: operating point {bound:.2f}")
    clean = [row for row in counted if row["unseen"] and not row["defect"]]
    drawn: list[Any] = []
    for way in sorted({row["way"] for row in counted if row["defect"] == defect}):
        own = [row for row in counted if row["way"] == way and row["unseen"]]
        teach = [row for row in tuning if row["way"] != way]
        found = grade(defect, head, teach, [*own, *clean])
        score, silent = found[: len(own)], found[len(own) :]
        plain = [s for s, r in zip(score, own, strict=True) if r["level"] >= PLAIN]
        area = auc(plain, silent)
        series = series_of(own, score)
        drawn += series
        print(
            f"  left out {way}: {sum(s > bound for s in plain)} of {len(plain)} found, "
            f"AUC {area if area is None else round(area, 3)}, rank correlation {summary(series)}, "
            f"{sum(s > bound for s in silent)} of {len(silent)} clean clips"
        )
    if options.plots:
        title = f"{defect}: grade against level, way left out, unseen recordings"
        plot(drawn, bound, title, options.plots / f"grades_{defect}.png")
    if options.install:
        path = bundled("model_artifacts") / defect / "detector.json"
        install(path, document(*fitted(defect, tuning, head)), round(bound, 2))


if __name__ == "__main__":
    main()
