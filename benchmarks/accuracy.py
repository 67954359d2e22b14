"""How well each detector finds what was simulated in recordings, and what it finds by mistake.

    python benchmarks/accuracy.py --media FOLDER [--media FOLDER ...] [--defects a,b] [--per 3]

Recordings are cut into excerpts, impaired at five severities and judged by every detector. Events
are matched one to one at IoU >= 0.5. Impaired clips are kept in --work, so that a second run judges
again without simulating again. Writes docs/results/accuracy.md and accuracy.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from defectscope.detectors import load, names
from defectscope.detectors.judging import analyze
from defectscope.errors import DefectscopeError
from defectscope.findings import Interval
from defectscope.media import open_media
from defectscope.media.frames import Frame, Samples
from defectscope.media.writer import write_clip
from defectscope.simulate.contract import CaptionSimulator, ContainerSimulator
from defectscope.simulate.registry import simulators
from defectscope.simulate.run import audio_encoding, impair_file, job, stream_of, video_encoding

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
SEVERITIES = (1, 2, 3, 4, 5)
MATCH_IOU = 0.5
EXCERPT_S = 8.0
SPAN_S = (2.5, 3.0)  # where the defect is wanted: start and length inside the excerpt
SUFFIXES = {".mp4", ".webm", ".mpg", ".ogg", ".wav", ".flac", ".mkv"}


@dataclass
class Clip:
    """An impaired (or clean) excerpt and what is true of it."""

    path: Path
    source: str
    defect: str | None
    severity: int
    truth: list[tuple[str, Interval]]


def excerpts(
    folders: Sequence[Path], work: Path, medium: str, count: int, offset: int
) -> list[Path]:
    """Cuts one excerpt from each of `count` recordings, chosen by their names' hashes."""
    files = sorted(
        (f for folder in folders for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES),
        key=lambda f: hashlib.sha256(f.name.encode()).hexdigest(),
    )
    made: list[Path] = []
    for file in files[offset:] + files[:offset]:
        if len(made) == count:
            break
        target = work / "excerpts" / f"{file.stem}.{medium}.mkv"
        if not target.exists() and not _cut(file, target, medium):
            continue
        made.append(target)
    return made


def _cut(file: Path, target: Path, medium: str) -> bool:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_media(file) as reader:
        info = reader.info
        if (info.video if medium == "video" else info.audio) is None or info.duration_s < 5:
            return False
        video, audio = info.video, info.audio
        end_s = min(EXCERPT_S, info.duration_s)
        items = list(reader.read(0.0, end_s, video=medium == "video", audio=medium == "audio"))
    frames = [i for i in items if isinstance(i, Frame)]
    runs = [i for i in items if isinstance(i, Samples)]
    if medium == "audio":
        peak = max((float(abs(r.data).max()) for r in runs), default=0.0)
        if peak < 0.02:
            return False
    write_clip(
        target,
        frames=frames,
        runs=runs,
        video=video_encoding(video) if medium == "video" and video else None,
        audio=audio_encoding(audio, ".mkv") if medium == "audio" and audio else None,
    )
    return True


def impaired(source: Path, name: str, severity: int, work: Path) -> Clip | None:
    """Makes one defect in an excerpt; None where the excerpt cannot have it."""
    target = work / "impaired" / f"{source.stem}.{name}.{severity}.mkv"
    note = target.with_suffix(".truth.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not note.exists():
        seed = int(hashlib.sha256(f"{source.stem}{name}{severity}".encode()).hexdigest()[:8], 16)
        try:
            stream = stream_of(source)
            plan = job(
                name, stream, seed=seed, start_s=SPAN_S[0], duration_s=SPAN_S[1], severity=severity
            )
            truth = impair_file(source, target, [plan])
        except DefectscopeError as error:
            print(f"  {source.stem} {name} {severity}: {error.message}", file=sys.stderr)
            return None
        note.write_text(json.dumps([t.to_dict() for t in truth]))
    events = [
        (t["defect"], Interval(t["start_s"], t["end_s"])) for t in json.loads(note.read_text())
    ]
    return Clip(target, source.stem, name, severity, events)


def matched(truth: list[Interval], found: list[Interval]) -> list[tuple[Interval, Interval]]:
    """Gives one-to-one pairs, best overlap first."""
    pairs = sorted(
        ((t.iou(f), i, j) for i, t in enumerate(truth) for j, f in enumerate(found)), reverse=True
    )
    used_t: set[int] = set()
    used_f: set[int] = set()
    out: list[tuple[Interval, Interval]] = []
    for iou, i, j in pairs:
        if iou >= MATCH_IOU and i not in used_t and j not in used_f:
            used_t.add(i)
            used_f.add(j)
            out.append((truth[i], found[j]))
    return out


def auc(positive: list[float], negative: list[float]) -> float:
    """Gives the area under the ROC curve, ties counted half."""
    if not positive or not negative:
        return math.nan
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def judge(clip: Clip, detectors: Sequence[str], work: Path) -> dict[str, object]:
    """Judges a clip with every detector."""
    report = analyze(clip.path, detectors=detectors, uri=clip.path.name)
    return {
        "findings": [(f.detector, f.defect, f.start_s, f.end_s) for f in report.findings],
        "peaks": {
            defect: score
            for entry in report.verdicts.values()
            for defect, score in entry["peak_score"].items()
        },
        "rate": _rate(report.asset),
    }


def _rate(asset: object) -> float:
    video = asset.get("video") if isinstance(asset, dict) else None
    if not video:
        return 25.0
    top, bottom = video["frame_rate"].split("/")
    return int(top) / int(bottom)


def main() -> None:
    """Simulates, judges, matches, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--defects", default="", help="comma-separated simulators; default: all")
    parser.add_argument("--without", default="", help="comma-separated detectors left out")
    parser.add_argument("--per", type=int, default=3, help="recordings per simulator")
    parser.add_argument("--offset", type=int, default=0, help="first recording, to hold out others")
    arguments = parser.parse_args()
    known = {d for n in names() for d in load(n).defects}
    wanted = [d for d in arguments.defects.split(",") if d] or [
        n
        for n, s in simulators().items()
        if not isinstance(s, CaptionSimulator | ContainerSimulator) and set(s.defects) & known
    ]
    detectors = [n for n in names() if n not in ("stream_integrity", *arguments.without.split(","))]
    clean_of: dict[str, list[Path]] = {
        medium: excerpts(arguments.media, arguments.work, medium, arguments.per, arguments.offset)
        for medium in ("video", "audio")
    }
    clean = {
        path: judge(Clip(path, path.stem, None, 0, []), detectors, arguments.work)
        for paths in clean_of.values()
        for path in paths
    }
    rows: dict[str, dict[str, object]] = {}
    matrix: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for name in wanted:
        rows[name] = _row(name, clean_of, clean, detectors, arguments.work, matrix)
        print(json.dumps({name: rows[name]}), flush=True)
    false_alarms = {
        path.stem: found["findings"] for path, found in clean.items() if found["findings"]
    }
    _write(rows, matrix, false_alarms, arguments)


def _row(
    name: str,
    clean_of: dict[str, list[Path]],
    clean: dict[Path, dict[str, object]],
    detectors: Sequence[str],
    work: Path,
    matrix: dict[str, dict[str, int]],
) -> dict[str, object]:
    simulator = simulators()[name]
    sources = clean_of[simulator.medium]
    recall: dict[int, list[int]] = {s: [0, 0] for s in SEVERITIES}
    hits = misses = extra = 0
    ends: list[float] = []
    positive: list[float] = []
    for severity in SEVERITIES:
        for source in sources:
            clip = impaired(source, name, severity, work)
            if clip is None:
                continue
            before = {(d, s, e) for _, d, s, e in clean[source]["findings"]}
            result = judge(clip, detectors, work)
            defects = {d for d, _ in clip.truth} or set(simulator.defects)
            truth = [interval for _, interval in clip.truth]
            found = [Interval(s, e) for _, d, s, e in result["findings"] if d in defects]
            pairs = matched(truth, found)
            recall[severity][0] += len(pairs)
            recall[severity][1] += len(truth)
            if severity >= 3:
                hits += len(pairs)
                misses += len(truth) - len(pairs)
                extra += len(found) - len(pairs)
                positive += [max((result["peaks"].get(d, 0.0) for d in defects), default=0.0)]
                rate = result["rate"]
                for t, f in pairs:
                    ends += [abs(t.start_s - f.start_s) * rate, abs(t.end_s - f.end_s) * rate]
            for detector, defect, s, e in result["findings"]:
                if defect not in defects and not _known(before, defect, s, e):
                    matrix[detector][name] += 1
    negative = [
        max((clean[s]["peaks"].get(d, 0.0) for d in simulator.defects), default=0.0)
        for s in sources
    ]
    f1 = 2 * hits / (2 * hits + misses + extra) if hits else 0.0
    return {
        "clips": len(positive),
        "f1": round(f1, 3),
        "missed": misses,
        "extra": extra,
        "median_end_error_frames": round(statistics.median(ends), 2) if ends else None,
        "max_end_error_frames": round(max(ends), 2) if ends else None,
        "auc": round(auc(positive, negative), 3),
        "recall": {s: round(a / b, 2) if b else None for s, (a, b) in recall.items()},
    }


def _known(
    before: set[tuple[str, float, float]], defect: str, start_s: float, end_s: float
) -> bool:
    """Whether the clean excerpt has the finding too: then the defect is not to blame."""
    span = Interval(start_s, end_s)
    return any(d == defect and Interval(s, e).iou(span) > 0.3 for d, s, e in before)


def _write(
    rows: dict[str, dict[str, object]],
    matrix: dict[str, dict[str, int]],
    false_alarms: dict[str, object],
    arguments: argparse.Namespace,
) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    lines = [
        "# Accuracy on simulated defects",
        "",
        f"`python benchmarks/accuracy.py --per {arguments.per} --offset {arguments.offset}` at "
        f"{commit}; {arguments.per} recordings a defect at severities 1 to 5, excerpts of "
        f"{EXCERPT_S:g} s. F1, end errors and AUC are at severity 3 and above; events match one "
        f"to one at IoU >= {MATCH_IOU}.",
        "",
        "| defect | clips | F1 | missed | extra | end error, frames (median / max) | clip AUC "
        "| recall by severity 1-5 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in sorted(rows.items()):
        recall = " / ".join("-" if v is None else f"{v:.2f}" for v in row["recall"].values())
        lines.append(
            f"| {name} | {row['clips']} | {row['f1']} | {row['missed']} | {row['extra']} "
            f"| {row['median_end_error_frames']} / {row['max_end_error_frames']} | {row['auc']} "
            f"| {recall} |"
        )
    lines += ["", "## Findings of another defect on impaired clips", ""]
    lines += ["| detector | made (findings) |", "|---|---|"]
    for detector, by in sorted(matrix.items()):
        made = ", ".join(f"{k} ({v})" for k, v in sorted(by.items()))
        lines.append(f"| {detector} | {made} |")
    lines += ["", "## Findings on the clean excerpts", ""]
    lines += [f"- {name}: {found}" for name, found in false_alarms.items()] or ["None."]
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "accuracy.md").write_text("\n".join(lines) + "\n", "utf-8")
    (RESULTS / "accuracy.json").write_text(
        json.dumps({"rows": rows, "matrix": matrix, "clean": false_alarms}, indent=1) + "\n"
    )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
