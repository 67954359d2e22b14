"""Runs the detectors over a folder of clips with a truth beside them, and says which are right.

    python benchmarks/cases.py FOLDER [--without DETECTORS] [--published FOLDER]

FOLDER holds clips and `truth.json`: `{"clips": [{"file": ..., "defects": [{"defect": ...}]}]}`. A
clip is right where every defect of the truth is found in its interval, half of it or more, and
nothing else is found at all. Defects of the detectors left out are neither asked for nor told.
--published names lists of what recordings have as they were published (tests/expected_findings): a
clip whose name ends with such a recording's, and in which nothing but that is told besides, is
counted apart.
Exit status 1 where a clip is not right.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from defectscope.analysis import analyze
from defectscope.detectors import load, names
from defectscope.findings import Finding, Interval

# Loudness holds against a target, whatever the picture is.
_ALWAYS_OUT = ("loudness", "av_sync", "spatial_image")
_LEAST_COVERED = 0.5


def wrong_in(truth: list[dict[str, Any]], found: list[Finding]) -> list[str]:
    """Returns what is wrong with the findings of a clip, in words; nothing where all is right."""
    out: list[str] = []
    for each in truth:
        span = Interval(float(each["start_s"]), float(each["end_s"]))
        own = [f.interval for f in found if f.defect == each["defect"]]
        covered_s = sum(span.intersection_s(one) for one in own)
        if covered_s < _LEAST_COVERED * span.duration_s:
            out.append(f"{each['defect']} {span.start_s:g}-{span.end_s:g} s missed")
    known = {each["defect"] for each in truth}
    out += [
        f"{f.defect} {f.start_s:.2f}-{f.end_s:.2f} s told" for f in found if f.defect not in known
    ]
    return out


def published(folder: Path | None) -> dict[str, set[str]]:
    """Returns the defects that recordings have as they were published, by their names."""
    out: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.json")) if folder else ():
        for name, entries in json.loads(path.read_text("utf-8")).get("files", {}).items():
            out.setdefault(Path(name).stem, set()).update(each["defect"] for each in entries)
    return out


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--published", type=Path, help="lists of what recordings have anyway")
    parser.add_argument(
        "--without",
        default="block_corruption,audio_artifacts",
        help="comma-separated detectors; default: %(default)s",
    )
    options = parser.parse_args()
    out = {*_ALWAYS_OUT, *options.without.split(",")}
    detectors = [name for name in names() if name not in out]
    judged = {defect for name in detectors for defect in load(name).defects}
    clips = json.loads((options.folder / "truth.json").read_text("utf-8"))["clips"]
    listed = published(options.published)
    right = as_published = 0
    print("| clip | made | result |\n|---|---|---|")
    for clip in clips:
        truth = [each for each in clip["defects"] if each["defect"] in judged]
        other = [each for each in clip["defects"] if each["defect"] not in judged]
        report = analyze(options.folder / clip["file"], detectors=detectors)
        wrong = wrong_in(truth, list(report.findings))
        right += not wrong
        own = listed.get(Path(clip["file"]).stem.rsplit("_", 1)[-1], set())
        others = [each for each in wrong if not each.endswith("told") or each.split()[0] not in own]
        as_published += bool(wrong) and not others
        made = sorted({each["defect"] for each in (*truth, *other)})
        words = "; ".join(wrong) or "right"
        print(f"| {clip['file']} | {', '.join(made) or 'nothing'} | {words} |", flush=True)
    print(f"\n{right} of {len(clips)} clips right.")
    if as_published:
        print(f"In {as_published} more nothing else is told but what the recording has anyway.")
    sys.exit(0 if right == len(clips) else 1)


if __name__ == "__main__":
    main()
