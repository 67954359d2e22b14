"""What audio_artifacts ships with: calibration, thresholds, measured figures and the card."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from defectscope.detectors.audio_artifacts.detector import Params
from defectscope.detectors.audio_artifacts.events import Occurrence, occurrences
from defectscope.detectors.audio_artifacts.network import CLASSES
from defectscope.training.audio_artifacts import task as sound_task
from defectscope.training.audio_artifacts.programmes import Programme, score_programmes
from defectscope.training.audio_artifacts.windows import Judged, score_windows
from defectscope.training.contract import CacheView, Release
from defectscope.training.scores import (
    Platt,
    calibration_error,
    fit_platt,
    poisson_upper,
    reliability,
    reliability_plot,
)

VERSION = "0.4.0"
# False findings in ten minutes of clean validation programmes that each of the four defects may
# give; the goal on programmes never seen is two for all of them together.
_FALSE_PER_10_MIN = 0.3
# Log odds that may be put on top of what clean sound asks for, for no finding in an hour of it does
# not mean that there is none in the next. The least is taken that keeps to this many findings in
# ten minutes of recordings that took no part in choosing thresholds, all four defects together:
# half of the goal, for counts on new recordings scatter.
_MARGINS = tuple(np.arange(0.0, 4.01, 0.5).tolist())
_FALSE_UNSEEN_PER_10_MIN = 1.0
_FOLDS = 5
# Where clean sound asks for more than this by itself, nothing is added.
_ENOUGH = 0.995
# A state once entered is left below even odds.
_LEAVE = 0.5
_ENTER_LADDER = tuple(np.round(1 - 0.5 * np.geomspace(1, 0.002, 60), 4).tolist())
SEVERITY = {name: {"measure": "duration_s", "major": 2.0, "critical": 10.0} for name in CLASSES}


def describe(model: torch.nn.Module, cache: CacheView, settings: Mapping[str, Any]) -> Release:
    """Gives the release of a network: chosen on validation, measured on test."""
    validation = score_windows(model, cache, "validation", starts=(0, 10, 20, 30, 40))
    fits = {name: _fit(validation, place) for place, name in enumerate(CLASSES)}
    clean = score_programmes(model, cache, "validation")
    margin = choose_margin(clean, fits)
    thresholds = choose_thresholds(clean, fits, margin)
    calls = sound_task.choose_calls(validation, fits)
    test = score_windows(model, cache, "test")
    metrics = sound_task.measure(test, fits, calls)
    drawn = score_windows(model, cache, "test", drawn=True)
    metrics["as_drawn"] = sound_task.measure(drawn, fits, calls)
    metrics["clean_programmes"] = false_alarms(
        score_programmes(model, cache, "test"), fits, thresholds
    )
    curves = {
        name: reliability(
            fits[name](test.logits[test.weight[:, place] > 0, place]),
            test.target[test.weight[:, place] > 0, place] > 0.5,
        )
        for place, name in enumerate(CLASSES)
    }
    metrics["calibration_error"] = {k: round(calibration_error(v), 4) for k, v in curves.items()}
    return Release(
        version=VERSION,
        thresholds=thresholds,
        severity=SEVERITY,
        calibration={k: {"slope": f.slope, "offset": f.offset} for k, f in fits.items()},
        metrics=metrics,
        card=_card(metrics),
        extra={
            "network": {"widths": [int(w) for w in str(settings["widths"]).split(",")]},
            "calls": calls,
            "margin": margin,
        },
        figures={"reliability.png": reliability_plot(dict(curves))},
    )


def choose_margin(clean: Sequence[Programme], fits: Mapping[str, Platt]) -> float:
    """Gives the least margin with few findings on recordings that chose no thresholds.

    Each fifth of the recordings is judged with thresholds that the other four have chosen.
    """
    ordered = sorted(clean, key=lambda p: p.name)
    folds = [ordered[k::_FOLDS] for k in range(_FOLDS)]
    tens = sum(p.seconds for p in clean) / 600
    for margin in _MARGINS:
        found = 0
        for k, fold in enumerate(folds):
            others = [p for j, other in enumerate(folds) if j != k for p in other]
            chosen = choose_thresholds(others, fits, margin)
            found += sum(false_alarms(fold, fits, chosen)["all"]["findings"].values())
        if found <= _FALSE_UNSEEN_PER_10_MIN * tens:
            return margin
    return _MARGINS[-1]


def choose_thresholds(
    clean: Sequence[Programme], fits: Mapping[str, Platt], margin: float
) -> dict[str, float]:
    """Gives the lowest thresholds that clean sound respects, with a margin on top.

    Args:
        clean: Judged recordings without defects.
        fits: Calibration of each defect.
        margin: In log odds.
    """
    out: dict[str, float] = {}
    for name in CLASSES:
        enter, sustained = _choose(name, clean, fits[name])
        out[f"{name}_enter"] = _beyond(enter, margin)
        out[f"{name}_leave"] = _LEAVE
        out[f"{name}_sustained"] = _beyond(sustained, margin)
    return out


def _choose(name: str, clean: Sequence[Programme], fit: Platt) -> tuple[float, float]:
    """Gives the lowest thresholds, for entering and for steady suspicion, clean sound respects."""
    allowed = _FALSE_PER_10_MIN * sum(p.seconds for p in clean) / 600

    def false(enter: float, sustained: float) -> int:
        return sum(len(found_in(name, p, fit, (enter, _LEAVE, sustained))) for p in clean)

    never = 1.1
    enter = next((e for e in _ENTER_LADDER if false(e, never) <= allowed), _ENTER_LADDER[-1])
    steady = [s for s in _ENTER_LADDER if s <= enter]
    sustained = next((s for s in steady if false(enter, s) <= allowed), enter)
    return enter, sustained


def _beyond(probability: float, margin: float) -> float:
    odds = probability / (1 - probability) * math.exp(margin)
    return round(max(probability, min(odds / (1 + odds), _ENOUGH)), 4)


def found_in(
    name: str, programme: Programme, fit: Platt, thresholds: tuple[float, float, float]
) -> list[Occurrence]:
    """Gives what the detector would report of one defect, at its default parameters.

    Args:
        name: Which defect.
        programme: A judged recording.
        fit: The defect's calibration.
        thresholds: Enter, leave and sustained.
    """
    place, params = CLASSES.index(name), Params()
    enter, leave, sustained = thresholds
    return occurrences(
        name,
        programme.starts_s,
        fit(programme.logits[:, place]),
        enter=enter,
        leave=leave,
        sustained=sustained,
        max_gap_s=params.max_gap_s,
        min_lasting_s=params.min_lasting_s,
        audio_s=programme.seconds,
    )


def false_alarms(
    clean: Sequence[Programme], fits: Mapping[str, Platt], thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """Gives the findings on clean programmes, by corpus, with bounds."""
    bounds = {
        name: (
            thresholds[f"{name}_enter"],
            thresholds[f"{name}_leave"],
            thresholds[f"{name}_sustained"],
        )
        for name in CLASSES
    }
    out: dict[str, Any] = {}
    for corpus in ("all", *sorted({p.corpus for p in clean})):
        own = [p for p in clean if corpus in ("all", p.corpus)]
        tens = sum(p.seconds for p in own) / 600
        counts = {
            name: sum(len(found_in(name, p, fits[name], bounds[name])) for p in own)
            for name in CLASSES
        }
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


def _fit(judged: Judged, place: int) -> Platt:
    known = judged.weight[:, place] > 0
    return fit_platt(judged.logits[known, place], judged.target[known, place] > 0.5)


def clean_table(metrics: Mapping[str, Any]) -> str:
    """Gives the false findings on clean recordings as Markdown."""
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


def how_well(metrics: Mapping[str, Any]) -> str:
    """Gives the measured figures as Markdown, for the card and for docs/results."""
    return (
        "Simulated defects on held-out recordings, five classes, windows of one second, clean and "
        "impaired through the same codecs and band limits. Where the defect can be heard beside "
        f"the programme (see docs/results/audio_artifacts.md): {sound_task.headline(metrics)}. "
        "Wherever it was put, heard or not: "
        f"{sound_task.headline(metrics['as_drawn'])}.\n\n"
        f"{sound_task.tables(metrics)}\n\n{clean_table(metrics)}"
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
            "judges channels apart."
        ),
    }
