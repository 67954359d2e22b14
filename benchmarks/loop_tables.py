"""Held-out figures of a decision, and the tables of the loop that is run on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from loop_titles import Title

from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.learning import evaluation
from defectscope.learning.evaluation import Hits
from defectscope.training.audio_artifacts import decision


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


def curve_table(
    rows: Sequence[Mapping[str, Mapping[str, float]]], start: str, anchor: float
) -> str:
    """Returns what so many labels did, means over repeats.

    Args:
        rows: Of each repeat, figures by the number of labels.
        start: What the decision was before.
        anchor: How many labels its own word counted as.
    """
    lines = [
        f"{len(rows)} repeats, start {start}, anchor {anchor:g}",
        "",
        "| labels | of them yes | average precision | gained | F1 | gained |",
        "|---|---|---|---|---|---|",
    ]
    for name in rows[0]:
        cells = [f"{np.mean([r[name].get(k, 0) for r in rows]):.0f}" for k in ("labels", "yes")]
        for measure in ("ap", "f1"):
            gained = [r[name][measure] - r["0"][measure] for r in rows]
            cells += [f"{np.mean([r[name][measure] for r in rows]):.3f}"]
            cells += [mean_gain(gained) if name != "0" else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def loop_table(data: Mapping[str, Any], rounds: int, labels: int) -> str:
    """Returns what rounds of so many labels did, by who chose what to label.

    Args:
        data: What `run` of learning_loop.py measured.
        rounds: How many there were.
        labels: How many in each.
    """
    before: Sequence[Mapping[str, float]] = data["before"]
    count = len(before)
    lines = [
        f"To label: {data['pool'][0]} titles, {data['pool'][1]} with a defect; held out: "
        f"{data['held_out'][0]}, {data['held_out'][1]} with one (last repeat). {count} repeats, "
        f"{data['seconds'] / count / len(data['arms']):.1f} s for each loop of two rounds. "
        f"Anchor {data['anchor']:g}. Means over repeats, 95 % intervals of the mean gain.",
        "",
        "| chosen | labels | of them yes | average precision | gained | F1 | gained |",
        "|---|---|---|---|---|---|---|",
        f"| released | 0 | | {np.mean([b['ap'] for b in before]):.3f} | "
        f"| {np.mean([b['f1'] for b in before]):.3f} | |",
    ]
    for name, own in data["arms"].items():
        for number in range(rounds):
            cells = [f"{np.mean([r[number]['yes'] for r in own]):.0f}"]
            for measure in ("ap", "f1"):
                values = [r[number][measure] for r in own]
                gained = [v - b[measure] for v, b in zip(values, before, strict=True)]
                cells += [f"{np.mean(values):.3f}", mean_gain(gained)]
            lines.append(f"| {name} | {(number + 1) * labels} | {' | '.join(cells)} |")
    lines += ["", "The queue less chance, the same titles and repeats:", ""]
    for number in range(rounds):
        for measure, text in (("ap", "average precision"), ("f1", "F1")):
            less = [
                q[number][measure] - r[number][measure]
                for q, r in zip(data["arms"]["queue"], data["arms"]["chance"], strict=True)
            ]
            lines.append(f"- {text} after {(number + 1) * labels} labels: {mean_gain(less)}")
    lines += ["", f"After {rounds * labels} labels, by defect (average precision, F1):", "",
              "| defect | released | " + " | ".join(data["arms"]) + " |",
              "|---|---|" + "---|" * len(data["arms"])]  # fmt: skip
    for defect in CLASSES:
        cells = [_pair(before, defect)]
        cells += [_pair([r[-1] for r in own], defect) for own in data["arms"].values()]
        lines.append(f"| {defect} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _pair(own: Sequence[Mapping[str, float]], defect: str) -> str:
    return ", ".join(f"{np.mean([f[f'{defect} {m}'] for f in own]):.3f}" for m in ("ap", "f1"))


def mean_gain(values: Any) -> str:
    """Returns a mean with the 95 % interval of it over repeats."""
    own = np.asarray(values, np.float64)
    half = 1.96 * own.std(ddof=1) / np.sqrt(len(own)) if len(own) > 1 else 0.0
    return f"{own.mean():+.3f} ({own.mean() - half:+.3f} to {own.mean() + half:+.3f})"
