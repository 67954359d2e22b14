"""What audio_artifacts ships with: calibration, thresholds, measured figures and the card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch

from defectscope.detectors.audio_artifacts.detector import AudioArtifacts
from defectscope.detectors.audio_artifacts.inference import Scorer
from defectscope.detectors.audio_artifacts.layout import CLASSES
from defectscope.detectors.audio_artifacts.network import Network
from defectscope.detectors.registry import load
from defectscope.training.audio_artifacts import decision
from defectscope.training.audio_artifacts import task as task
from defectscope.training.audio_artifacts.decision import Rules
from defectscope.training.audio_artifacts.measured import Piece, of_cache
from defectscope.training.audio_artifacts.windows import Evaluated, score_windows
from defectscope.training.contract import CacheView, Release
from defectscope.training.scores import (
    Platt,
    calibration_error,
    fit_platt,
    poisson_upper,
    reliability,
    reliability_plot,
    wilson,
)

VERSION = "0.14.0"
_SEED = 1
# From this level on a defect is clearly perceptible.
_MODERATE = 3
SEVERITY = {name: {"measure": "duration_s", "major": 2.0, "critical": 10.0} for name in CLASSES}


def describe(model: torch.nn.Module, cache: CacheView, settings: Mapping[str, Any]) -> Release:
    """Returns the release of a network: chosen on validation, measured on test."""
    validation = score_windows(model, cache, "validation", starts=(0, 10, 20, 30, 40))
    fits = {name: _fit(validation, place) for place, name in enumerate(CLASSES)}
    scorer = Scorer(cast("Network", model))
    rules = rules_as(str(settings["decision"]), scorer, cache)
    calls = task.choose_calls(validation, fits)
    test = score_windows(model, cache, "test")
    metrics = task.measure(test, fits, calls)
    drawn = score_windows(model, cache, "test", drawn=True)
    metrics["as_drawn"] = task.measure(drawn, fits, calls)
    unseen = of_cache(scorer, cache, "test")
    metrics["clean_programmes"] = false_alarms([p for p in unseen if not p.defect], rules)
    metrics["occurrences"] = recall([p for p in unseen if p.defect], rules)
    curves = {
        name: reliability(
            fits[name](test.logits[test.weight[:, place] > 0, place]),
            test.target[test.weight[:, place] > 0, place] > 0.5,
        )
        for place, name in enumerate(CLASSES)
    }
    metrics["calibration_error"] = {k: round(calibration_error(v), 4) for k, v in curves.items()}
    chosen = decision.entries(rules)
    return Release(
        version=VERSION,
        thresholds=chosen["thresholds"],
        severity=SEVERITY,
        calibration=chosen["calibration"],
        metrics=metrics,
        card=_card(metrics),
        extra={
            "decision": chosen["decision"],
            "windows": {k: {"slope": f.slope, "offset": f.offset} for k, f in fits.items()},
            "network": {"widths": [int(w) for w in str(settings["widths"]).split(",")]},
            "calls": calls,
        },
        figures={"reliability.png": reliability_plot(dict(curves))},
    )


def rules_as(decided: str, scorer: Scorer, cache: CacheView) -> Rules:
    """Returns the decision: `chosen` anew on the validation split, or the `released` one."""
    if decided == "released":
        released = cast("AudioArtifacts", load("audio_artifacts"))
        return decision.rules_of(released.tuned.artifact)
    return decision.choose(of_cache(scorer, cache, "validation"), _SEED)


def false_alarms(clean: Sequence[Piece], rules: Rules) -> dict[str, Any]:
    """Returns the findings on clean programmes at normal sensitivity, by corpus, with bounds."""
    found: dict[str, list[Piece]] = {name: [] for name in CLASSES}
    for piece in clean:
        for name, own in decision.found(piece, rules).items():
            least = rules.thresholds[f"{name}_normal"]
            found[name] += [piece] * sum(evidence >= least for evidence, _ in own)
    out: dict[str, Any] = {}
    for corpus in ("all", *sorted({p.corpus for p in clean})):
        own = [p for p in clean if corpus in ("all", p.corpus)]
        tens = sum(p.seconds for p in own) / 600
        counts = {n: sum(corpus in ("all", p.corpus) for p in found[n]) for n in CLASSES}
        total = sum(counts.values())
        out[corpus] = {
            "recordings": len(own),
            "minutes": round(tens * 10, 2),
            "findings": counts,
            # Without a recording to count on, nothing is known.
            "per_10_min": round(total / tens, 3) if tens else None,
            "per_10_min_upper_95": round(poisson_upper(total) / tens, 3) if tens else None,
        }
    return out


def recall(impaired: Sequence[Piece], rules: Rules) -> dict[str, Any]:
    """Returns the share of heard events from level 3 on that are found, by defect."""
    out: dict[str, Any] = {}
    for name in CLASSES:
        hits: list[bool] = []
        for piece in impaired:
            if piece.defect != name or piece.level < _MODERATE:
                continue
            own = decision.found(piece, rules)[name]
            least = rules.thresholds[f"{name}_normal"]
            for event in filter(piece.is_audible, piece.joined_events()):
                hits.append(decision.best_over(own, event) >= least)
        low, high = wilson(sum(hits), len(hits))
        value = round(sum(hits) / len(hits), 4) if hits else None
        out[name] = {"value": value, "n": len(hits), "low": round(low, 4), "high": round(high, 4)}
    return out


def _fit(evaluated: Evaluated, place: int) -> Platt:
    known = evaluated.weight[:, place] > 0
    return fit_platt(evaluated.logits[known, place], evaluated.target[known, place] > 0.5)


def clean_table(metrics: Mapping[str, Any]) -> str:
    """Returns the false findings on clean recordings as Markdown."""
    rows = [
        "False findings on whole clean recordings that were never seen, at the shipped thresholds:",
        "",
        "| corpus | recordings | minutes | findings | in 10 min | upper 95 % bound |",
        "|---|---|---|---|---|---|",
    ]
    for corpus, entry in metrics["clean_programmes"].items():
        counts = ", ".join(f"{v} {k.removeprefix('audio_')}" for k, v in entry["findings"].items())
        rows.append(
            f"| {corpus} | {entry['recordings']} | {entry['minutes']:.1f} | {counts} "
            f"| {_rate(entry['per_10_min'])} | {_rate(entry['per_10_min_upper_95'])} |"
        )
    return "\n".join(rows)


def _rate(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _found(metrics: Mapping[str, Any]) -> str:
    """Returns recall of events as a sentence."""
    parts = [
        f"{name.removeprefix('audio_')} {_rate(e['value'])} of {e['n']}"
        for name, e in metrics["occurrences"].items()
    ]
    return f"Events from level {_MODERATE} on that are heard and found: {', '.join(parts)}."


def how_well(metrics: Mapping[str, Any]) -> str:
    """Returns the measured figures as Markdown, for the card and for docs/results."""
    return (
        "Simulated defects on held-out recordings, five classes, windows of one second, clean and "
        "impaired through the same codecs and band limits. Where the defect can be heard beside "
        f"the programme (see docs/results/audio_artifacts.md): {task.headline(metrics)}. "
        "Wherever it was put, heard or not: "
        f"{task.headline(metrics['as_drawn'])}.\n\n"
        f"{task.tables(metrics)}\n\n{_found(metrics)}\n\n{clean_table(metrics)}"
    )


def _card(metrics: Mapping[str, Any]) -> dict[str, str]:
    return {
        "What it does": (
            "Tells hum, hiss, distortion and clicks in one second of sound, without a reference. "
            "Log-mel power and flatness, single lines, peaks, and levels with the waveform's "
            "bending go through four small convolutional branches; what five windows say, three "
            "seconds in all, with the lines and the floors that stay, corrects each of them (0.72 "
            "million weights together). One calibrated probability per defect comes out."
        ),
        "How well": how_well(metrics),
        "Calibration": (
            "Platt scaling on the validation split; expected calibration error on the test split: "
            + ", ".join(f"{k} {v:.3f}" for k, v in metrics["calibration_error"].items())
            + ".\n\n![reliability](reliability.png)"
        ),
        "Limits": (
            "Defects were simulated, and most programmes were music, ambience and telephone "
            "prompts. A drone that hums by intent, rain, or a distorted guitar alone can be "
            "mistaken for a defect. Defects of one channel are weaker in the mix: `each_channel` "
            "evaluates channels apart."
        ),
    }
