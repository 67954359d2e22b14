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
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import audio_steps
import numpy as np

from defectscope.detectors.audio_artifacts.analysis import COLUMNS, WINDOWS_HZ
from defectscope.detectors.audio_artifacts.decision import Layer
from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.detectors.registry import load
from defectscope.findings import Report
from defectscope.learning import audio_decision, evaluation, rounds
from defectscope.learning.anchored import ANCHOR, Example, present
from defectscope.learning.candidates import candidates
from defectscope.learning.evaluation import Hits
from defectscope.learning.items import ReviewItem
from defectscope.learning.labels import Label
from defectscope.measurements import Measurements, Table
from defectscope.media.stream import AudioInfo, StreamInfo
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts.measured import Piece

LABELS, ROUNDS = 60, 2
_COUNTS = (60, 120, 300, 600)
# Of the pieces that the decision was chosen on, a weak start has seen one in so many.
_WEAK_STEP = 8
_HERE = Path(__file__).parent
_STEPS = {"measure": "audio_steps_measured_on.npz", "choose": "audio_steps_chosen_on.npz"}
_RATE_HZ = 32000


@dataclass(frozen=True, slots=True)
class Title:
    """A piece as a title: its truth, and what the detector measured."""

    name: str
    piece: Piece
    measurements: Measurements
    stream: StreamInfo


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("run", "curve", "refused"))
    parser.add_argument("--titles", choices=sorted(_STEPS), default="measure")
    parser.add_argument("--repeats", type=int, default=12)
    parser.add_argument("--share", type=float, default=1 / 5,
                        help="of titles to label that have a defect (1/5)")  # fmt: skip
    parser.add_argument("--anchor", type=float, default=ANCHOR)
    parser.add_argument("--start", choices=("released", "weak"), default="released")
    parser.add_argument("--kept", type=Path, help="folder of finished repeats, to go on from")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(argv)
    titles = _titles(options.titles)
    verbs = {"run": _run, "curve": _curve, "refused": _refused}
    text, data = verbs[options.verb](titles, options)
    print(text)
    if options.json is not None:
        options.json.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
    return 0


def _titles(kind: str) -> list[Title]:
    """Returns the titles: those with a defect made in other ways, and clean ones."""
    pieces = audio_steps.read(_HERE / _STEPS[kind])
    return [title_of(f"{k:05d}", piece) for k, piece in enumerate(pieces)]


def parted(titles: Sequence[Title], seed: int, share: float) -> tuple[list[Title], list[Title]]:
    """Returns titles to label and titles held out; all pieces of a recording go the same way.

    Args:
        titles: All.
        seed: Of the parting.
        share: Of titles to label that have a defect; more of them are left out.
    """
    names = sorted({t.piece.name for t in titles})
    order = np.random.default_rng([7, seed]).permutation(len(names))
    pool = {names[int(k)] for k in order[: len(names) // 2]}
    own = [t for t in titles if t.piece.name in pool]
    clean = [t for t in own if not t.piece.defect]
    impaired = [t for t in own if t.piece.defect]
    kept = min(len(impaired), round(len(clean) * share / (1 - share)))
    return clean + impaired[:kept], [t for t in titles if t.piece.name not in pool]


def title_of(name: str, piece: Piece) -> Title:
    """Returns a piece as a title."""
    from array import array

    anchors = array("q", np.rint(piece.starts_s * WINDOWS_HZ).astype(np.int64).tolist())
    columns = {"window": anchors} | {
        c: array("h", piece.columns[c].astype(np.int16).tolist()) for c in COLUMNS
    }
    audio = AudioInfo(_RATE_HZ, ("FC",), "mono", "pcm_s16le")
    stream = StreamInfo(name, "wav", piece.seconds, None, audio)
    measured = Measurements("audio_artifacts", {"windows": Table((WINDOWS_HZ, 1), columns)})
    return Title(name, piece, measured, stream)


def report_of(title: Title, detector: AudioArtifacts, version: str) -> Report:
    """Returns the report that a detector gives of a title, with measurements."""
    result = detector.decide(title.measurements, title.stream)
    return Report(
        asset={"uri": title.name, "duration_s": title.piece.seconds},
        findings=result.findings,
        verdicts={},
        curves={"audio_artifacts": result.curves},
        detectors={"audio_artifacts": {"version": version, "parameters": {}}},
        timing={},
        measurements=(title.measurements,),
    )


def answer(item: ReviewItem, piece: Piece, flipped: bool) -> Label | None:
    """Returns what a reviewer who knows the truth says; None for what is too faint to be sure."""
    over = [e for e in piece.joined_events() if e.intersection_s(item.interval) > 0]
    heard = [e for e in over if piece.is_audible(e)]
    if over and not heard:
        return None
    present = piece.defect if heard else ""
    if flipped:
        present = "" if present else item.defect or CLASSES[0]
    return Label(
        item.id, "true" if present else "false", present, item.start_s, item.end_s,
        "truth", "2026-11-29T00:00:00.000+00:00", item.version, "truth",
    )  # fmt: skip


def example_of(item: ReviewItem, label: Label, title: Title) -> Example:
    """Returns what an answer teaches."""
    return Example(title.measurements, item.interval, present(item, label, CLASSES), label.trust)


def held_out_hits(titles: Sequence[Title], rules: decision.Rules) -> dict[str, list[Hits]]:
    """Returns hits by defect, a title each."""
    out: dict[str, list[Hits]] = {defect: [] for defect in CLASSES}
    for title in titles:
        runs = decision.found(title.piece, rules)
        for defect in CLASSES:
            events = title.piece.joined_events() if title.piece.defect == defect else []
            heard = [e for e in events if title.piece.is_audible(e)]
            faint = [e for e in events if not title.piece.is_audible(e)]
            out[defect].append(evaluation.hits(runs[defect], heard, faint))
    return out


def figures(hits: Mapping[str, Sequence[Hits]], rules: decision.Rules) -> dict[str, float]:
    """Returns average precision and F1, of each defect and their mean."""
    out: dict[str, float] = {}
    for defect, own in hits.items():
        out[f"{defect} ap"] = evaluation.average_precision(own)
        out[f"{defect} f1"] = evaluation.f1(own, rules.thresholds[f"{defect}_normal"])
    for measure in ("ap", "f1"):
        out[measure] = float(np.mean([out[f"{d} {measure}"] for d in hits]))
    return out


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
        few = audio_steps.read(_HERE / _STEPS["choose"])[::_WEAK_STEP]
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
    lines = [
        f"{len(rows)} repeats, start {options.start}, anchor {options.anchor:g}",
        "",
        "| labels | of them yes | average precision | gained | F1 | gained |",
        "|---|---|---|---|---|---|",
    ]
    for name in rows[0]:
        cells = [f"{np.mean([r[name].get(k, 0) for r in rows]):.0f}" for k in ("labels", "yes")]
        for measure in ("ap", "f1"):
            gained = [r[name][measure] - r["0"][measure] for r in rows]
            cells += [f"{np.mean([r[name][measure] for r in rows]):.3f}"]
            cells += [_mean(gained) if name != "0" else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines), rows


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
    return _table(data), data


def _kept(options: argparse.Namespace, repeat: int) -> dict[str, Any] | None:
    """Returns what an earlier run has kept of a repeat."""
    path = None if options.kept is None else options.kept / f"{repeat}.json"
    return json.loads(path.read_bytes()) if path is not None and path.exists() else None


def _counts(titles: Sequence[Title]) -> list[int]:
    return [len(titles), sum(bool(t.piece.defect) for t in titles)]


def _mean(values: Any) -> str:
    """Returns a mean with the 95 % interval of it over repeats."""
    own = np.asarray(values, np.float64)
    half = 1.96 * own.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else 0.0
    return f"{own.mean():+.3f} ({own.mean() - half:+.3f} to {own.mean() + half:+.3f})"


def _table(data: Mapping[str, Any]) -> str:
    before: Sequence[Mapping[str, float]] = data["before"]
    count = len(before)
    lines = [
        f"To label: {data['pool'][0]} titles, {data['pool'][1]} with a defect; held out: "
        f"{data['held_out'][0]}, {data['held_out'][1]} with one (last repeat). {count} repeats, "
        f"{data['seconds'] / count / len(_ARMS):.1f} s for each loop of two rounds. "
        f"Anchor {data['anchor']:g}. Means over repeats, 95 % intervals of the mean gain.",
        "",
        "| chosen | labels | of them yes | average precision | gained | F1 | gained |",
        "|---|---|---|---|---|---|---|",
        f"| released | 0 | | {np.mean([b['ap'] for b in before]):.3f} | "
        f"| {np.mean([b['f1'] for b in before]):.3f} | |",
    ]
    for name, own in data["arms"].items():
        for number in range(ROUNDS):
            cells = [f"{np.mean([r[number]['yes'] for r in own]):.0f}"]
            for measure in ("ap", "f1"):
                values = [r[number][measure] for r in own]
                gained = [v - b[measure] for v, b in zip(values, before, strict=True)]
                cells += [f"{np.mean(values):.3f}", _mean(gained)]
            lines.append(f"| {name} | {(number + 1) * LABELS} | {' | '.join(cells)} |")
    lines += ["", "The queue less chance, the same titles and repeats:", ""]
    for number in range(ROUNDS):
        for measure, text in (("ap", "average precision"), ("f1", "F1")):
            less = [
                q[number][measure] - r[number][measure]
                for q, r in zip(data["arms"]["queue"], data["arms"]["chance"], strict=True)
            ]
            lines.append(f"- {text} after {(number + 1) * LABELS} labels: {_mean(less)}")
    lines += ["", f"After {ROUNDS * LABELS} labels, by defect (average precision, F1):", "",
              "| defect | released | " + " | ".join(data["arms"]) + " |",
              "|---|---|" + "---|" * len(data["arms"])]  # fmt: skip
    for defect in CLASSES:
        cells = [_pair(before, defect)]
        cells += [_pair([r[-1] for r in own], defect) for own in data["arms"].values()]
        lines.append(f"| {defect} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _pair(own: Sequence[Mapping[str, float]], defect: str) -> str:
    return ", ".join(f"{np.mean([f[f'{defect} {m}'] for f in own]):.3f}" for m in ("ap", "f1"))


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
