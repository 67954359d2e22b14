"""Every finding on clean material, compared with the defects that are known to be in it.

    python benchmarks/false_alarms.py --media FOLDER [--media FOLDER ...] [--broken FOLDER]
        [--delivered] [--without a,b]

Each file is analyzed whole; with --delivered each recording also scaled to 480 lines and encoded
anew (delivered.py). A finding is expected where tests/expected_findings/ lists it: somebody
looked at the frames or the waveform and saw it there. Everything else is a false alarm. Really
broken files (--broken) are held against the same lists, but are no clean material. Verdicts are
kept in --work, so that a run that was cut off goes on where it stopped.
Writes docs/results/false_alarms.md and .json; --name calls them otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from accuracy import command_line, version
from delivered import delivered
from recordings import SUFFIXES
from verified import expected, is_expected

from defectscope.analysis import analyze
from defectscope.detectors import load, names
from defectscope.errors import DefectscopeError
from defectscope.training.scores import poisson_upper

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "results"
# Why findings are false, by recording and defect, as somebody who looked wrote down.
REASONS = Path(__file__).with_suffix(".toml")
# A measurement against a delivery target is no claim that something is broken.
AGAINST_A_TARGET = "loudness"
# How a folder is called whose recordings were delivered first.
DELIVERED = ", 480 lines"


@dataclass(frozen=True)
class Job:
    """A file to be analyzed.

    Attributes:
        path: The recording.
        folder: Which of the folders asked for it lies in.
        detectors: Which detectors run.
        work: Where verdicts are kept.
        delivered: Where it is kept at 480 lines; None analyzes it as it is.
    """

    path: Path
    folder: Path
    detectors: tuple[str, ...]
    work: Path
    delivered: Path | None = None


def analyzed(job: Job) -> dict[str, Any]:
    """Evaluates one file whole, unless that was done before."""
    path: Path | None = job.path
    label = job.path.relative_to(job.folder.parent).as_posix().replace("/", "__")
    if job.delivered is not None:
        label += ".delivered"
    note = job.work / f"{label}.json"
    if note.exists():
        return json.loads(note.read_text("utf-8"))
    result: dict[str, Any] = {"file": job.path.name, "folder": job.folder.name}
    if job.delivered is not None:
        result["folder"] += DELIVERED
        try:
            path = delivered(job.path, job.delivered)
        except OSError as error:
            return result | {"error": f"cannot be encoded: {error}"}
        if path is None:
            return result | {"error": "no picture"}
    try:
        report = analyze(path, detectors=job.detectors, uri=job.path.name)
    except DefectscopeError as error:
        result |= {"error": error.message}
    else:
        result |= {
            "video": "video" in report.asset,
            "audio": "audio" in report.asset,
            "seconds": report.asset["duration_s"],
            "judged": [n for n, v in report.verdicts.items() if v["verdict"] in ("pass", "fail")],
            "findings": [
                [f.detector, f.defect, f.start_s, f.end_s, dict(f.evidence)]
                for f in report.findings
            ],
        }
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(result), "utf-8")
    return result


def tabulate(results: Sequence[dict[str, Any]], broken: str) -> dict[str, Any]:
    """Counts hours, expected findings and false alarms for each detector.

    Args:
        results: What every file came to.
        broken: Name of the folder with really broken files, which are listed apart.
    """
    known = expected()
    hours: dict[str, float] = defaultdict(float)
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    folders: dict[str, dict[str, float]] = {}
    alarms: list[list[Any]] = []
    seen: list[list[Any]] = []
    streams: list[list[Any]] = []
    for result in results:
        if "error" in result:
            continue
        listed = known.get(result["file"], [])
        compared = [(f, is_expected(f, listed)) for f in result["findings"]]
        if result["folder"] == broken:
            streams += [[result["file"], *f, fits] for f, fits in compared]
            continue
        into = folders.setdefault(result["folder"], {"files": 0, "picture_s": 0.0, "sound_s": 0.0})
        into["files"] += 1
        into["picture_s"] += result["seconds"] * result["video"]
        into["sound_s"] += result["seconds"] * result["audio"]
        for detector in result["judged"]:
            hours[detector] += result["seconds"] / 3600
        for finding, fits in compared:
            counts[finding[0]][fits] += 1
            (seen if fits else alarms).append([result["folder"], result["file"], *finding])
    rows = {
        detector: {
            "hours": round(hours[detector], 3),
            "expected": counts[detector][1],
            "false_alarms": counts[detector][0],
            "per_hour": round(counts[detector][0] / hours[detector], 2),
            "per_hour_upper_95": round(poisson_upper(counts[detector][0]) / hours[detector], 2),
        }
        for detector in sorted(hours)
    }
    return {
        "rows": rows,
        "folders": folders,
        "false_alarms": alarms,
        "expected_found": seen,
        "expected_missed": _unfound(known, results),
        "broken": streams,
        "unreadable": [[r["file"], r["error"]] for r in results if "error" in r],
    }


def _unfound(
    known: Mapping[str, Sequence[Mapping[str, Any]]], results: Sequence[dict[str, Any]]
) -> list[list[Any]]:
    """Returns what is listed for an analyzed file and was not found in it."""
    return [
        [result["file"], entry["defect"], entry["start_s"], entry["end_s"]]
        for result in results
        for entry in known.get(result["file"], ())
        if not any(is_expected(f, [entry]) for f in result.get("findings", ()))
    ]


def page(found: Mapping[str, Any], reasons: Mapping[str, Mapping[str, str]]) -> str:
    """Returns the results as Markdown."""
    folders = found["folders"]
    video_h = sum(f["picture_s"] for f in folders.values()) / 3600
    sound_h = sum(f["sound_s"] for f in folders.values()) / 3600
    lines = [
        "# False alarms on clean material",
        "",
        f"`{found['command']}` at {found['commit']}: {video_h:.3f} h of video and "
        f"{sound_h:.2f} h of sound, every file analyzed whole. Expected findings are those that "
        "were verified by eye or ear-and-waveform and are listed, with why, in "
        "tests/expected_findings/. Loudness measures against a target and is left out. Each false "
        "finding was looked at; why it is false stands in benchmarks/false_alarms.toml. What is "
        "really in strangers' recordings was written down from contact sheets and frame "
        "differences; what a sheet cannot show (blur, grids, contours) was judged at full size "
        "where a detector pointed at it.",
        "",
        "| material | files | video, min | sound, min |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {f['files']:.0f} | {f['picture_s'] / 60:.1f} | {f['sound_s'] / 60:.1f} |"
        for name, f in folders.items()
    ]
    lines += _table(found["rows"])
    lines += ["", "## False alarms that remain", ""]
    lines += _listed(found["false_alarms"], reasons) or ["None."]
    lines += ["", "## Verified, and not found", ""]
    lines += [
        f"- {file}: {defect} {start_s:g}-{end_s:g} s"
        for file, defect, start_s, end_s in found["expected_missed"]
    ] or ["None."]
    if found["broken"]:
        lines += ["", "## Really broken and interlaced streams", ""]
        lines += ["| file | finding | evidence | verified |", "|---|---|---|---|"]
        lines += [
            f"| {file} | {defect} {start_s:.2f}-{end_s:.2f} s | {_short(evidence)} "
            f"| {'yes' if fits else 'no'} |"
            for file, _, defect, start_s, end_s, evidence, fits in found["broken"]
        ]
    if found["delivered"]:
        again = found["delivered"]
        lines += ["", "## Each recording at 480 lines, encoded anew", ""]
        lines += [
            "Scaled and encoded as for delivery (benchmarks/delivered.py), then held against the "
            "same lists. A finding is `expected` where the recording has that defect as published; "
            "every other one is `other`.",
        ]
        lines += _table(again["rows"])
        lines += ["", *(f"- other: {line[2:]}" for line in _listed(again["false_alarms"], reasons))]
        lines += [f"- expected: {line[2:]}" for line in _listed(again["expected_found"], {})]
    if found["unreadable"]:
        lines += ["", "## Files that could not be analyzed", ""]
        lines += [f"- {file}: {text}" for file, text in found["unreadable"]]
    return "\n".join(lines) + "\n"


def _table(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns the lines of the table of detectors."""
    return [
        "",
        "| detector | hours analyzed | expected findings | false alarms | per hour "
        "| 95 % upper bound per hour (Poisson) |",
        "|---|---|---|---|---|---|",
        *(
            f"| {name} | {r['hours']} | {r['expected']} | {r['false_alarms']} | {r['per_hour']} "
            f"| {r['per_hour_upper_95']} |"
            for name, r in rows.items()
        ),
    ]


def _listed(alarms: Sequence[Sequence[Any]], reasons: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Returns a line for each finding, with why it is false where somebody wrote that down."""
    ordered = sorted(alarms, key=lambda alarm: (alarm[3], alarm[1], alarm[0]))
    return [
        f"- {file} ({folder}): {defect} {start_s:.2f}-{end_s:.2f} s"
        + (f": {reasons[file][defect]}" if defect in reasons.get(file, {}) else "")
        for folder, file, _, defect, start_s, end_s, _ in ordered
    ]


def _short(evidence: Mapping[str, Any]) -> str:
    kept = [f"{k} {v}" for k, v in evidence.items() if not isinstance(v, list)]
    return ", ".join(kept[:4])


def main() -> None:
    """Evaluates everything, counts, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--broken", type=Path, help="a folder of really broken files")
    parser.add_argument("--delivered", action="store_true", help="also at 480 lines, encoded anew")
    parser.add_argument("--without", default="", help="comma-separated detectors left out")
    parser.add_argument("--work", type=Path, default=Path("runs/false_alarms"))
    parser.add_argument("--name", default="false_alarms", help="of the page in docs/results")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--skip", default="", help="comma-separated file names")
    parser.add_argument("--commit", default="", help="what to call the code; default: ask git")
    arguments = parser.parse_args()
    left_out = {AGAINST_A_TARGET, *arguments.without.split(",")}
    detectors = tuple(n for n in names() if n not in left_out)
    for name in detectors:
        load(name)
    skipped = set(arguments.skip.split(","))
    work = arguments.work / version()
    jobs = [
        Job(path, folder, detectors, work)
        for folder in [*arguments.media, *([arguments.broken] if arguments.broken else [])]
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES and path.name not in skipped
    ]
    if arguments.delivered:
        kept = arguments.work / "delivered"
        jobs += [replace(job, delivered=kept) for job in jobs if job.folder != arguments.broken]
    results: list[dict[str, Any]] = []
    with ProcessPoolExecutor(arguments.workers) as pool:
        for number, result in enumerate(pool.map(analyzed, jobs, chunksize=4), 1):
            results.append(result)
            if number % 50 == 0:
                print(f"  {number}/{len(jobs)} files", file=sys.stderr, flush=True)
    again = [r for r in results if r["folder"].endswith(DELIVERED)]
    own = [r for r in results if not r["folder"].endswith(DELIVERED)]
    found = tabulate(own, arguments.broken.name if arguments.broken else "")
    found["delivered"] = tabulate(again, "") if again else {}
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    found["commit"] = arguments.commit or done.stdout.strip()
    found["command"] = "python benchmarks/false_alarms.py " + command_line()
    reasons = tomllib.loads(REASONS.read_text("utf-8"))
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{arguments.name}.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    text = page(found, reasons)
    (RESULTS / f"{arguments.name}.md").write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
