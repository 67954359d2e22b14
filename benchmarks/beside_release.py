"""Compares a learned detector with an earlier release of it, on the same labelled files.

    python benchmarks/beside_release.py blocks CLIPS [CLIPS ...] --out FOLDER
    python benchmarks/beside_release.py sound --root ROOT [--root ROOT] --out FOLDER
    python benchmarks/beside_release.py compare FOLDER --detector NAME --before COMMIT --work WORK

`blocks` labels clips that block_strangers.py made. `sound` writes pieces with events of levels 3 to
5 in ways that no simulator uses, all of them heard, and clean recordings of the same kind of
sources. `compare` runs the code and the weights of the commit and those of this checkout over the
folder, each in a process of its own; a run that was killed goes on.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import audio_clean
import audio_recall
import audio_steps
import numpy as np
import soundfile
from block_strangers import LARGE
from publishing import publish

from defectscope.detectors.audio_artifacts.spectra import RATE_HZ
from defectscope.findings import Interval
from defectscope.training import corpora
from defectscope.training.block_corruption.programmes import NAME, RATE_FPS, Clip
from defectscope.training.contract import Recording, recipe
from defectscope.training.evaluate import Tally, count, read_truths
from defectscope.training.scores import poisson_upper, wilson

HERE = Path(__file__).parent
# The draw of audio_steps_new.npz, and how much of a clean recording audio_steps_later.npz holds.
UNITS, SEED, CLEAN_S = 94, 900, 60.0
# Analyzes the files that come in, line by line, and answers each with its findings.
_CHILD = """
import json, sys
from defectscope import DefectscopeError, analyze
for line in sys.stdin:
    path = line.rstrip("\\n")
    try:
        report = analyze(path, detectors=[sys.argv[1]])
        found = [[f.defect, f.interval.start_s, f.interval.end_s] for f in report.findings]
        answer = {"findings": found, "duration_s": float(report.asset["duration_s"])}
    except DefectscopeError as error:
        answer = {"error": str(error)}
    print(json.dumps(answer), flush=True)
"""

Truths = Mapping[str, Sequence[Mapping[str, Any]]]


def blocks(folders: Sequence[Path], out: Path) -> None:
    """Links clips into a folder and labels their visible events, with the share they damage."""
    out.mkdir(parents=True, exist_ok=True)
    truths: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(p for folder in folders for p in folder.glob("*.mp4")):
        with np.load(path.with_suffix(".npz")) as stored:
            facts, masks = json.loads(str(stored["facts"])), list(stored["masks"])
        clip = Clip(path, facts["recording"], facts, masks)
        if clip.areas.any() and not clip.truth:
            # Neither clean nor visibly damaged.
            continue
        link = out / path.name
        if not link.exists():
            link.symlink_to(path.resolve())
        truths[path.name] = [
            {
                "defect": NAME,
                "start_s": span.start_s,
                "end_s": span.end_s,
                "share": float(clip.areas[_rows(span)].max()),
            }
            for span in clip.truth
        ]
    (out / "truth.json").write_text(json.dumps(truths, indent=1))


def _rows(span: Interval) -> slice:
    return slice(round(span.start_s * RATE_FPS), round(span.end_s * RATE_FPS))


def sound(roots: Sequence[Path], out: Path) -> None:
    """Writes the pieces of audio_recall.py whose events are all heard, and clean recordings."""
    out.mkdir(parents=True, exist_ok=True)
    truths: dict[str, list[dict[str, Any]]] = {}
    kept = audio_steps.read(HERE / "audio_steps_new.npz")
    pieces = {(p.name, p.defect, p.events): p for p in kept}
    for number, _, drawn in audio_recall.drawn(roots, UNITS, SEED):
        events = tuple(Interval(*span) for span in drawn.damage.spans_s)
        piece = pieces.get((drawn.recording.name, drawn.damage.defect, events))
        if piece is None or not all(map(piece.is_audible, piece.joined_events())):
            continue
        name = f"{number:03d}-{piece.defect}-{piece.family}.wav"
        soundfile.write(out / name, drawn.sound, RATE_HZ, subtype="PCM_16")
        truths[name] = [
            {"defect": piece.defect, "start_s": e.start_s, "end_s": e.end_s}
            for e in piece.joined_events()
        ]
    counted = {p.name for p in audio_steps.read(HERE / "audio_steps_later.npz")}
    for place, recording in enumerate(r for r in _clean(roots) if r.name in counted):
        name = f"clean-{place:04d}.wav"
        data = audio_clean.part(recording, CLEAN_S)
        soundfile.write(out / name, data, RATE_HZ, subtype="PCM_16")
        truths[name] = []
    (out / "truth.json").write_text(json.dumps(truths, indent=1))


def _clean(roots: Sequence[Path]) -> list[Recording]:
    sources = corpora.read_corpora(HERE / "audio_later.toml", roots)
    return corpora.recordings(sources, recipe("audio_artifacts").suffixes)


def compare(folder: Path, detector: str, before: str, work: Path) -> str:
    """Returns what both releases find, by defect.

    Args:
        folder: Labelled media, as `blocks` or `sound` wrote it.
        detector: Which is compared.
        before: The commit of the earlier release.
        work: Where its code is unpacked, and what each found is kept.
    """
    earlier = work / before
    if not earlier.exists():
        archive = subprocess.run(
            ["git", "archive", before, "src", "model_artifacts"],
            cwd=HERE.parent, check=True, capture_output=True,
        ).stdout  # fmt: skip
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(earlier, filter="data")
    truths: Truths = read_truths(folder)
    lines = [
        "| release | defect | met (95 %) | large ones | F1 (matched, findings) "
        "| false in clean files | in 10 min (95 % bound) |",
        "|---|---|---|---|---|---|---|",
    ]
    for tree in (earlier, HERE.parent):
        about = json.loads((tree / "model_artifacts" / detector / "detector.json").read_text())
        kept = work / f"{folder.name}-{detector}-{about['version']}.jsonl"
        found = _found(tree, detector, [folder / name for name in sorted(truths)], kept)
        lines += _table(about["version"], truths, found)
    return "\n".join(lines) + "\n"


def _found(
    tree: Path, detector: str, paths: Sequence[Path], kept: Path
) -> dict[str, dict[str, Any]]:
    """Returns what the code of a tree finds in files; what is kept already is not done again."""
    rows = map(json.loads, kept.read_text().splitlines()) if kept.exists() else ()
    found: dict[str, dict[str, Any]] = {row["file"]: row for row in rows}
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, detector],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
    )  # fmt: skip
    assert child.stdin
    assert child.stdout
    with child, kept.open("a") as out:
        for place, path in enumerate(p for p in paths if p.name not in found):
            child.stdin.write(f"{path}\n")
            child.stdin.flush()
            row = {"file": path.name, **json.loads(child.stdout.readline())}
            if "error" in row:
                raise SystemExit(f"{path}: {row['error']}")
            out.write(json.dumps(row) + "\n")
            out.flush()
            found[path.name] = row
            print(f"{tree.name}: {place + 1}, {path.name}", file=sys.stderr, flush=True)
        child.stdin.close()
    return found


def _table(version: str, truths: Truths, found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Returns a row for each defect, and one of all where there are several."""
    defects = sorted({entry["defect"] for entries in truths.values() for entry in entries})
    clean = [name for name, entries in truths.items() if not entries]
    minutes = sum(found[name]["duration_s"] for name in clean) / 60
    lines: list[str] = []
    false_in_all = 0
    for defect in defects:
        tally, false = Tally(), 0
        large: list[bool] = []
        for name, entries in truths.items():
            said = [Interval(a, b) for d, a, b in found[name]["findings"] if d == defect]
            own = [e for e in entries if e["defect"] == defect]
            spans = [Interval(e["start_s"], e["end_s"]) for e in own]
            count(tally, spans, said)
            false += len(said) if not entries else 0
            large += [
                any(span.intersection_s(s) > 0 for s in said)
                for entry, span in zip(own, spans, strict=True)
                if entry.get("share", 0.0) >= LARGE
            ]
        false_in_all += false
        low, high = wilson(tally.touched, tally.events)
        f1 = 2 * tally.found / max(tally.events + tally.findings, 1)
        lines.append(
            f"| {version} | {defect} | {tally.touched} of {tally.events} ({low:.2f} to {high:.2f}) "
            f"| {f'{sum(large)} of {len(large)}' if large else ''} "
            f"| {f1:.2f} ({tally.found}, {tally.findings}) | {_rate(false, minutes)} |"
        )
    if len(defects) > 1:
        lines.append(f"| {version} | all | | | | {_rate(false_in_all, minutes)} |")
    return lines


def _rate(false: int, minutes: float) -> str:
    rate, most = (10 * n / minutes for n in (false, poisson_upper(false)))
    return f"{false} in {minutes:.1f} min | {rate:.2f} ({most:.2f})"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("blocks")
    verb.add_argument("clips", type=Path, nargs="+")
    verb.add_argument("--out", type=Path, required=True)
    verb = verbs.add_parser("sound")
    verb.add_argument("--root", type=Path, action="append", required=True)
    verb.add_argument("--out", type=Path, required=True)
    verb = verbs.add_parser("compare")
    verb.add_argument("folder", type=Path)
    verb.add_argument("--detector", required=True)
    verb.add_argument("--before", required=True, help="the commit of the earlier release")
    verb.add_argument("--work", type=Path, required=True)
    verb.add_argument("--out", type=Path, help="write the table here as well")
    given = parser.parse_args(argv)
    if given.verb == "blocks":
        blocks(given.clips, given.out)
    elif given.verb == "sound":
        sound(given.root, given.out)
    else:
        given.work.mkdir(parents=True, exist_ok=True)
        publish(compare(given.folder, given.detector, given.before, given.work), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
