"""Runs the loop twice on kept measurements: queue, labels from the truth, refit, held-out figures.

    run      before, after one and after two rounds, chosen by the queue and drawn at random,
             with right labels and with some turned round
    curve    0, 60, 120, 300 and 600 labels drawn at random, and all there are: does F1 move at all?
    refused  candidates fitted to right labels, to some turned round and to all turned round, and
             what the gate says of each

The titles are what `audio_occurrences.py measure` has kept in audio_steps_measured_on.npz: pieces
with a defect made in ways that no simulator uses, and clean recordings, none of which weights or
decision have seen. Each repeat parts the recordings anew, half to label and half held out;
`--titles choose` takes the pieces that the decision was chosen on instead, for choosing settings.
`--start weak` begins with a layer that was fitted to an eighth of those pieces, as a detector is
that has seen little: where labels must matter, if the fit can learn from them.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from loop_tables import curve_table, figures, held_out_hits, loop_table
from loop_titles import (
    STEPS,
    Title,
    answer,
    example_of,
    parted,
    pieces,
    read_titles,
    report_of,
)

from defectscope.detectors.audio_artifacts.decision import Layer
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.detectors.registry import load
from defectscope.learning import audio_decision, evaluation, rounds
from defectscope.learning.anchored import ANCHOR, Example
from defectscope.learning.candidates import candidates
from defectscope.learning.items import ReviewItem
from defectscope.training.audio_artifacts import decision

LABELS, ROUNDS = 60, 2
_COUNTS = (60, 120, 300, 600)
# Of the pieces that the decision was chosen on, a weak start has seen one in so many.
_WEAK_STEP = 8


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("run", "curve", "refused"))
    parser.add_argument("--titles", choices=sorted(STEPS), default="measure")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--share", type=float, default=1 / 5,
                        help="of titles to label that have a defect (1/5)")  # fmt: skip
    parser.add_argument("--anchor", type=float, default=ANCHOR)
    parser.add_argument("--start", choices=("released", "weak"), default="released")
    parser.add_argument("--kept", type=Path, help="folder of finished repeats, to go on from")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    titles = read_titles(options.titles)
    verbs = {"run": _run, "curve": _curve, "refused": _refused}
    text, data = verbs[options.verb](titles, options)
    print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    return 0


Chooser = Callable[..., rounds.Round]


def one_loop(
    pool: Sequence[Title], detector: AudioArtifacts, choose: Chooser, seed: int, anchor: float,
    flips: float = 0.0,
) -> list[tuple[Mapping[str, Any], int, int]]:  # fmt: skip
    """Returns the artifact after each round, how many labels it had, and how many said yes."""
    artifact = dict(detector.tuned.artifact)
    rng = np.random.default_rng([seed, 99])
    titles = {t.name: t for t in pool}
    known: list[ReviewItem] = []
    examples: list[Example] = []
    positives = 0
    out: list[tuple[Mapping[str, Any], int, int]] = []
    for number in range(1, ROUNDS + 1):
        own = copy.copy(detector)
        own.layer = Layer.of(artifact["decision"])
        draw = np.random.default_rng([seed, number])
        offered = [c for t in pool for c in candidates(report_of(t, own, str(number)), draw)]
        chosen = choose(offered, LABELS, seed, known, number).items
        for item in chosen:
            known.append(item)
            label = answer(item, titles[item.title].piece, bool(rng.uniform() < flips))
            if label is not None:
                positives += label.answer == "true"
                examples.append(example_of(item, label, titles[item.title]))
        artifact |= {
            "decision": audio_decision.refit(
                detector.tuned.artifact, examples, [t.measurements for t in pool], anchor
            )
        }
        out.append((dict(artifact), len(known), positives))
    return out


def _detector(options: argparse.Namespace) -> AudioArtifacts:
    """Returns the detector that the loop begins with."""
    detector = load("audio_artifacts")
    assert isinstance(detector, AudioArtifacts)
    if options.start == "weak":
        few = pieces("choose")[::_WEAK_STEP]
        rules = replace(
            decision.rules_of(detector.tuned.artifact), layer=decision.fit_layer(few, 1)
        )
        entry = decision.entries(rules)["decision"]
        detector = copy.copy(detector)
        detector.tuned = replace(
            detector.tuned, artifact={**detector.tuned.artifact, "decision": entry}
        )
        detector.layer = Layer.of(entry)
    return detector


def _curve(titles: Sequence[Title], options: argparse.Namespace) -> tuple[str, Any]:
    """Returns what so many labels do that were drawn at random, all at once."""
    detector = _detector(options)
    start = decision.rules_of(detector.tuned.artifact)
    rows: list[dict[str, dict[str, float]]] = []
    for repeat in range(options.repeats):
        known = _kept(options, repeat)
        if known is not None:
            rows.append(known)
            continue
        pool, held_out = parted(titles, repeat, options.share)
        own: dict[str, dict[str, float]] = {"0": figures(held_out_hits(held_out, start), start)}
        draw = np.random.default_rng([repeat, 1])
        offered = [c for t in pool for c in candidates(report_of(t, detector, "1"), draw)]
        by_name = {t.name: t for t in pool}
        order = rounds.at_random(offered, len(offered), repeat).items
        examples: list[Example | None] = []
        for item in order:
            title = by_name[item.title]
            label = answer(item, title.piece, False)
            examples.append(None if label is None else example_of(item, label, title))
        for count in (*_COUNTS, len(order)):
            taught = [e for e in examples[:count] if e is not None]
            fitted = audio_decision.refit(
                detector.tuned.artifact, taught, [t.measurements for t in pool], options.anchor
            )
            rules = replace(start, layer=Layer.of(fitted))
            found = figures(held_out_hits(held_out, rules), rules)
            own["all" if count == len(order) else str(count)] = found | {
                "labels": min(count, len(order)),
                "yes": sum(any(e.present.values()) for e in taught),
            }
        rows.append(own)
        if options.kept is not None:
            options.kept.mkdir(parents=True, exist_ok=True)
            (options.kept / f"{repeat}.json").write_text(json.dumps(own), "utf-8")
        print(f"repeat {repeat}", file=sys.stderr, flush=True)
    return curve_table(rows, options.start, options.anchor), rows


def _run(titles: Sequence[Title], options: argparse.Namespace) -> tuple[str, Any]:
    detector = _detector(options)
    start = decision.rules_of(detector.tuned.artifact)
    before: list[dict[str, float]] = []
    pooled, held = [0, 0], [0, 0]
    results: dict[str, list[list[dict[str, float]]]] = {name: [] for name in _ARMS}
    began = time.monotonic()
    for repeat in range(options.repeats):
        pool, held_out = parted(titles, repeat, options.share)
        pooled, held = _counts(pool), _counts(held_out)
        known = _kept(options, repeat)
        if known is not None:
            before.append(known["before"])
            for name in _ARMS:
                results[name].append(known[name])
            continue
        before.append(figures(held_out_hits(held_out, start), start))
        for name, (choose, flips) in _ARMS.items():
            after: list[dict[str, float]] = []
            for artifact, labels, yes in one_loop(
                pool, detector, choose, repeat, options.anchor, flips
            ):
                rules = replace(start, layer=Layer.of(artifact["decision"]))
                own = figures(held_out_hits(held_out, rules), rules)
                after.append(own | {"labels": labels, "yes": yes})
            results[name].append(after)
        if options.kept is not None:
            options.kept.mkdir(parents=True, exist_ok=True)
            last = {"before": before[-1]} | {name: own[-1] for name, own in results.items()}
            (options.kept / f"{repeat}.json").write_text(json.dumps(last), "utf-8")
        print(f"repeat {repeat}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    data = {
        "before": before, "arms": results, "seconds": time.monotonic() - began,
        "anchor": options.anchor, "titles": len(titles),
        "impaired": sum(bool(t.piece.defect) for t in titles), "pool": pooled, "held_out": held,
    }  # fmt: skip
    return loop_table(data, ROUNDS, LABELS), data


def _kept(options: argparse.Namespace, repeat: int) -> dict[str, Any] | None:
    """Returns what an earlier run has kept of a repeat."""
    path = None if options.kept is None else options.kept / f"{repeat}.json"
    return json.loads(path.read_bytes()) if path is not None and path.exists() else None


def _counts(titles: Sequence[Title]) -> list[int]:
    return [len(titles), sum(bool(t.piece.defect) for t in titles)]


_ARMS: dict[str, tuple[Chooser, float]] = {
    "queue": (rounds.choose, 0.0),
    "queue without diversity": (partial(rounds.choose, diverse=False), 0.0),
    "chance": (rounds.at_random, 0.0),
    "queue, 10 % of labels turned round": (rounds.choose, 0.1),
}


def _refused(titles: Sequence[Title], options: argparse.Namespace) -> tuple[str, Any]:
    detector = _detector(options)
    start = decision.rules_of(detector.tuned.artifact)
    lines: list[str] = []
    data: dict[str, Any] = {}
    for flips in (0.0, 0.1, 0.5, 1.0):
        verdicts: list[list[str]] = []
        for repeat in range(options.repeats):
            pool, held_out = parted(titles, repeat, options.share)
            before = held_out_hits(held_out, start)
            loop = one_loop(pool, detector, rounds.choose, repeat, options.anchor, flips)
            rules = replace(start, layer=Layer.of(loop[-1][0]["decision"]))
            after = held_out_hits(held_out, rules)
            comparison = {
                d: evaluation.compare(before[d], after[d], (_least(start, d), _least(rules, d)))
                for d in CLASSES
            }
            verdicts.append(evaluation.worse(comparison))
        refused = sum(bool(v) for v in verdicts)
        worse = sorted({w for v in verdicts for w in v})
        lines.append(
            f"- {flips:.0%} of labels turned round: {refused} of {len(verdicts)} candidates "
            f"refused{': worse in ' + ', '.join(worse) if worse else ''}"
        )
        data[str(flips)] = verdicts
    return "\n".join(lines), data


def _least(rules: decision.Rules, defect: str) -> float:
    return rules.thresholds[f"{defect}_normal"]


if __name__ == "__main__":
    sys.exit(main())
