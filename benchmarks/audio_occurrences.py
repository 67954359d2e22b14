"""Chooses and measures the decision of audio_artifacts on whole recordings.

    choose   fits the decision on recordings that the weights were not trained on
    measure  recall of events and false findings on recordings that nothing has seen, by
             sensitivity; defects made by the simulators and in other ways
    listed   what is said of every file of a folder, one line each

What was measured is kept in --work, unit by unit: a run that was killed goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import audio_pieces
import audio_steps
import numpy as np
import torch

from defectscope.analysis import analyze
from defectscope.detectors.audio_artifacts.decision import SENSITIVITIES, Layer, features
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.detectors.registry import load
from defectscope.detectors.weights import load_weights
from defectscope.errors import DefectscopeError
from defectscope.training import corpora
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.measured import Piece
from defectscope.training.audio_artifacts.pieces import by_either
from defectscope.training.contract import Recording, recipe
from defectscope.training.scores import balanced_accuracy, confusion, poisson_upper, wilson

HERE = Path(__file__).parent
MODERATE = 3
_CHOICE_CLEAN_S, _MEASURE_CLEAN_S = 60.0, 240.0


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=sorted(_VERBS))
    parser.add_argument("--work", type=Path, help="folder for what was measured")
    parser.add_argument("--root", type=Path, action="append", default=[])
    parser.add_argument("--recipe", type=Path, help="corpora that the weights were trained on")
    parser.add_argument("--units", type=int, default=60, help="pieces of each defect")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="model_artifacts/audio_artifacts (choose)")
    parser.add_argument("--steps", type=Path, help="measured pieces of a file instead of --work")
    parser.add_argument("--keep-layer", action="store_true", help="fit what stands on it (choose)")
    parser.add_argument("--replace", action="append", default=[], help="only these defects")
    parser.add_argument("--folder", type=Path, action="append", default=[], help="(listed)")
    parser.add_argument("--only", help="just measure the pieces of this name, for later")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    text, data = _VERBS[options.verb](options)
    print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    return 0


def _scorer(folder: Path) -> Scorer:
    artifact = json.loads((folder / "detector.json").read_text("utf-8"))
    network = load_weights(Network(tuple(artifact["network"]["widths"])), folder, artifact)
    assert isinstance(network, Network)
    return Scorer(network)


def _released() -> AudioArtifacts:
    detector = load("audio_artifacts")
    assert isinstance(detector, AudioArtifacts)
    return detector


def _recordings(file: Path, roots: Sequence[Path]) -> list[Recording]:
    suffixes = recipe("audio_artifacts").suffixes
    return corpora.recordings(corpora.read_corpora(file, roots), suffixes, seed=1)


def choose(options: argparse.Namespace) -> tuple[str, Any]:
    """Fits layer and thresholds, and writes them into detector.json."""
    path = options.out / "detector.json"
    document = json.loads(path.read_text("utf-8"))
    pieces = audio_steps.read(options.steps) if options.steps is not None else _chosen_on(options)
    if options.only:
        return f"{len(pieces)} pieces", {}
    layer = Layer.of(document["decision"]) if options.keep_layer else None
    rules = decision.choose(pieces, options.seed, layer)
    fresh = decision.entries(rules)
    if options.replace:
        # Of the defects that are not named, thresholds and calibration stay.
        kept = {k: v for k, v in document["thresholds"].items()
                if not k.startswith(tuple(options.replace))}  # fmt: skip
        fresh["thresholds"] |= kept
        fresh["calibration"] |= {
            k: v for k, v in document["calibration"].items() if k not in options.replace
        }
    document |= fresh
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    minutes = sum(p.seconds for p in pieces if not p.defect) / 60
    lines = [
        f"{len({p.name for p in pieces})} recordings, {minutes:.0f} minutes of clean sound, "
        f"{sum(bool(p.defect) for p in pieces)} impaired pieces",
        "",
        "| defect | " + " | ".join(SENSITIVITIES) + " |",
        "|---|" + "---|" * len(SENSITIVITIES),
    ]
    for defect in CLASSES:
        cells = " | ".join(f"{rules.thresholds[f'{defect}_{s}']:.2f}" for s in SENSITIVITIES)
        lines.append(f"| {defect} | {cells} |")
    return "\n".join(lines), dict(rules.thresholds)


def _chosen_on(options: argparse.Namespace) -> list[Piece]:
    """Returns the pieces that the decision is chosen on, measured."""
    trained = _recordings(options.recipe, options.root)
    held_out = [r for r in trained if r.split != "train" and "vinyl_hiss" not in r.key]
    own = held_out + _recordings(HERE / "audio_decision.toml", options.root)
    scorer = _scorer(options.out)
    jobs = {
        "clean": audio_pieces.clean(scorer, own, _CHOICE_CLEAN_S, options.seed, coded=False),
        "coded": audio_pieces.clean(scorer, own[::3], 20.0, options.seed, coded=True),
        "impaired": audio_pieces.impaired(scorer, own, by_either, options.units, options.seed),
    }
    pieces: list[Piece] = []
    for name in [options.only] if options.only else list(jobs):
        pieces += audio_pieces.kept(options.work / f"choose-{name}.pkl", jobs[name])
    return pieces


def measure(options: argparse.Namespace) -> tuple[str, Any]:
    """Counts what the shipped decision finds on recordings that nothing has seen."""
    detector = _released()
    rules = decision.rules_of(detector.tuned.artifact)
    if options.steps is not None:
        return _measured_in(options.steps, rules)
    unseen = _recordings(HERE / "audio_unseen.toml", options.root)
    scorer, seed = cast("Scorer", detector.scorer), options.seed
    jobs: dict[str, list[Callable[[], list[Piece]]]] = {
        name: audio_pieces.impaired(scorer, unseen, make, options.units, seed + k)
        for k, (name, make) in enumerate(audio_pieces.MAKERS.items())
    }
    jobs["clean"] = audio_pieces.clean(scorer, unseen, _MEASURE_CLEAN_S, seed, coded=False)
    jobs["coded"] = audio_pieces.clean(scorer, unseen, 60.0, seed, coded=True)
    pieces = {
        name: list(audio_pieces.kept(options.work / f"measure-{name.replace(' ', '-')}.pkl", units))
        for name, units in jobs.items()
        if options.only in (None, name)
    }
    if options.only:
        return f"{len(pieces[options.only])} pieces", {}
    decided = {name: [(p, decision.found(p, rules)) for p in own]
              for name, own in pieces.items()}  # fmt: skip
    out: dict[str, Any] = {}
    lines: list[str] = []
    for name in ("clean", "coded"):
        lines += [*_false(name, decided[name], out), ""]
    for name in audio_pieces.MAKERS:
        lines += [*_recall(name, decided[name], out), ""]
    return "\n".join(lines), out


def _measured_in(file: Path, rules: decision.Rules) -> tuple[str, Any]:
    """Counts on the pieces of a file: clean ones, and those damaged in other ways."""
    decided = [(p, decision.found(p, rules)) for p in audio_steps.read(file)]
    out: dict[str, Any] = {}
    clean = [d for d in decided if not d[0].defect]
    lines = _false("clean", clean, out) if clean else []
    lines += ["", *_recall("other ways", [d for d in decided if d[0].defect], out)]
    return "\n".join(lines), out


_Judged = list[tuple[Piece, dict[str, list[tuple[float, Any]]]]]


def _false(name: str, decided: _Judged, out: dict[str, Any]) -> list[str]:
    """Returns false findings by sensitivity, and those at normal one by one."""
    detector = _released()
    minutes = sum(p.seconds for p, _ in decided) / 60
    lines = [
        f"{name}: {len(decided)} recordings, {minutes:.1f} minutes",
        "",
        "| sensitivity | hum | hiss | distortion | clicks | in 10 min | upper 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    listed: list[str] = []
    for sensitivity in SENSITIVITIES:
        counts: dict[str, int] = {}
        for defect in CLASSES:
            least = detector.tuned.thresholds[f"{defect}_{sensitivity}"]
            hits = [(p, e, i) for p, what in decided for e, i in what[defect] if e >= least]
            counts[defect] = len(hits)
            if sensitivity == "normal":
                listed += [
                    f"- {p.name}: {defect} {i.start_s:.1f} to {i.end_s:.1f} s, evidence {e:.1f}"
                    for p, e, i in hits
                ]
        total = sum(counts.values())
        rate, upper = total / minutes * 10, poisson_upper(total) / minutes * 10
        out[f"{name} {sensitivity}"] = {**counts, "minutes": minutes, "upper": upper}
        cells = " | ".join(str(counts[d]) for d in CLASSES)
        lines.append(f"| {sensitivity} | {cells} | {rate:.2f} | {upper:.2f} |")
    return [*lines, "", "At normal sensitivity:", "", *(listed or ["- none"])]


def _recall(name: str, decided: _Judged, out: dict[str, Any]) -> list[str]:
    """Returns recall of events by defect, sensitivity, level and family."""
    detector = _released()
    lines = [
        f"Events made by {name}, levels {MODERATE} to 5:",
        "",
        "| defect | sensitivity | recall | 95 % | of those heard | with IoU >= 0.5 | n |",
        "|---|---|---|---|---|---|---|",
    ]
    families: list[str] = []
    for defect in CLASSES:
        rows: list[tuple[Piece, bool, float, float]] = []
        for piece, what in decided:
            if piece.defect != defect:
                continue
            for occurrence in piece.joined_events():
                over = [(e, i.iou(occurrence)) for e, i in what[defect]
                        if i.intersection_s(occurrence) > 0]  # fmt: skip
                evidence, iou = max(over, default=(0.0, 0.0))
                rows.append((piece, piece.is_audible(occurrence), evidence, iou))
        strong = [r for r in rows if r[0].level >= MODERATE]
        for sensitivity in SENSITIVITIES:
            least = detector.tuned.thresholds[f"{defect}_{sensitivity}"]
            hits = [r[2] >= least for r in strong]
            heard = [r[2] >= least for r in strong if r[1]]
            exact = [r[2] >= least and r[3] >= 0.5 for r in strong if r[1]]
            low, high = wilson(sum(hits), len(hits))
            out[f"{name} {defect} {sensitivity}"] = [sum(hits), len(hits), sum(heard), len(heard)]
            lines.append(
                f"| {defect} | {sensitivity} | {_share(hits)} | {low:.2f} to {high:.2f} "
                f"| {_share(heard)} ({len(heard)}) | {_share(exact)} | {len(hits)} |"
            )
        least = detector.tuned.thresholds[f"{defect}_normal"]
        for family in sorted({r[0].family for r in rows}):
            own = [r[2] >= least for r in strong if r[0].family == family]
            families.append(f"{defect.removeprefix('audio_')}:{family} {_share(own)} ({len(own)})")
    accuracy = _segments(decided)
    return [
        *lines, "", f"Five classes, single seconds where heard: balanced accuracy {accuracy:.3f}.",
        "", "By family, at normal sensitivity, levels 3 to 5: " + ", ".join(families) + ".",
    ]  # fmt: skip


def _share(flags: Sequence[bool]) -> str:
    return f"{np.mean(flags):.2f}" if flags else "none"


def _segments(decided: _Judged) -> float:
    """Returns balanced accuracy of single seconds, five classes, where the truth is sure."""
    detector = _released()
    truths, said = [], []
    for piece, _ in decided:
        target, weight = decision.truth(piece)
        odds = detector.layer(features(piece.columns, piece.starts_s))
        sure = weight.min(axis=1) > 0
        truths.append(np.where(target.max(axis=1) > 0, target.argmax(axis=1) + 1, 0)[sure][::4])
        said.append(np.where(odds.max(axis=1) > 0, odds.argmax(axis=1) + 1, 0)[sure][::4])
    return balanced_accuracy(confusion(np.concatenate(truths), np.concatenate(said), 5))


def listed(options: argparse.Namespace) -> tuple[str, Any]:
    """What is said of every file of some folders."""
    lines: list[str] = []
    rows: dict[str, Any] = {}
    for folder in options.folder:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() not in recipe("audio_artifacts").suffixes:
                continue
            try:
                report = analyze(str(path), detectors=["audio_artifacts"])
            except (DefectscopeError, UnicodeError) as error:
                lines.append(f"- {path.name}: {error}")
                continue
            if not report.asset.get("audio"):
                continue
            said = [f"{f.defect} {f.start_s:.2f} to {f.end_s:.2f} s ({f.confidence:.2f})"
                    for f in report.findings]  # fmt: skip
            rows[path.name] = said
            lines.append(f"- {path.name}: {', '.join(said) or 'nothing'}")
    return "\n".join(lines), rows


_VERBS = {"choose": choose, "measure": measure, "listed": listed}

if __name__ == "__main__":
    sys.exit(main())
