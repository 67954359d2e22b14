"""How well each detector finds what was simulated in recordings it was not tuned on.

    python benchmarks/accuracy.py --media FOLDER [--media FOLDER ...] [--split held-out|tuning]
        [--defects a,b] [--without a,b] [--per 6] [--workers 1]

Recordings are split by their names' hashes, cut into excerpts, impaired at five severities and
analyzed by every detector, and by the filter of ffmpeg that answers to the defect. Events match one
to one at IoU >= 0.5. Impaired clips and verdicts are kept in --work, so that a run that was cut off
goes on where it stopped, and a second run evaluates again only what has changed.
Writes docs/results/accuracy.md and accuracy.json (the tuning half: only into --work).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from accuracy_counts import tabulate
from accuracy_page import MEASURES, page
from peers import PEERS, ask
from recordings import (
    Clip,
    Half,
    Kind,
    Recording,
    excerpt,
    has_phase,
    impaired,
    in_turn,
    is_made,
    recordings,
)
from scoring import SEVERITIES
from verified import has_already

import defectscope
from defectscope.analysis import analyze
from defectscope.detectors import load, names
from defectscope.errors import DefectscopeError
from defectscope.simulate.contract import CaptionSimulator, ContainerSimulator
from defectscope.simulate.registry import simulators

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"


@dataclass(frozen=True)
class Task:
    """One clip to make and analyze, as a worker gets it."""

    source: Path
    defect: str | None
    severity: int
    work: Path
    detectors: tuple[str, ...]
    version: str


def carry_out(task: Task) -> dict[str, Any] | None:
    """Makes a clip, unless it lies there, and evaluates it with every detector and its peer."""
    if task.defect is None:
        clip = Clip(task.source, task.source, None, 0, ())
    else:
        made = impaired(task.source, task.defect, task.severity, task.work)
        if made is None:
            return None
        clip = made
    key = f"{clip.path.parent.name}/{clip.path.name}{','.join(task.detectors)}"
    note = task.work / "judged" / task.version / f"{_digest(key.encode())}.json"
    if note.exists():
        return json.loads(note.read_text("utf-8"))
    began = time.process_time()
    result: dict[str, Any] = {
        "source": task.source.stem,
        "defect": task.defect,
        "severity": task.severity,
        "truth": [(d, i.start_s, i.end_s) for d, i in clip.truth],
        **analyze_one(clip.path, task.detectors),
        "peers": _peers(clip, task),
    }
    result["cpu_s"] = round(time.process_time() - began, 2)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(result), "utf-8")
    return result


def analyze_one(path: Path, detectors: Sequence[str]) -> dict[str, Any]:
    """Evaluates a clip with every detector."""
    try:
        report = analyze(path, detectors=detectors, uri=path.name)
    except DefectscopeError as error:
        # A clip that cannot be opened any more says so: that is an answer, though not a finding.
        return {"findings": [], "peaks": {}, "rate": 25.0, "error": error.message}
    video = report.asset.get("video")
    top, bottom = video["frame_rate"].split("/") if video else ("25", "1")
    return {
        "findings": [(f.detector, f.defect, f.start_s, f.end_s) for f in report.findings],
        "peaks": {
            defect: score
            for entry in report.verdicts.values()
            for defect, score in entry["peak_score"].items()
        },
        "rate": int(top) / int(bottom),
        "seconds": report.asset["duration_s"],
    }


def _peers(clip: Clip, task: Task) -> dict[str, Any]:
    """Asks the peers of the clip's defect; all of a medium about a clean excerpt."""
    answers: dict[str, Any] = {}
    for peer in PEERS:
        # Excerpts of sound are Matroska, those with frames MP4.
        sound = simulators()[peer.defect].medium == "audio"
        same = sound == (clip.path.suffix == ".mkv")
        if (task.defect or peer.defect) != peer.defect or not same:
            continue
        note = clip.path.with_suffix(f".{_digest(peer.chain.encode())[:6]}.peer.json")
        if not note.exists():
            note.write_text(json.dumps(ask(peer, clip.path)), "utf-8")
        answers[peer.defect] = json.loads(note.read_text("utf-8"))
    return answers


@cache
def version() -> str:
    """Returns a hash of all code and artifacts that a verdict depends on."""
    package = Path(defectscope.__file__).parent
    artifacts = package.parents[1] / "model_artifacts"
    files = [
        *(
            f
            for name in ("engine", "detectors", "features", "media", "temporal")
            for f in (package / name).rglob("*")
        ),
        *artifacts.rglob("detector.json"),
    ]
    kept = sorted(f for f in files if f.suffix in {".py", ".wasm", ".json"})
    return _digest(b"".join(f.read_bytes() for f in kept))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def wanted_simulators(asked: str, known: set[str]) -> list[str]:
    """Returns the simulators to run: those named, or all whose defects some detector reports."""
    return [d for d in asked.split(",") if d] or [
        n
        for n, s in simulators().items()
        if not isinstance(s, CaptionSimulator) and n not in MEASURES and set(s.defects) & known
    ]


def kind_of(name: str) -> Kind:
    """Returns which excerpts a simulator works on."""
    made = simulators()[name]
    if isinstance(made, ContainerSimulator):
        return "both"
    if made.medium != "audio":
        return "video"
    pairs = {*load("stereo_image").defects, *load("spatial_image").defects}
    return "stereo" if name in pairs else "audio"


def main() -> None:
    """Simulates, evaluates, matches, and writes the tables."""
    arguments = _arguments()
    detectors = tuple(n for n in names() if n not in arguments.without.split(","))
    known = {d for n in detectors for d in load(n).defects}
    wanted = wanted_simulators(arguments.defects, known)
    sources = {n: _sources(arguments, n) for n in wanted}
    made = [
        Task(source, name, severity, arguments.work, detectors, version())
        for name in wanted
        for source in sources[name]
        for severity in SEVERITIES
        if str(severity) in arguments.severities
        and (name != "phase_inversion" or has_phase(source))
        and (not arguments.made_only or is_made(source, name, severity, arguments.work))
    ]
    clean = [
        Task(source, None, 0, arguments.work, detectors, version())
        for source in sorted({s for of_defect in sources.values() for s in of_defect})
    ]
    results = _all(clean + made, arguments.workers)
    found = tabulate(wanted, results)
    seen = [name for name in arguments.seen.split(",") if name]
    fresh = [r for r in results if Path(r["source"]).stem not in seen]
    found["fresh"] = tabulate(wanted, fresh)["rows"] if seen else {}
    found["about"] = {
        "command": "python benchmarks/accuracy.py " + command_line(),
        "commit": arguments.commit or _commit(),
        "split": arguments.split,
        "recordings": _by_kind(sources),
        "left_out": _left_out(arguments, wanted),
        "seen": seen,
        "detectors": detectors,
    }
    folder = RESULTS if arguments.split == "held-out" else arguments.work
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "accuracy.json").write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    text = page(found)
    (folder / "accuracy.md").write_text(text, "utf-8")
    print(text)


def command_line() -> str:
    """Returns what was asked for, with folders by their names: where they lie says nothing."""
    return " ".join(Path(a).name if a.startswith("/") else a for a in sys.argv[1:])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--media", type=Path, action="append", required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--split", choices=("held-out", "tuning"), default="held-out")
    parser.add_argument("--defects", default="", help="comma-separated simulators; default: all")
    parser.add_argument("--without", default="", help="comma-separated detectors left out")
    parser.add_argument("--per", type=int, default=6, help="recordings per simulator")
    parser.add_argument("--per-sound", type=int, default=10, help="the same for sound")
    parser.add_argument("--severities", default="1,2,3,4,5")
    parser.add_argument(
        "--made-only", action="store_true", help="analyze what lies in --work, simulate nothing"
    )
    parser.add_argument(
        "--seen",
        default="",
        help="recordings whose misses somebody has read: the others are counted apart as well",
    )
    parser.add_argument("--workers", type=int, default=1, help="processes")
    parser.add_argument("--commit", default="", help="what to call the code; default: ask git")
    return parser.parse_args()


def _sources(arguments: argparse.Namespace, name: str) -> list[Path]:
    """Cuts excerpts of the half that was asked for, `--per` of them, for one simulator."""
    kind, defects = kind_of(name), simulators()[name].defects
    half: Half = arguments.split
    cut = (
        excerpt(r, arguments.work, kind)
        for r in _half(tuple(arguments.media), kind, half)
        if not has_already(r.path.name, defects)
    )
    count = arguments.per if kind in ("video", "both") else arguments.per_sound
    return list(islice((p for p in cut if p), count))


@cache
def _half(folders: tuple[Path, ...], kind: Kind, half: Half) -> Sequence[Recording]:
    return in_turn(recordings(folders, kind), half)


def _by_kind(sources: dict[str, list[Path]]) -> dict[str, list[str]]:
    """Returns the names of all excerpts that were used, by kind."""
    used: dict[str, set[str]] = {}
    for name, paths in sources.items():
        used.setdefault(kind_of(name), set()).update(p.stem for p in paths)
    return {kind: sorted(stems) for kind, stems in used.items()}


def _left_out(arguments: argparse.Namespace, wanted: Sequence[str]) -> dict[str, list[str]]:
    """Returns the recordings that have a defect of their own, by simulator."""
    out = {
        n: sorted(
            r.path.name
            for r in _half(tuple(arguments.media), kind_of(n), arguments.split)
            if has_already(r.path.name, simulators()[n].defects)
        )
        for n in wanted
    }
    return {n: files for n, files in out.items() if files}


def _all(tasks: Sequence[Task], workers: int) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    with ProcessPoolExecutor(workers) as pool:
        for number, result in enumerate(pool.map(carry_out, tasks), 1):
            if result is not None:
                results.append(result)
            if number % 20 == 0:
                print(f"  {number}/{len(tasks)} clips", file=sys.stderr, flush=True)
    return results


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
